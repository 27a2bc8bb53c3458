import librosa
import numpy as np
import pytest

from edge.features.log_mel import BANDS, HOP_SAMPLES, log_mel


def reference(samples: np.ndarray) -> np.ndarray:
    """Whisper's own recipe, written with librosa."""
    power = (
        np.abs(
            librosa.stft(samples.astype(np.float64), n_fft=400, hop_length=160, center=True, pad_mode="reflect")[:, :-1]
        )
        ** 2
    )
    bank = librosa.filters.mel(sr=16_000, n_fft=400, n_mels=80, dtype=np.float64)
    level = np.log10(np.maximum(bank @ power, 1e-10))
    return (np.maximum(level, level.max() - 8) + 4) / 4


@pytest.fixture
def samples() -> np.ndarray:
    generator = np.random.default_rng(1)
    return (0.1 * generator.standard_normal(32_000) * np.hanning(32_000)).astype(np.float32)


def test_log_mel_is_whispers(samples: np.ndarray) -> None:
    assert np.abs(log_mel(samples) - reference(samples)).max() < 1e-5


def test_int16_is_the_same_sound(samples: np.ndarray) -> None:
    pcm = np.rint(samples * 32768).astype(np.int16)
    assert np.array_equal(log_mel(pcm), log_mel((pcm / 32768).astype(np.float32)))


@pytest.mark.parametrize("count", [0, 1, 100, 159, 160, 399, 400, 401])
def test_a_clip_shorter_than_a_window_has_a_frame(count: int) -> None:
    found = log_mel(np.ones(count, np.float32) * 0.1)
    assert found.shape == (BANDS, max(1, count // HOP_SAMPLES))
    assert np.isfinite(found).all()
