"""Voices made again with another pitch, level, tempo or colour."""

import sys
from pathlib import Path

import numpy as np
import pytest

import edge
from edge import features
from edge.audio import SAMPLE_RATE
from edge.errors import AffectdError
from edge.explain import aspects
from edge.explain.aspects import ASPECTS, Change
from edge.explain.resynthesis import Voice, together
from edge.sources.conversion import read_audio

CHANGES = {
    "pitch": (Change(octaves=0.25), 3.0),
    "pitch_movement": (Change(melody=1.6), np.log(1.6)),
    "loudness": (Change(gain_db=-6.0), -6.0),
    "loudness_movement": (Change(dynamics=1.4), np.log(1.4)),
    "brightness": (Change(brighter_db=4.0), 4.0),
    "clarity": (Change(regularity=0.7), -0.5),
}


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    recording = read_audio(Path(edge.__file__).parent / "demo.opus")
    return recording[round(27.2 * SAMPLE_RATE) : round(31.2 * SAMPLE_RATE)]


@pytest.fixture(scope="module")
def voice(speech) -> Voice:
    return Voice.of(speech)


def measured(samples: np.ndarray) -> dict[str, float]:
    return aspects.measures(features.frames(samples, features.SIX), features.SIX)


def test_a_voice_made_again_is_the_same_voice(voice, speech):
    found = aspects.differences(measured(voice.sound()), measured(speech))
    assert abs(len(voice.sound()) - len(speech)) < SAMPLE_RATE // 50
    for name in ("pitch", "loudness", "tempo", "brightness"):
        assert abs(found[name]) < 1.5 * ASPECTS[name].least


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_heard(name, voice):
    change, expected = CHANGES[name]
    found = aspects.differences(measured(voice.sound(change)), measured(voice.sound()))
    assert found[name] == pytest.approx(expected, rel=0.4)


def test_a_faster_voice_is_shorter(voice):
    assert len(voice.sound(Change(rate=1.25))) == pytest.approx(len(voice.sound()) / 1.25, rel=0.01)


def test_changes_together():
    both = together([Change(octaves=0.5, gain_db=3.0), Change(octaves=-0.25, rate=1.2), Change(melody=0.5)])
    assert both == Change(octaves=0.25, melody=0.5, gain_db=3.0, rate=1.2)
    assert together([]) == Change()


def test_without_the_vocoder_it_is_said_how_to_get_it(speech, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyworld", None)
    with pytest.raises(AffectdError, match=r"affectd\[voice\]"):
        Voice.of(speech)
