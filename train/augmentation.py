"""Augmented copies of a waveform; each stays with its original and is seeded by it."""

from io import BytesIO

import librosa
import numpy as np
import scipy.signal
import soundfile
from numpy.typing import NDArray

from edge.audio import SAMPLE_RATE
from train.recordings import Change

Floats = NDArray[np.float32]


def pitch(samples: Floats, generator: np.random.Generator) -> Floats:
    """Up to three semitones higher or lower, no faster."""
    steps = generator.uniform(-3, 3)
    shifted: Floats = librosa.effects.pitch_shift(samples, sr=SAMPLE_RATE, n_steps=steps, res_type="soxr_mq")
    return shifted


def stretch(samples: Floats, generator: np.random.Generator) -> Floats:
    """Up to a fifth faster or slower, no higher."""
    stretched: Floats = librosa.effects.time_stretch(samples, rate=generator.uniform(0.8, 1.2))
    return stretched


def speed(samples: Floats, generator: np.random.Generator) -> Floats:
    """Up to three semitones higher or lower, formants and all, and as much faster or slower: another throat."""
    factor = 2 ** (generator.uniform(-3, 3) / 12)
    resampled: Floats = librosa.resample(
        samples, orig_sr=SAMPLE_RATE * factor, target_sr=SAMPLE_RATE, res_type="soxr_mq"
    )
    return resampled


def noise(samples: Floats, generator: np.random.Generator) -> Floats:
    """Noise between white and brown, 5 to 25 dB below the speech."""
    coloured = _noise(len(samples), generator.uniform(0, 2), generator)
    level = np.sqrt(np.mean(np.square(samples)) + 1e-12) * 10 ** (-generator.uniform(5, 25) / 20)
    return np.asarray(samples + level * coloured, np.float32)


def room(samples: Floats, generator: np.random.Generator) -> Floats:
    """A room of 0.15 to 0.6 s, an echo 0 to 12 dB below the direct sound, another level, and a little noise."""
    decay = generator.uniform(0.15, 0.6)
    time = np.arange(int(decay * SAMPLE_RATE)) / SAMPLE_RATE
    tail = generator.standard_normal(len(time)) * np.exp(-6.9 * time / decay)
    tail[: int(0.002 * SAMPLE_RATE)] = 0
    tail *= 10 ** (-generator.uniform(0, 12) / 20) / np.sqrt(np.sum(np.square(tail)))
    tail[0] = 1
    wet = scipy.signal.fftconvolve(samples, tail)[: len(samples)]
    gain = 10 ** (generator.uniform(-15, 6) / 20)
    level = np.sqrt(np.mean(np.square(wet)) + 1e-12) * 10 ** (-generator.uniform(15, 40) / 20)
    noisy = wet + level * _noise(len(samples), 1, generator)
    return np.asarray(np.clip(gain * noisy, -1, 1), np.float32)


CODECS = {("WAV", "ULAW"): 8_000, ("WAV", "GSM610"): 8_000, ("OGG", "VORBIS"): SAMPLE_RATE}
"""What a voice is sent through, and at which rate, Hz: a wired telephone, a mobile one, and the poorest of streams."""


def codec(samples: Floats, generator: np.random.Generator) -> Floats:
    """Through one of ``CODECS`` and back; sounds outside [-1, 1] are clipped on the way."""
    (container, subtype), rate = list(CODECS.items())[generator.integers(len(CODECS))]
    sent = librosa.resample(samples, orig_sr=SAMPLE_RATE, target_sr=rate, res_type="soxr_mq")
    file = BytesIO()
    quality = {"compression_level": 1.0} if subtype == "VORBIS" else {}
    soundfile.write(file, np.clip(sent, -1, 1), rate, format=container, subtype=subtype, **quality)
    file.seek(0)
    heard = soundfile.read(file, dtype="float32")[0]
    back: Floats = librosa.resample(heard, orig_sr=rate, target_sr=SAMPLE_RATE, res_type="soxr_mq")
    return librosa.util.fix_length(back, size=len(samples))


def _noise(count: int, slope: float, generator: np.random.Generator) -> NDArray[np.float64]:
    """Noise of unit power whose spectrum falls by ``slope`` times 3 dB an octave."""
    spectrum = np.fft.rfft(generator.standard_normal(count))
    shaped = np.fft.irfft(spectrum / np.maximum(np.arange(len(spectrum)), 8) ** (slope / 2), count)
    return np.asarray(shaped / np.sqrt(np.mean(np.square(shaped)) + 1e-12))


CHANGES: dict[str, Change] = {
    "pitch": pitch,
    "stretch": stretch,
    "speed": speed,
    "noise": noise,
    "room": room,
    "codec": codec,
}
