"""What a microphone does to a sound, and what the high-pass takes out of it again."""

import numpy as np
import pytest
import scipy.signal

from edge import features
from edge.sources.highpass import high_passed_float
from train import microphones


@pytest.fixture
def hiss() -> np.ndarray:
    return (0.05 * np.random.default_rng(1).standard_normal(24_000)).astype(np.float32)


def test_noise_lies_as_far_below_as_asked_for(hiss: np.ndarray) -> None:
    noise = np.random.default_rng(2).standard_normal(24_000)
    added = microphones.behind(hiss, noise / microphones.rms(noise), 12) - hiss
    assert 20 * np.log10(microphones.rms(hiss) / microphones.rms(added)) == pytest.approx(12, abs=0.05)


def test_a_level_is_the_one_asked_for(hiss: np.ndarray) -> None:
    assert 20 * np.log10(microphones.rms(microphones.at_level(hiss, -35))) == pytest.approx(-35, abs=0.01)


def test_silence_stays_silence() -> None:
    silence = np.zeros(8000, np.float32)
    assert microphones.rms(microphones.at_level(silence, -20)) < 1e-5
    np.testing.assert_array_equal(microphones.quantised(silence), silence)


def test_int16_is_what_comes_out(hiss: np.ndarray) -> None:
    steps = microphones.quantised(30 * hiss) * microphones.STEPS
    np.testing.assert_array_equal(steps, np.round(steps))
    assert (steps.min(), steps.max()) == (-32_768, 32_767)


def test_gain_control_evens_out_what_is_quiet_and_what_is_loud(hiss: np.ndarray) -> None:
    sound = np.concatenate([0.02 * hiss, hiss])
    for seed in range(5):
        even = microphones.gain_control(sound, np.random.default_rng(seed))
        quiet, loud = (microphones.rms(part) for part in (even[16_000:24_000], even[40_000:]))
        assert loud / quiet < 40


def test_clipping_flattens_peaks_and_keeps_the_level(hiss: np.ndarray) -> None:
    cut = microphones.clipping(hiss, np.random.default_rng(1))
    assert microphones.rms(cut) == pytest.approx(microphones.rms(hiss), rel=1e-3)
    assert np.abs(cut).max() < np.abs(hiss).max()
    assert (np.abs(cut) > 0.999 * np.abs(cut).max()).sum() > 10


@pytest.mark.parametrize("band", microphones.NARROW)
def test_a_telephone_keeps_4_khz_at_most(band: microphones.Band, hiss: np.ndarray) -> None:
    for seed in range(4):
        heard = band(hiss, np.random.default_rng(seed))
        power = np.abs(np.fft.rfft(heard)) ** 2
        assert len(heard) == len(hiss)
        assert power[6300:].sum() < 0.02 * power.sum()  # above 4.2 kHz


def test_the_high_pass_takes_an_offset_and_most_of_the_hum() -> None:
    generator = np.random.default_rng(3)
    still = np.zeros(32_000, np.float32)
    assert np.abs(high_passed_float(microphones.offset(still, generator))).max() < 1e-6
    wave = 0.1 * np.sin(2 * np.pi * 50 * np.arange(32_000) / 16_000).astype(np.float32)
    assert 20 * np.log10(microphones.rms(high_passed_float(wave)) / microphones.rms(wave)) < -6


@pytest.mark.parametrize(("hertz", "decibels"), [(100, 1.0), (150, 0.3), (200, 0.1), (400, 0.01), (4000, 0.001)])
def test_the_high_pass_leaves_a_voice_alone(hertz: int, decibels: float) -> None:
    wave = np.sin(2 * np.pi * hertz * np.arange(32_000) / 16_000)[..., :].astype(np.float32)
    change = 20 * np.log10(microphones.rms(high_passed_float(wave)[8000:]) / microphones.rms(wave[8000:]))
    assert -decibels <= change <= 0.001


def test_an_offset_reaches_no_feature(hiss: np.ndarray) -> None:
    plain, shifted = (
        features.frames(high_passed_float(sound), features.SIX) for sound in (hiss, hiss + np.float32(0.03))
    )
    np.testing.assert_allclose(plain, shifted, atol=0.05)


def test_a_resonance_has_its_gain_where_it_is_and_none_elsewhere() -> None:
    section = microphones.peaking(1000, 6, 4)
    _, response = scipy.signal.sosfreqz(section, [100, 1000, 5000], fs=16_000)
    np.testing.assert_allclose(20 * np.log10(np.abs(response)), [0, 6, 0], atol=0.1)


def test_no_two_microphones_colour_alike_and_none_keeps_the_lowest_bass(hiss: np.ndarray) -> None:
    heard = [np.abs(np.fft.rfft(microphones.response(hiss, np.random.default_rng(seed)))) ** 2 for seed in range(6)]
    assert all(power[2:10].mean() < 0.3 * power[1000:3000].mean() for power in heard)
    assert np.std([10 * np.log10(power[7500:9000].sum() / power[1500:3000].sum()) for power in heard]) > 1
