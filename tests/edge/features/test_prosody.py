"""Prosody against signals whose pitch, loudness and tilt are known."""

import numpy as np
import pytest

from edge import features
from edge.features import FIVE, SIX, FeatureSet, prosody

RATE = 16_000


def voiced(hertz: float, seconds: float = 1.0, formants: tuple[float, ...] = (600, 1700)) -> np.ndarray:
    """A pulse train through resonances: a vowel on a monotone."""
    time = np.arange(int(seconds * RATE)) / RATE
    pulses = np.diff(np.floor(hertz * time), prepend=0)
    response = sum(np.exp(-200 * time[:400]) * np.sin(2 * np.pi * hz * time[:400]) for hz in formants)
    sound = np.convolve(pulses, response)[: len(time)]
    return (0.3 * sound / np.abs(sound).max()).astype(np.float32)


def column(samples: np.ndarray, name: str) -> np.ndarray:
    """One prosodic feature over the frames that lie within the sound."""
    return features.frames(samples, SIX)[4:-4, SIX.names.index(f"prosody_{name}")]


@pytest.mark.parametrize("hertz", [75, 100, 150, 220, 330, 440])
def test_pitch_of_a_vowel_is_found_within_a_percent(hertz):
    pitch, voicing = column(voiced(hertz), "pitch"), column(voiced(hertz), "voicing")
    assert np.median(voicing) > 0.5
    found = prosody.PITCH_REFERENCE * 2 ** (pitch / voicing)
    assert np.median(np.abs(found / hertz - 1)) < 0.01


def test_formants_do_not_pull_the_pitch():
    for formants in ((300, 2200), (700, 1100), (500, 1500)):
        sound = voiced(120, formants=formants)
        found = prosody.PITCH_REFERENCE * 2 ** (column(sound, "pitch") / column(sound, "voicing"))
        assert np.mean(np.abs(found / 120 - 1) < 0.2) > 0.95


def test_noise_and_silence_have_little_voice():
    noise = (0.1 * np.random.default_rng(1).standard_normal(RATE)).astype(np.float32)
    assert np.median(column(noise, "voicing")) < 0.35
    assert not column(np.zeros(RATE, np.float32), "pitch").any()


def test_a_gain_moves_energy_alone_by_its_decibels():
    sound = voiced(150) + (0.001 * np.random.default_rng(1).standard_normal(RATE)).astype(np.float32)
    quiet, loud = (features.frames(gain * sound, SIX)[4:-4, SIX.places["prosody"]] for gain in (1, 2))
    moved = loud - quiet
    np.testing.assert_allclose(moved[:, prosody.NAMES.index("energy")], 20 * np.log10(2), atol=1e-2)
    np.testing.assert_allclose(np.delete(moved, prosody.NAMES.index("energy"), axis=1), 0, atol=1e-2)


def test_a_darker_voice_has_a_higher_alpha_ratio_and_hammarberg_index():
    bright, dark = voiced(150, formants=(600, 3500)), voiced(150, formants=(300, 800))
    for name in ("alpha_ratio", "hammarberg_index"):
        assert np.median(column(dark, name)) > np.median(column(bright, name)) + 3


def test_prosody_leaves_the_five_families_as_they_are(voice):
    np.testing.assert_array_equal(features.frames(voice, SIX)[:, : len(FIVE.names)], features.frames(voice))
    np.testing.assert_array_equal(
        features.pooled(features.frames(voice, SIX)), features.pooled(features.frames(voice, FIVE))
    )


def test_a_stream_has_the_prosody_of_the_whole_clip(voice):
    stream = features.FrameStream(SIX)
    pieces = [stream.push(piece) for piece in np.array_split(voice, 23)]
    np.testing.assert_array_equal(np.concatenate([*pieces, stream.finish()]), features.frames(voice, SIX))


def test_families_that_are_unknown_or_named_twice_are_refused():
    with pytest.raises(ValueError, match="mfcc, mel"):
        FeatureSet(("mfcc", "jitter"))
    with pytest.raises(ValueError, match="different"):
        FeatureSet(("mfcc", "mfcc"))


def test_a_part_of_the_families_has_their_columns_in_order(voice):
    chosen = FeatureSet(("prosody", "mel"))
    whole, part = features.frames(voice, SIX), features.frames(voice, chosen)
    np.testing.assert_array_equal(part[:, chosen.places["mel"]], whole[:, SIX.places["mel"]])
    np.testing.assert_array_equal(part[:, chosen.places["prosody"]], whole[:, SIX.places["prosody"]])
