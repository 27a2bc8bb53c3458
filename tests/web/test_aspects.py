"""The page hears in a voice what the command hears, behind the verdict, and says so."""

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from msgspec import UNSET
from numpy.typing import NDArray
from playwright.sync_api import Browser, expect

from edge import features
from edge.audio import SAMPLE_RATE
from edge.explain import by_aspects, texts
from edge.explain.aspects import ASPECTS
from edge.explain.by_aspects import AspectEffect, AspectEffects, Counterfactual
from edge.explain.explainer import Explanation
from edge.explain.sentence import sentence
from edge.explain.spectra import white_noise
from edge.features import log_mel
from edge.sources.conversion import read_audio
from tests.web.conftest import Visitor, program, visiting
from tests.web.test_hearing import analysed

LABELS = ("anger", "fear", "gloom", "neutral")


def written(samples: NDArray[np.number], path: Path) -> Path:
    soundfile.write(path, samples, SAMPLE_RATE)
    return path


def assert_same(voice: dict[str, Any], expected: dict[str, Any], close: float) -> None:
    """Whether the page says of a voice what the command says, to ``close`` log-odds."""
    found, aspects = voice["aspects"], expected["explanation"]["aspects"]
    assert found["absent"] == aspects["absent"]
    assert {name: effect["effect"] for name, effect in found["effects"].items()} == pytest.approx(
        {name: effect["effect"] for name, effect in aspects["effects"].items()}, abs=close
    )
    for name, effect in found["effects"].items():
        theirs = aspects["effects"][name]
        assert (effect["words"], effect["unit"]) == (theirs["words"], theirs["unit"])
        assert (effect["own"], effect["usual"]) == pytest.approx((theirs["own"], theirs["usual"]), abs=2e-3)
    assert (found["base_value"], found["value"]) == pytest.approx((aspects["base_value"], aspects["value"]), abs=close)
    assert (found["method"], found["evaluations"]) == (aspects["method"], aspects["evaluations"])
    assert abs(found["residual"]) < close
    assert found.get("counterfactual") == aspects.get("counterfactual")
    assert voice["sentence"] == expected["sentence"]


def clips(corpus: list[dict[str, str]], count: int, folder: Path) -> list[Path]:
    files = [Path(row["file"]) for row in corpus[7 :: len(corpus) // count]]
    return [written(read_audio(file), folder / f"{index}.wav") for index, file in enumerate(files)]


def test_voices_are_explained_as_by_the_command(visitor: Visitor, corpus: list[dict[str, str]], tmp_path: Path) -> None:
    sounds = clips(corpus, 12, tmp_path)
    visitor.open(whole=True, adapt=False)
    for sound in sounds:
        visitor.hear(sound)
    expected = analysed("--whole", "--bundle", "light", "--explain", "aspects", *sounds)
    for voice, one in zip(visitor.voices(len(sounds)), expected, strict=True):
        assert_same(voice, one, 1e-4)


def test_voices_are_explained_as_by_the_command_with_an_encoder(
    browser: Browser, shipped_address: str, corpus: list[dict[str, str]], tmp_path: Path
) -> None:
    sounds = clips(corpus, 6, tmp_path)
    expected = analysed("--whole", "--bundle", "default", "--explain", "aspects", *sounds)
    with visiting(browser, shipped_address) as visitor:
        visitor.open(whole=True, adapt=False)
        for sound in sounds:
            visitor.hear(sound)
        for voice, one in zip(visitor.voices(len(sounds)), expected, strict=True):
            assert_same(voice, one, 5e-3)  # its products are in 8 bits


def test_usual_is_what_the_adapter_has_learnt(visitor: Visitor, recording: Path) -> None:
    visitor.open(adapt=True)
    voices = visitor.voices(len(visitor.hear(recording)))
    expected = analysed("--adapt", "--bundle", "light", "--explain", "aspects", recording)
    usual = [{name: effect["usual"] for name, effect in voice["aspects"]["effects"].items()} for voice in voices]
    for found, one in zip(usual, expected, strict=True):
        effects = one["explanation"]["aspects"]["effects"]
        assert found == pytest.approx({name: effect["usual"] for name, effect in effects.items()}, abs=0.02)
    assert usual[0]["loudness"] != usual[-1]["loudness"]


def test_verdicts_do_not_wait_for_voices(visitor: Visitor, recording: Path) -> None:
    visitor.open()
    heard = visitor.hear(recording)
    visitor.voices(len(heard))
    order = visitor.page.evaluate("said.map(({ kind }) => kind)")
    assert order.count("voice") == len(heard) > 3
    assert order.index("voice") > order.index("finished")
    (first,) = (message["id"] for message in visitor.said("voice")[:1])
    assert first == heard[-1]["id"], "the one that is shown comes first"


def test_sound_does_not_wait_for_voices(visitor: Visitor) -> None:
    visitor.open()
    visitor.page.get_by_role("button", name="Listen").click()
    visitor.voices(2)
    visitor.page.get_by_role("button", name="Stop").click()
    order = visitor.page.evaluate("said.map(({ kind }) => kind)")
    first = order.index("voice")
    assert "sound" in order[order.index("heard") : first]


def test_what_there_is_no_time_for_is_said(visitor: Visitor, recording: Path, tmp_path: Path) -> None:
    visitor.open()
    again = written(np.tile(read_audio(recording), 6), tmp_path / "again.wav")
    heard = visitor.hear(again)
    assert len(heard) > 41
    late = [message for message in visitor.said("voice") if "no time" in str(message["voice"]["unheard"])]
    assert [message["id"] for message in late] == [utterance["id"] for utterance in heard[:-40]]
    visitor.page.locator(".timeline button").first.click()
    expect(visitor.page.get_by_text("no time for what is heard in this voice")).to_be_visible()


def test_page_shows_sentence_aspects_and_figures(visitor: Visitor, clip: Path) -> None:
    visitor.open(whole=True, adapt=False)
    visitor.hear(clip)
    (voice,) = visitor.voices(1)
    page = visitor.page
    expect(page.get_by_text(voice["sentence"])).to_be_visible()
    moved = [one for one in voice["aspects"]["effects"].values() if one["words"] != texts.AS_USUAL]
    rows = page.get_by_role("table", name="What is heard in the voice").locator("tr")
    assert rows.locator("th").all_inner_texts() == [one["words"] for one in moved]
    shown = [float(number.replace("−", "-")) for number in rows.locator(".number").all_inner_texts()]
    assert shown == pytest.approx([one["effect"] for one in moved], abs=0.006)
    page.get_by_text("The figures").locator("visible=true").click()
    figures = page.get_by_role("table", name="The figures").locator("tbody th")
    assert figures.all_inner_texts() == [texts.ASPECT_NAMES[name] for name in voice["aspects"]["effects"]]


def test_a_whisper_has_no_pitch(visitor: Visitor, tmp_path: Path) -> None:
    time = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    breath = np.random.default_rng(1).normal(0, 0.05, len(time)) * (1 + np.sin(2 * np.pi * 4 * time))
    whisper = written(breath, tmp_path / "whisper.wav")
    visitor.open(whole=True, adapt=False)
    visitor.hear(whisper)
    (voice,) = visitor.voices(1)
    (expected,) = analysed("--whole", "--bundle", "light", "--explain", "aspects", whisper)
    assert_same(voice, expected, 1e-4)
    assert set(voice["aspects"]["absent"]) == {"pitch", "pitch_movement", "clarity"}
    expect(visitor.page.get_by_text(f"Pitch: {texts.NO_PITCH}.", exact=True)).to_be_visible()


def test_what_is_too_long_is_said_to_be(visitor: Visitor, recording: Path, tmp_path: Path) -> None:
    long = written(read_audio(recording)[: 21 * SAMPLE_RATE], tmp_path / "long.wav")
    visitor.open(whole=True, adapt=False)
    visitor.hear(long)
    (voice,) = visitor.voices(1)
    (expected,) = analysed("--whole", "--bundle", "light", "--explain", "aspects", long)
    assert voice["unheard"] == expected["explanation"]["unheard"]
    assert voice["sentence"] == expected["sentence"]
    expect(visitor.page.get_by_text(voice["unheard"])).to_be_visible()


def test_the_shortest_utterance_has_aspects(visitor: Visitor, clip: Path, tmp_path: Path) -> None:
    short = written(read_audio(clip)[SAMPLE_RATE : SAMPLE_RATE * 14 // 10], tmp_path / "short.wav")
    visitor.open(whole=True, adapt=False)
    visitor.hear(short)
    (voice,) = visitor.voices(1)
    (expected,) = analysed("--whole", "--bundle", "light", "--explain", "aspects", short)
    assert_same(voice, expected, 1e-4)


def test_voices_are_not_explained_where_nobody_asks(visitor: Visitor, clip: Path) -> None:
    visitor.open(whole=True, adapt=False, voices=False)
    visitor.hear(clip)
    (voice,) = visitor.voices(1)
    (expected,) = analysed("--whole", "--bundle", "light", clip)
    assert voice == {"aspects": None, "unheard": None, "sentence": expected["sentence"]}
    page = visitor.page
    expect(page.get_by_role("heading", name="What is heard in the voice")).to_have_count(0)
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("Say what is heard in a voice").check()
    page.get_by_role("button", name="Close", exact=True).click()
    visitor.hear(clip)
    assert visitor.voices(2)[1]["aspects"]


def test_rules_of_explanations_are_those_of_the_command(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    said = [_said(rng) for _ in range(300)]
    voices = [_voice(rng) for _ in range(100)]
    given = {
        "texts": {name: text for name, text in vars(texts).items() if name.isupper()},
        "said": [{"verdict": _verdict(one), "aspects": _aspects(one)} for one in said],
        "voices": [
            {"logits": logits.tolist(), "shares": list(shares.values()), "target": LABELS.index("anger")}
            for logits, shares in voices
        ],
        "labels": LABELS,
        "heard": [
            {"time": 24, "families": ["prosody", "mel"]},
            {"time": 25, "families": ["prosody", "mel"]},
            {"time": 1250, "families": ["mel", "prosody", "speech"]},
            {"time": 1251, "families": ["prosody", "mel"]},
            {"time": 100, "families": ["mfcc", "mel"]},
        ],
        "noise": 2 * SAMPLE_RATE + 77,
    }
    command = ["node", str(program("explain", tmp_path))]
    found = json.loads(
        subprocess.run(command, input=json.dumps(given), capture_output=True, check=True, text=True).stdout
    )
    assert found["sentences"] == [sentence(one) for one in said]
    for theirs, (logits, shares) in zip(found["counterfactuals"], voices, strict=True):
        ours = by_aspects.counterfactual(logits, LABELS, "anger", shares)
        assert theirs == ({"aspects": ours.aspects, "label": ours.label} if ours else None)
    short, long, deaf = texts.TOO_SHORT.format(0.4), texts.TOO_LONG.format(20), texts.NO_PROSODY.format("mine")
    assert found["unheard"] == [short, None, None, long, deaf]
    noise = white_noise(2 * SAMPLE_RATE + 77)
    np.testing.assert_allclose(found["power"], features.power_of(noise).ravel(), atol=1e-9)
    np.testing.assert_allclose(found["fine"], log_mel.power_of(noise).ravel(), atol=1e-9)


def _said(rng: np.random.Generator) -> Explanation:
    """An explanation of any kind."""
    families = dict(zip(("mel", "prosody", "speech", "new"), rng.normal(0, rng.choice([0.05, 1]), 4), strict=True))
    names = [name for name in ASPECTS if rng.random() < 0.8]
    other = Counterfactual(aspects=list(rng.permutation(names)[: rng.integers(1, 4)]), label=str(rng.choice(LABELS)))
    aspects = AspectEffects(
        base_value=0.0,
        value=1.0,
        effects={
            name: AspectEffect(
                words=texts.ASPECTS[name][rng.integers(2)], own=1.0, usual=0.0, unit="dB", effect=rng.normal(0, 0.5)
            )
            for name in names
        },
        residual=float(rng.choice([0, 0.02])),
        counterfactual=other if names and rng.random() < 0.5 else UNSET,
        evaluations=4,
    )
    return Explanation(
        method="shapley-families",
        target=str(rng.choice(LABELS)),
        baseline="training mean",
        base_value=0.0,
        value=1.0,
        families=families,
        residual=0.0,
        evaluations=16,
        milliseconds=1.0,
        aspects=aspects if rng.random() < 0.8 else UNSET,
        uncertain=True if rng.random() < 0.3 else UNSET,
    )


def _verdict(said: Explanation) -> dict[str, Any]:
    return {
        "emotion": "uncertain" if said.uncertain is True else said.target,
        "label": said.target,
        "explanation": {"families": said.families, "residual": said.residual},
    }


def _aspects(said: Explanation) -> dict[str, Any] | None:
    if not said.aspects:
        return None
    effects = {name: {"words": one.words, "effect": one.effect} for name, one in said.aspects.effects.items()}
    other = said.aspects.counterfactual
    named = {"counterfactual": {"aspects": other.aspects, "label": other.label}} if other else {}
    return {"effects": effects, "residual": said.aspects.residual, **named}


def _voice(rng: np.random.Generator) -> tuple[NDArray[np.float32], dict[str, float]]:
    """Logits of all coalitions of up to four aspects, and their shares, often of one size."""
    players = int(rng.integers(0, 5))
    logits = rng.normal(0, 1, (2**players, len(LABELS))) + np.array([3, 0, 0, 0])
    shares = rng.choice([-0.5, 0.25, 0.5], players)
    return logits.astype(np.float32), {str(player): float(share) for player, share in enumerate(shares)}
