"""The page hears what the command hears, and says the same of why."""

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from edge.sources.conversion import read_audio
from tests.chromium import PATIENCE_MS
from tests.conftest import affectd, until
from tests.web.conftest import Visitor, visiting

CLOSE = 1e-3


def analysed(*arguments: object) -> list[dict[str, Any]]:
    ended = affectd("analyse", *arguments)
    assert ended.returncode == 0, ended.stderr
    return [json.loads(line) for line in ended.stdout.splitlines()]


def assert_same(heard: dict[str, Any], expected: dict[str, Any], close: float = CLOSE) -> None:
    assert heard["emotion"] == expected["emotion"]
    assert heard["probabilities"] == pytest.approx(expected["probabilities"], abs=close)
    assert heard["intensity"] == pytest.approx(expected["intensity"], abs=10 * close)
    why, expected_why = heard["explanation"], expected["explanation"]
    assert why["target"] == expected_why["target"]
    assert why["families"] == pytest.approx(expected_why["families"], abs=10 * close)
    assert (why["value"], why["base_value"]) == pytest.approx(
        (expected_why["value"], expected_why["base_value"]), abs=10 * close
    )
    assert abs(why["residual"]) < CLOSE


def test_file_gets_the_numbers_of_the_command(visitor: Visitor, clip: Path) -> None:
    visitor.open(whole=True, adapt=False)
    (heard,) = visitor.hear(clip)
    (expected,) = analysed("--whole", "--bundle", "light", clip)
    assert_same(heard, expected)
    expect(visitor.page.locator(".emotion")).to_have_text(expected["emotion"])
    rows = visitor.page.get_by_role("table", name="What the network was given").locator("tr")
    shown = [float(number.replace("−", "-")) for number in rows.locator(".number").all_inner_texts()]
    assert shown == [round(value, 2) for value in expected["explanation"]["families"].values()]


def test_recording_is_cut_and_adapted_to_as_the_command_does(visitor: Visitor, recording: Path) -> None:
    visitor.open(adapt=True)
    heard = visitor.hear(recording)
    expected = analysed("--adapt", "--bundle", "light", recording)
    assert [(u["start"], u["end"]) for u in heard] == [(u["start_s"], u["end_s"]) for u in expected]
    for utterance, one in zip(heard, expected, strict=True):
        assert_same(utterance, one, 0.02)  # the command has filtered the whole recording, the page each utterance
    assert [u["adaptedOn"] for u in heard] == list(range(len(heard)))


def test_closer_look_finds_moments_and_features_of_the_command(visitor: Visitor, clip: Path) -> None:
    visitor.open(whole=True, adapt=False)
    visitor.hear(clip)
    visitor.page.get_by_role("button", name="Look closer").click()
    expect(visitor.page.get_by_role("heading", name="Single features")).to_be_visible()
    (found,) = visitor.said("closer")
    (expected,) = analysed("--whole", "--bundle", "light", "--explain", "all", clip)
    features = {entry["name"]: entry["effect"] for entry in found["closer"]["features"]}
    assert list(features.values()) == pytest.approx(
        [f["effect"] for f in expected["explanation"]["features"]], abs=CLOSE
    )
    curve, segment = found["closer"]["moments"], expected["explanation"]["segment"]
    frames = slice(round(62.5 * segment["start_s"]), round(62.5 * segment["end_s"]))
    stretch = curve[frames]
    assert sum(stretch) / len(stretch) == pytest.approx(segment["effect"], abs=0.02)


def test_microphone_is_understood_without_a_network(visitor: Visitor, clip: Path) -> None:
    visitor.open(adapt=False)
    visitor.page.evaluate("navigator.serviceWorker.ready.then(() => null)")
    visitor.context.set_offline(True)
    visitor.page.reload()
    visitor.ready()
    visitor.page.get_by_role("button", name="Listen").click()
    until(lambda: len(visitor.said("heard")) > 1, PATIENCE_MS / 1000)
    visitor.page.get_by_role("button", name="Stop").click()
    (expected,) = analysed("--bundle", "light", clip)
    heard = visitor.said("heard")[1]["utterance"]  # the first may begin in the middle
    assert heard["emotion"] == expected["emotion"]
    assert heard["seconds"] == pytest.approx(expected["end_s"] - expected["start_s"], abs=0.2)
    assert heard["probabilities"] == pytest.approx(expected["probabilities"], abs=0.1)  # 16 kHz to 48 and back
    expect(visitor.page.locator(".timeline button")).to_have_count(len(visitor.said("heard")))


def test_ten_seconds_are_counted_down(visitor: Visitor) -> None:
    visitor.open()
    visitor.page.get_by_role("button", name="10 seconds").click()
    expect(visitor.page.get_by_role("button", name="s left")).to_be_visible()
    expect(visitor.page.get_by_role("img", name="last ten seconds")).to_be_visible()
    until(lambda: visitor.said("finished"), PATIENCE_MS / 1000)
    expect(visitor.page.get_by_role("button", name="10 seconds")).to_be_enabled()
    assert visitor.said("finished")[0]["utterances"] > 1
    assert sum(u["utterance"]["seconds"] for u in visitor.said("heard")) < 10.5


def test_shipped_bundle_names_the_same_emotions(
    browser: Browser, shipped_address: str, corpus: list[dict[str, str]], tmp_path: Path
) -> None:
    files = [Path(row["file"]) for row in corpus[:: len(corpus) // 5]]
    sounds = [_wav(file, tmp_path / f"{index}.wav") for index, file in enumerate(files)]
    expected = analysed("--whole", "--bundle", "default", *sounds)
    with visiting(browser, shipped_address) as visitor:
        visitor.open(whole=True, adapt=False)
        for sound, one in zip(sounds, expected, strict=True):
            (heard,) = visitor.hear(sound)
            assert heard["probabilities"] == pytest.approx(one["probabilities"], abs=CLOSE)


def _wav(file: Path, path: Path) -> Path:
    import soundfile

    soundfile.write(path, read_audio(file), 16000)
    return path
