"""The 105 acoustic features of a frame, as librosa defines them, from numpy alone: docs/features.md says what and why.

All is double precision up to the last rounding, so that a frame comes out the same whatever its neighbours in a product
of matrices are: a clip in pieces has the features of the whole.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from edge import filters
from edge.audio import SAMPLE_RATE
from edge.spectrum import HOP_SAMPLES, WINDOW_SAMPLES, Array, Samples, full_scale, power_spectra

__all__ = [
    "COUNT",
    "FAMILIES",
    "FRAME_RATE",
    "HOP_SAMPLES",
    "NAMES",
    "POOLED_NAMES",
    "SPECIFICATION",
    "WINDOW_SAMPLES",
    "FrameStream",
    "frames",
    "pooled",
]

FRAME_RATE = SAMPLE_RATE / HOP_SAMPLES  # frames a second
PADDING = WINDOW_SAMPLES // 2  # zeros before and after a clip: frame i is centred on sample i * HOP_SAMPLES

MELS = 40
MEL_FMIN, MEL_FMAX = 0.0, 8000.0  # Hz
AMIN = 1e-10  # the power, or for contrast the magnitude, that counts as silence: -100 dB
CONTRAST_FMIN, CONTRAST_OCTAVES, CONTRAST_QUANTILE = 200.0, 6, 0.02

DECIBELS = 10 / np.log(10)
SMALLEST = float(np.finfo(np.float32).tiny)  # below this a frame has no chroma to normalise
MEL_BANK = filters.mel_bank(SAMPLE_RATE, WINDOW_SAMPLES, MELS, MEL_FMIN, MEL_FMAX)
_MEL_PARTS = [filters.trimmed(part) for part in np.hsplit(MEL_BANK, 4)]  # a triangle is zero nearly everywhere
CHROMA_BANK = filters.chroma_bank(SAMPLE_RATE, WINDOW_SAMPLES)
DCT = filters.dct(MELS)
TONNETZ = filters.tonnetz_projection()
CONTRAST_BANDS = filters.contrast_bands(SAMPLE_RATE, WINDOW_SAMPLES, CONTRAST_FMIN, CONTRAST_OCTAVES, CONTRAST_QUANTILE)
_VALLEYS = [np.arange(band.start, band.start + count) for band, count in CONTRAST_BANDS]
_PEAKS = [np.arange(band.stop - count, band.stop) for band, count in CONTRAST_BANDS]
_EXTREMES = np.concatenate(_VALLEYS + _PEAKS)  # where they lie once each band is sorted
_COUNTS = np.array([len(bins) for bins in _VALLEYS + _PEAKS])
_STARTS = np.cumsum(_COUNTS) - _COUNTS


@dataclass(frozen=True)
class Spectrum:
    """The power spectra of some frames, float64 [frames, BINS], and what more than one family needs of them."""

    power: Array

    @cached_property
    def log_mel(self) -> Array:
        """Decibels in 40 mel bands."""
        return decibels(np.concatenate([self.power[:, bins] @ bank for bins, bank in _MEL_PARTS], axis=1))

    @cached_property
    def chroma(self) -> Array:
        """Power in 12 pitch classes, the strongest being 1; silence has none."""
        power = self.power @ CHROMA_BANK
        chroma: Array = power / _length(power.max(axis=1, keepdims=True))
        return chroma


def decibels(power: Array) -> Array:
    """10 log10 of a power, no lower than that of ``AMIN``; no reference, no maximum of the clip."""
    level: Array = DECIBELS * np.log(np.maximum(power, AMIN))
    return level


def mfcc(spectrum: Spectrum) -> Array:
    """All 40 coefficients of the log-mel spectrum's DCT."""
    coefficients: Array = spectrum.log_mel @ DCT
    return coefficients


def contrast(spectrum: Spectrum) -> Array:
    """Decibels between the mean magnitudes of the strongest and of the weakest few bins of each octave band."""
    ordered = spectrum.power.astype(np.float32)  # sorts twice as fast
    for band, _ in CONTRAST_BANDS:
        ordered[:, band].sort(axis=1)
    magnitudes = np.sqrt(ordered.take(_EXTREMES, axis=1), dtype=np.float64)
    level = decibels(np.add.reduceat(magnitudes, _STARTS, axis=1) / _COUNTS)
    bands = len(CONTRAST_BANDS)
    return level[:, bands:] - level[:, :bands]


def tonnetz(spectrum: Spectrum) -> Array:
    """Chroma, summing to 1, on the circles of fifths, minor and major thirds."""
    chroma = spectrum.chroma
    positions: Array = chroma / _length(chroma.sum(axis=1, keepdims=True)) @ TONNETZ
    return positions


def _length(norm: Array) -> Array:
    """What to divide by: silence is left as it is."""
    norm[norm < SMALLEST] = 1
    return norm


@dataclass(frozen=True)
class Family:
    """Features that belong together: what each is called, how to compute them, and whether they describe tone.

    ``compute`` maps a spectrum to float64 [frames, len(names)]. Of tonal features the pooled profile keeps more than
    the mean.
    """

    names: tuple[str, ...]
    compute: Callable[[Spectrum], Array]
    tonal: bool


_PITCH_CLASSES = ("c", "c_sharp", "d", "d_sharp", "e", "f", "f_sharp", "g", "g_sharp", "a", "a_sharp", "b")
_CONTRAST_EDGES = (0, *(round(CONTRAST_FMIN) * 2**octave for octave in range(CONTRAST_OCTAVES)))
_CIRCLES = ("fifth_x", "fifth_y", "minor_x", "minor_y", "major_x", "major_y")

_FAMILIES = {
    "mfcc": Family(tuple(f"mfcc_{i}" for i in range(MELS)), mfcc, tonal=False),
    "mel": Family(tuple(f"mel_{i}" for i in range(MELS)), lambda spectrum: spectrum.log_mel, tonal=False),
    "chroma": Family(tuple(f"chroma_{c}" for c in _PITCH_CLASSES), lambda spectrum: spectrum.chroma, tonal=True),
    "contrast": Family(tuple(f"contrast_{hz}hz" for hz in _CONTRAST_EDGES), contrast, tonal=True),
    "tonnetz": Family(tuple(f"tonnetz_{axis}" for axis in _CIRCLES), tonnetz, tonal=True),
}

NAMES: tuple[str, ...] = tuple(name for family in _FAMILIES.values() for name in family.names)
COUNT = len(NAMES)
_ENDS = accumulate(len(family.names) for family in _FAMILIES.values())
FAMILIES: dict[str, slice] = {
    name: slice(end - len(family.names), end) for (name, family), end in zip(_FAMILIES.items(), _ENDS, strict=True)
}

_TONAL = np.array([NAMES.index(name) for family in _FAMILIES.values() if family.tonal for name in family.names])
POOLED_NAMES: tuple[str, ...] = (
    *(f"{name}_mean" for name in NAMES),
    *(f"{NAMES[index]}_{statistic}" for statistic in ("std", "min", "max") for index in _TONAL),
)

SPECIFICATION: dict[str, object] = {
    "version": 1,
    "sample_rate": SAMPLE_RATE,
    "window": "hann",
    "window_samples": WINDOW_SAMPLES,
    "hop_samples": HOP_SAMPLES,
    "padding": "zeros, centred",
    "mel": {"bands": MELS, "fmin": MEL_FMIN, "fmax": MEL_FMAX, "scale": "slaney", "norm": "slaney"},
    "decibels": {"amin": AMIN, "reference": 1.0, "top_db": None},
    "mfcc": {"transform": "dct-ii", "norm": "ortho"},
    "chroma": {"tuning_hz": 440.0, "norm": "inf", "centre_octave": filters.CHROMA_CENTRE_OCTAVE,
               "octaves": filters.CHROMA_OCTAVES},
    "contrast": {"fmin": CONTRAST_FMIN, "octaves": CONTRAST_OCTAVES, "quantile": CONTRAST_QUANTILE},
    "tonnetz": {"from": "chroma", "norm": 1},
    "families": {name: len(family.names) for name, family in _FAMILIES.items()},
    "tonal": [name for name, family in _FAMILIES.items() if family.tonal],
}  # fmt: skip
"""What a model was trained on, as JSON values: a bundle stores it, and a device with another one refuses the bundle."""


def frames(samples: Samples) -> NDArray[np.float32]:
    """The features of a whole clip.

    ``samples`` are mono at 16 kHz: floating point in -1..1, or int16 [n]. Returns float32
    [1 + n // HOP_SAMPLES, COUNT]; frame i is centred on sample i * HOP_SAMPLES, and what lies outside the clip is zero.
    """
    return _analyse(_checked(samples), -PADDING, 1 + len(samples) // HOP_SAMPLES)


class FrameStream:
    """The same frames as of the whole clip, from pieces of any size."""

    def __init__(self) -> None:
        self._pending = np.zeros(PADDING)

    def push(self, samples: Samples) -> NDArray[np.float32]:
        """The frames whose last sample has now come: float32 [0 or more, COUNT]."""
        pending = np.concatenate([self._pending, _checked(samples) * full_scale(samples)])
        result = _analyse(pending, 0, max(0, 1 + (len(pending) - WINDOW_SAMPLES) // HOP_SAMPLES))
        self._pending = pending[len(result) * HOP_SAMPLES :].copy()
        return result

    def finish(self) -> NDArray[np.float32]:
        """The last frames, which reach past the end; then the stream is ready for another clip."""
        pending, self._pending = self._pending, np.zeros(PADDING)
        return _analyse(pending, 0, 1 + (len(pending) - PADDING) // HOP_SAMPLES)


def pooled(frames: NDArray[np.float32]) -> NDArray[np.float32]:
    """Statistics over time: float32 [frames, COUNT] -> float32 [len(POOLED_NAMES)].

    The mean of every feature, then standard deviation, minimum and maximum of the tonal ones.
    """
    tonal = frames[:, _TONAL]
    mean, spread = frames.mean(axis=0, dtype=np.float64), tonal.std(axis=0, dtype=np.float64)
    return np.concatenate([mean, spread, tonal.min(axis=0), tonal.max(axis=0)]).astype(np.float32)


def _checked(samples: Samples) -> Samples:
    if samples.ndim != 1:
        raise ValueError(f"samples must be mono, of shape [n], not {list(samples.shape)}; mix them down first")
    if samples.dtype != np.int16 and samples.dtype.kind != "f":
        raise TypeError(f"samples must be floating point in -1..1 or int16, not {samples.dtype}")
    return samples


def _analyse(samples: Samples, begin: int, count: int) -> NDArray[np.float32]:
    """``count`` frames, the first from sample ``begin`` on."""
    result = np.empty((count, COUNT), np.float32)
    start = 0
    for power in power_spectra(samples, begin, count):
        spectrum = Spectrum(power)
        rows = result[start : start + len(power)]
        for name, family in _FAMILIES.items():
            rows[:, FAMILIES[name]] = family.compute(spectrum)
        start += len(power)
    return result
