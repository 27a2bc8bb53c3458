"""The high-pass: against its definition, in pieces, and against the features."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge import features
from edge.audio import BLOCK_SAMPLES, SAMPLE_RATE
from edge.sources.highpass import PASSED_HZ, HighPass, high_passed, high_passed_float

TOLERANCES = {"mfcc": 1e-2, "mel": 1e-3, "chroma": 1e-3, "contrast": 1e-3, "tonnetz": 1e-3}  # as against librosa
NOISE = np.random.default_rng(3).normal(800, 3000, 41 * BLOCK_SAMPLES).astype(np.int16)


def gain_db(hz: float) -> float:
    """Of a tone, once it has settled."""
    tone = np.sin(2 * np.pi * hz * np.arange(8 * SAMPLE_RATE) / SAMPLE_RATE).astype(np.float32)
    settled = slice(3 * SAMPLE_RATE, None)
    return float(20 * np.log10(np.std(high_passed_float(tone)[settled]) / np.std(tone[settled])))


def test_it_is_the_elliptic_filter_that_it_says() -> None:
    signal = pytest.importorskip("scipy.signal", reason="scipy, the reference, is not installed")
    sections = signal.ellip(7, 0.001, 40, PASSED_HZ, "high", fs=SAMPLE_RATE, output="sos")
    expected, _ = signal.sosfilt(sections, NOISE.astype(float), zi=signal.sosfilt_zi(sections) * float(NOISE[0]))
    np.testing.assert_allclose(high_passed_float(NOISE.astype(np.float32)), expected, rtol=0, atol=0.02)
    np.testing.assert_array_less(np.abs(high_passed(NOISE) - np.clip(expected, -32768, 32767)), 0.52)


@pytest.mark.parametrize("peaks", [1, 4096])
def test_what_is_beyond_full_scale_is_clipped_in_loud_sound_and_in_quiet(peaks: int) -> None:
    sound = np.zeros(2 * 4096, np.int16)
    sound[4096 : 4096 + peaks] = np.where(np.arange(peaks) // 50 % 2, -32768, 32767)
    expected = np.rint(HighPass().filter(sound))
    assert peaks == 1 or np.abs(expected).max() > 33_000
    np.testing.assert_array_equal(HighPass().push(sound), expected.clip(-32768, 32767))
    assert np.abs(high_passed(sound) - expected.clip(-32768, 32767)).max() <= 1


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(1, 40), max_size=12))
def test_any_number_of_blocks_at_a_time_gives_the_same_to_the_last_bit(cuts: list[int]) -> None:
    high_pass = HighPass()
    pieces = np.split(NOISE, [cut * BLOCK_SAMPLES for cut in sorted(set(cuts))])
    np.testing.assert_array_equal(np.concatenate([high_pass.push(piece) for piece in pieces]), HighPass().push(NOISE))


def test_a_stream_and_a_whole_recording_differ_by_a_rounding_of_few_samples() -> None:
    difference = np.abs(HighPass().push(NOISE).astype(int) - high_passed(NOISE))
    assert difference.max() <= 1
    assert difference.mean() < 1e-3


def test_mains_hum_loses_99_percent_of_its_amplitude_and_85_hz_nothing() -> None:
    assert max(gain_db(hz) for hz in (16.7, 50, 60)) < -39.9
    assert [gain_db(hz) for hz in (85, 100, 150, 1000, 7900)] == pytest.approx([0] * 5, abs=1.1e-3)


@pytest.mark.parametrize("offset", [-1, 655, 3277, -20000])
def test_nothing_is_left_of_an_offset_from_its_first_sample(offset: int) -> None:
    assert not high_passed(np.full(20 * BLOCK_SAMPLES + 7, offset, np.int16)).any()


@pytest.mark.parametrize("pitch_hz", [105, 210])
def test_no_family_changes_by_more_than_its_tolerance_where_nothing_lies_below_100_hz(pitch_hz: int) -> None:
    """By its magnitude, which ripples by 0.001 dB; its phase delays the lowest harmonics by some milliseconds."""
    seconds = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    tones = [np.sin(2 * np.pi * pitch_hz * order * seconds + order**2) / order for order in range(1, 37)]
    noise = np.fft.rfft(np.random.default_rng(1).normal(0, 1e-3, len(seconds)))
    noise[: 100 * 2] = 0
    before = 0.05 * np.sum(tones, axis=0) + np.fft.irfft(noise)
    gain = np.abs(np.fft.rfft(high_passed_float(np.eye(1, len(seconds), 1000, dtype=np.float32)[0])))
    after = np.fft.irfft(np.fft.rfft(before) * gain)
    ours, theirs = (features.frames(sound.astype(np.float32)) for sound in (after, before))
    change = np.abs(ours - theirs)[2:-2]
    for family, tolerance in TOLERANCES.items():
        # Contrast takes the weakest bins, in which the harmonics nearly cancel out.
        assert np.percentile(change[:, features.FAMILIES[family]], 98) < 1.1 * tolerance, family


def test_wiped_it_begins_another_stream() -> None:
    high_pass = HighPass()
    high_pass.push(NOISE)
    high_pass.wipe()
    np.testing.assert_array_equal(high_pass.push(NOISE), HighPass().push(NOISE))


def test_only_whole_blocks_are_taken() -> None:
    with pytest.raises(ValueError, match="whole blocks of 512"):
        HighPass().push(NOISE[:100])
