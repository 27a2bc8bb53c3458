"""What goes wrong gets one sentence that says what to do."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from playwright.sync_api import Browser, Playwright, expect

from edge.audio import SAMPLE_RATE
from tests.chromium import PATIENCE_MS, launch
from tests.conftest import until
from tests.web.conftest import Visitor, visiting


@pytest.fixture(scope="module")
def strict_browser(playwright: Playwright) -> Iterator[Browser]:
    """Chromium, whose owner gives the microphone to nobody."""
    browser = launch(playwright, "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream=deny")
    yield browser
    browser.close()


def test_microphone_that_is_denied(strict_browser: Browser, address: str) -> None:
    with visiting(strict_browser, address, permissions=[]) as visitor:
        visitor.open()
        visitor.page.get_by_role("button", name="Listen").click()
        assert "does not let this page use the microphone" in visitor.problem()
        expect(visitor.page.get_by_role("button", name="Listen")).to_be_enabled()


@pytest.mark.parametrize(
    ("error", "sentence"), [("NotFoundError", "No microphone was found"), ("NotReadableError", "another program")]
)
def test_microphone_that_is_absent_or_taken(visitor: Visitor, error: str, sentence: str) -> None:
    refusal = f"navigator.mediaDevices.getUserMedia = async () => {{ throw new DOMException('', '{error}'); }}"
    visitor.context.add_init_script(refusal)
    visitor.open()
    visitor.page.get_by_role("button", name="Listen").click()
    assert sentence in visitor.problem()
    expect(visitor.page.get_by_role("button", name="Listen")).to_be_enabled()


def test_file_that_is_no_sound(visitor: Visitor) -> None:
    visitor.open()
    for file, sentence in (
        ({"name": "letter.txt", "mimeType": "text/plain", "buffer": b"Dear reader"}, "letter.txt is no sound"),
        ({"name": "nothing.wav", "mimeType": "audio/wav", "buffer": b""}, "nothing.wav holds no sound"),
    ):
        visitor.page.set_input_files("input[type=file]", file)  # type: ignore[arg-type]
        expect(visitor.page.get_by_role("alert")).to_contain_text(sentence)


def test_file_of_an_hour(visitor: Visitor, tmp_path: Path) -> None:
    hour = tmp_path / "hour.wav"
    soundfile.write(hour, np.zeros(3600 * 8000, np.uint8).astype(np.int16), 8000, subtype="PCM_U8")
    visitor.open()
    visitor.page.set_input_files("input[type=file]", hour)
    assert "hour.wav lasts 60 minutes, and the page takes at most 15" in visitor.problem()


def test_silence_and_what_is_too_long_or_short_for_one_utterance(visitor: Visitor, tmp_path: Path) -> None:
    visitor.open(whole=True)
    for name, seconds, sentence in (
        ("long.wav", 61, "is longer than the 60 s"),
        ("short.wav", 0.2, "is shorter than 0.4 s"),
    ):
        soundfile.write(tmp_path / name, np.zeros(int(seconds * SAMPLE_RATE), np.int16), SAMPLE_RATE)
        visitor.page.set_input_files("input[type=file]", tmp_path / name)
        expect(visitor.page.get_by_role("alert")).to_contain_text(f"{name} {sentence}")
    visitor.page.get_by_role("button", name="Settings").click()
    visitor.page.get_by_label("Take a file as one utterance").uncheck()
    visitor.page.get_by_role("button", name="Close", exact=True).click()
    visitor.hear(tmp_path / "long.wav")
    assert visitor.problem() == "Nobody speaks in long.wav."


def test_file_at_96_khz_is_heard_as_at_16(visitor: Visitor, clip: Path, tmp_path: Path) -> None:
    import soxr

    samples, _ = soundfile.read(clip)
    fast = tmp_path / "fast.wav"
    soundfile.write(fast, np.column_stack([soxr.resample(samples, SAMPLE_RATE, 96000)] * 2), 96000, subtype="PCM_24")
    visitor.open(whole=True, adapt=False)
    (slow,), (heard,) = visitor.hear(clip), visitor.hear(fast)
    assert heard["emotion"] == slow["emotion"]
    assert heard["probabilities"] == pytest.approx(slow["probabilities"], abs=0.1)


# What a phone does to a page in the background.
HIDE = """(hidden) => {
    Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
    if (hidden) sound.suspend();
}"""


def test_page_says_for_how_long_it_was_deaf_in_the_background(visitor: Visitor) -> None:
    visitor.context.add_init_script("""
        const Real = AudioContext;
        window.AudioContext = class extends Real { constructor() { super(); window.sound = this; } };
    """)
    visitor.open()
    visitor.page.get_by_role("button", name="Listen").click()
    until(lambda: visitor.said("speaking"), PATIENCE_MS / 1000)
    visitor.page.evaluate(HIDE, True)
    visitor.page.wait_for_timeout(3000)
    visitor.page.evaluate(HIDE, False)
    until(lambda: visitor.said("deaf"), PATIENCE_MS / 1000)
    seconds = visitor.said("deaf")[0]["seconds"]
    assert 2.5 < seconds < 60
    said = f"{seconds:.{1 if seconds < 10 else 0}f} s"
    assert visitor.problem() == f"The page was in the background and heard nothing for {said}."
    before = len(visitor.said("heard"))
    until(lambda: len(visitor.said("heard")) > before, PATIENCE_MS / 1000)  # and hears again


@pytest.mark.parametrize(
    ("without", "sentence"),
    [
        ("WebAssembly.validate = () => false", "WebAssembly with SIMD"),
        ("delete window.DecompressionStream", "decompression"),
        ("delete window.OffscreenCanvas", "off-screen drawing"),
    ],
)
def test_browser_without_what_is_needed(visitor: Visitor, without: str, sentence: str) -> None:
    visitor.context.add_init_script(without)
    visitor.page.goto(visitor.address)
    assert f"This browser lacks {sentence}" in visitor.problem()


def test_browser_without_microphones_still_takes_files(visitor: Visitor, clip: Path) -> None:
    visitor.context.add_init_script("delete window.AudioWorkletNode")
    visitor.open()
    visitor.page.get_by_role("button", name="Listen").click()
    assert "cannot hand sound to a page" in visitor.problem()
    assert visitor.hear(clip)
