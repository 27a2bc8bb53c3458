"""Mains hum is taken out of an utterance, and nothing else is."""

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.audio import SAMPLE_RATE
from edge.features.hum import without_hum

Sound = NDArray[np.float64]


def voice(seconds: float = 3.0) -> Sound:
    """A gliding tone with harmonics, in syllables with pauses: it crosses the lines of the mains, and stays on none."""
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    phase = 2 * np.pi * np.cumsum(120 + 40 * np.sin(2 * np.pi * 0.7 * time)) / SAMPLE_RATE
    tones = sum(np.sin(order * phase) / order for order in range(1, 20))
    return np.asarray(1000 * tones * np.maximum(0, np.sin(2 * np.pi * 1.3 * time)))


def hum(count: int, hz: float, amplitude: float = 200.0) -> Sound:
    phase = 2 * np.pi * hz * np.arange(count) / SAMPLE_RATE
    return np.asarray(sum(amplitude / order * np.sin(order * phase + order) for order in (2, 3, 4, 5)))


def samples(sound: Sound) -> NDArray[np.int16]:
    return np.rint(sound).astype(np.int16)


@pytest.mark.parametrize("hz", [50.0, 60.0])
def test_hum_is_taken_out_of_speech(hz: float) -> None:
    speech = voice()
    disturbance = hum(len(speech), hz)
    left = without_hum(samples(speech + disturbance)) - speech
    assert np.std(left) < 0.2 * np.std(disturbance)


def test_most_of_the_hum_of_mains_that_drift_is_taken_out() -> None:
    speech = voice()
    disturbance = hum(len(speech), 50.02)
    left = without_hum(samples(speech + disturbance)) - speech
    assert np.std(left) < 0.5 * np.std(disturbance)


@pytest.mark.parametrize("seconds", [0.0, 0.05, 0.79, 3.0])
def test_speech_without_hum_stays_as_it_is(seconds: float) -> None:
    speech = samples(voice(seconds))
    assert without_hum(speech) is speech


def test_noise_stays_as_it_is() -> None:
    noise = samples(np.random.default_rng(50).normal(0, 500, 3 * SAMPLE_RATE))
    assert without_hum(noise) is noise


def test_the_loudest_sound_stays_within_its_range() -> None:
    square = np.where(hum(SAMPLE_RATE, 50.0) > 0, 32767, -32768).astype(np.int16)
    left = without_hum(square)
    assert left.dtype == np.int16
    assert left.shape == square.shape
