"""The page that analyses one recording, in a real browser, against the command."""

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from app.recording import Recording
from edge.audio import SAMPLE_RATE
from edge.explain import texts
from edge.sources.conversion import into_blocks, read_audio
from edge.sources.highpass import HighPass
from tests.conftest import DEMO, affectd


def command(*arguments: object) -> list[dict[str, Any]]:
    """What ``affectd analyse`` prints."""
    done = affectd("analyse", *arguments)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def same(shown: dict[str, Any], printed: dict[str, Any]) -> None:
    """Two findings are equal, but for the file's folder and the time that it took."""
    for finding in (shown, printed):
        finding["file"] = Path(finding["file"]).name
        finding["explanation"].pop("milliseconds")
    assert shown == approximately(printed)


def approximately(value: Any) -> Any:
    """The same value, its numbers up to the last digits of single precision."""
    if isinstance(value, dict):
        return {key: approximately(item) for key, item in value.items()}
    if isinstance(value, list):
        return [approximately(item) for item in value]
    return pytest.approx(value, abs=1e-5) if isinstance(value, float) else value


def upload(page: Page, app: str, *paths: Path) -> None:
    page.goto(app)
    page.locator("input[type=file]").set_input_files(list(paths))


def downloaded(page: Page, button: str) -> bytes:
    with page.expect_download() as download:
        page.get_by_role("button", name=button, exact=True).click()
    return Path(download.value.path()).read_bytes()


def inked(chart: Locator) -> float:
    """The share of a chart's pixels that are neither pale nor of the pale yellow that marks a stretch of time."""
    picture = np.asarray(Image.open(io.BytesIO(chart.screenshot())).convert("RGB"))
    return float((picture[..., 0] < 160).mean())


def test_uploaded_clip_gets_the_numbers_of_the_command(page: Page, app: str, clip: Path) -> None:
    upload(page, app, clip)
    [printed] = command("--explain", "all", clip)
    emotion, confidence = page.locator(".verdict .emotion"), page.locator(".verdict .confidence")
    expect(emotion).to_have_text(printed["emotion"])
    expect(confidence).to_contain_text(f"{100 * printed['confidence']:.0f} %")
    expect(page.get_by_text("Single features")).to_be_visible()
    same(json.loads(downloaded(page, "JSON")), printed)
    expect(page.get_by_text(f"What {printed['explanation']['target']} rests on: alone it sounds like")).to_be_visible()
    # The utterance, the stretch that speaks most for it, the voice made again, also with an aspect as usual, and what
    # the verdict rests on, and the rest.
    expect(page.locator("audio")).to_have_count(6)
    heard = printed["explanation"]["aspects"]["effects"]
    strongest = max(heard, key=lambda name: abs(heard[name]["effect"]))
    expect(page.get_by_text(f"With the usual {texts.ASPECT_NAMES[strongest]}")).to_be_visible()
    charts = page.locator("[data-testid=stVegaLiteChart] .marks")
    expect(charts).to_have_count(8)
    for chart in charts.all():
        assert inked(chart) > 0.01
    target = printed["explanation"]["target"]
    other = sorted(label for label in printed["probabilities"] if label != target)[0]
    page.get_by_label(f"Why {target}, and not").fill(other)
    page.get_by_role("option", name=other, exact=True).click()
    expect(page.get_by_text(f"{target} rather than {other}")).to_be_visible()
    [printed] = command("--explain", "all", "--against", other, clip)
    same(json.loads(downloaded(page, "JSON")), printed)
    assert downloaded(page, "Picture").startswith(b"\x89PNG")


def test_long_recording_is_cut_into_utterances_without_a_byte_on_disk(page: Page, app: str, tmp_path: Path) -> None:
    long = tmp_path / "long.wav"
    soundfile.write(long, np.repeat(read_audio(DEMO), 3), 3 * SAMPLE_RATE)
    assert long.stat().st_size > 3_000_000  # more than the web server would keep in memory by itself
    upload(page, app, long)
    printed = command(long)
    expect(page.get_by_text(f"Utterance 1 of {len(printed)}")).to_be_visible()
    lines = [json.loads(line) for line in downloaded(page, "All as JSON lines").splitlines()]
    assert len(lines) == len(printed) > 3
    for shown, row in zip(lines, printed, strict=True):
        same(shown, row)
    table = page.get_by_test_id("stDataFrame").first
    box = table.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 15, box["y"] + 2.5 * 35)  # the second row, on a canvas
    expect(page.get_by_text(f"Utterance 2 of {len(printed)}")).to_be_visible()
    expect(page.locator(".verdict .emotion")).to_have_text(printed[1]["emotion"])


def test_recording_in_the_browser_is_understood(page: Page, app: str, clip: Path) -> None:
    page.goto(app)
    page.get_by_text("Record in the browser").click()
    page.get_by_role("button", name="Record", exact=True).click()
    seconds = soundfile.info(clip).duration
    page.wait_for_function(
        f"() => {{ const t = document.querySelector('[data-testid=stAudioInputWaveformTimeCode]').innerText;"
        f" const [m, s] = t.split(':').map(Number); return 60 * m + s >= {seconds + 1} }}"
    )
    page.get_by_role("button", name="Stop recording").click()
    expect(page.locator(".verdict .emotion")).to_be_visible()
    expect(page.get_by_text("Single features")).to_be_visible()
    page.wait_for_function("() => !document.querySelector('[data-testid=stSpinner]')")
    finding = json.loads(downloaded(page, "JSON"))
    assert sum(finding["probabilities"].values()) == pytest.approx(1)
    assert 0.3 < finding["end_s"] - finding["start_s"] < seconds + 2


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("report.wav", b"%PDF-1.7\n1 0 obj\n", "report.wav is not audio that can be read"),
        ("nothing.wav", b"", "nothing.wav is empty"),
        ("silence.wav", None, "Nobody speaks in silence.wav"),
    ],
)
def test_what_is_no_speech_gets_one_sentence(
    page: Page, app: str, tmp_path: Path, name: str, content: bytes | None, sentence: str
) -> None:
    path = tmp_path / name
    if content is None:
        soundfile.write(path, np.zeros(5 * SAMPLE_RATE, np.int16), SAMPLE_RATE)
    else:
        path.write_bytes(content)
    upload(page, app, path)
    expect(page.get_by_role("alert")).to_contain_text(sentence)


def test_samples_of_an_utterance_are_those_that_the_gate_heard(clip: Path) -> None:
    recording = Recording(clip.name, clip.read_bytes())
    high_pass, samples = HighPass(), read_audio(clip)
    whole = np.concatenate([high_pass.push(block) for block in into_blocks([samples])])[: len(samples)]
    assert (recording.samples(1024, 20_000) == whole[1024:20_000]).all()
    assert (recording.samples(0, len(whole)) == whole).all()


def test_a_recording_is_followed_every_half_second(app: str, page: Page) -> None:
    upload(page, app, DEMO)
    page.get_by_text("Along the recording").click()
    expect(page.get_by_role("meter", name="Intensity")).to_have_attribute("aria-valuenow", re.compile(r"^\d+$"))
    picture = page.locator("[data-testid=stImage] img")
    expect(picture).to_be_visible(timeout=60_000)
    shown = list(csv.DictReader(io.StringIO(downloaded(page, "Table").decode())))
    printed = list(csv.DictReader(io.StringIO(affectd("analyse", "--track", DEMO, "--format", "csv").stdout)))
    assert [(row["start_s"], row["emotion"]) for row in shown] == [(row["start_s"], row["emotion"]) for row in printed]
    assert len(shown) > 20
    assert downloaded(page, "Subtitles").startswith(b"WEBVTT")
    assert downloaded(page, "Segments").startswith(b"SPEAKER demo 1 ")
    assert Image.open(io.BytesIO(downloaded(page, "Lanes"))).width > 1000
