"""The acoustic features of a frame, 105 as librosa defines them and 5 of prosody, from numpy alone: docs/features.md.

Everything is in double precision up to the last rounding. A frame therefore does not depend on the other rows of a
product of matrices, and a clip in pieces has the same features as the whole.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

from edge.audio import SAMPLE_RATE
from edge.features import filters, log_mel, prosody
from edge.features.spectrum import (
    BLOCK_FRAMES,
    HOP_SAMPLES,
    WINDOW_SAMPLES,
    Array,
    Samples,
    full_scale,
    power_spectra,
)

__all__ = [
    "COUNT",
    "FAMILIES",
    "FIVE",
    "FRAME_RATE",
    "HOP_SAMPLES",
    "LOG_MEL",
    "NAMES",
    "POOLED_NAMES",
    "SIX",
    "SPECIFICATION",
    "WINDOW_SAMPLES",
    "FeatureSet",
    "FrameStream",
    "frames",
    "of_power",
    "pooled",
    "power_of",
]

FRAME_RATE = SAMPLE_RATE / HOP_SAMPLES  # frames a second
PADDING = WINDOW_SAMPLES // 2  # zeros before and after a clip: frame i is centred on sample i * HOP_SAMPLES

MELS = 40
MEL_FMIN, MEL_FMAX = 0.0, 8000.0  # Hz
AMIN = 1e-10  # power (for contrast: magnitude) of silence: -100 dB
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
_EXTREMES = np.concatenate(_VALLEYS + _PEAKS)  # their bins after each band is sorted
_COUNTS = np.array([len(bins) for bins in _VALLEYS + _PEAKS])
_STARTS = np.cumsum(_COUNTS) - _COUNTS


@dataclass(frozen=True)
class Spectrum:
    """Power spectra, float64 [frames, BINS], and what several families derive from them, computed once."""

    power: Array

    @cached_property
    def log_mel(self) -> Array:
        """Level in 40 mel bands, dB: float64 [frames, MELS]."""
        return decibels(np.concatenate([self.power[:, bins] @ bank for bins, bank in _MEL_PARTS], axis=1))

    @cached_property
    def chroma(self) -> Array:
        """Power in 12 pitch classes, relative to the strongest: float64 [frames, 12]. Silence is all zeros."""
        power = self.power @ CHROMA_BANK
        chroma: Array = power / _length(power.max(axis=1, keepdims=True))
        return chroma


def decibels(power: Array) -> Array:
    """10 log10 of a power of at least ``AMIN``: dB relative to 1, whatever the clip's maximum."""
    level: Array = DECIBELS * np.log(np.maximum(power, AMIN))
    return level


def mfcc(spectrum: Spectrum) -> Array:
    """All 40 coefficients of the log-mel spectrum's DCT: float64 [frames, MELS]."""
    coefficients: Array = spectrum.log_mel @ DCT
    return coefficients


def contrast(spectrum: Spectrum) -> Array:
    """Spectral contrast, dB: strongest over weakest bins of each octave band, float64 [frames, bands]."""
    ordered = spectrum.power.astype(np.float32)  # sorts twice as fast
    for band, _ in CONTRAST_BANDS:
        ordered[:, band].sort(axis=1)
    magnitudes = np.sqrt(ordered.take(_EXTREMES, axis=1), dtype=np.float64)
    level = decibels(np.add.reduceat(magnitudes, _STARTS, axis=1) / _COUNTS)
    bands = len(CONTRAST_BANDS)
    return level[:, bands:] - level[:, :bands]


def tonnetz(spectrum: Spectrum) -> Array:
    """Chroma, summing to 1, on the circles of fifths, minor and major thirds: float64 [frames, 6]."""
    chroma = spectrum.chroma
    positions: Array = chroma / _length(chroma.sum(axis=1, keepdims=True)) @ TONNETZ
    return positions


def _length(norm: Array) -> Array:
    """The divisor: 1 for silence, so that it stays as it is."""
    norm[norm < SMALLEST] = 1
    return norm


@dataclass(frozen=True)
class Family:
    """Features that belong together: their names, how to compute them, and whether they are tonal.

    ``compute`` maps a spectrum to float64 [frames, len(names)]. Of tonal features the pooled profile keeps standard
    deviation, minimum and maximum, of the others only the mean.
    """

    names: tuple[str, ...]
    compute: Callable[[Spectrum], Array]
    tonal: bool


_PITCH_CLASSES = ("c", "c_sharp", "d", "d_sharp", "e", "f", "f_sharp", "g", "g_sharp", "a", "a_sharp", "b")
_CONTRAST_EDGES = (0, *(round(CONTRAST_FMIN) * 2**octave for octave in range(CONTRAST_OCTAVES)))
_CIRCLES = ("fifth_x", "fifth_y", "minor_x", "minor_y", "major_x", "major_y")

SPEECH = "speech"
"""What a pretrained network hears beyond the others."""

_FAMILIES = {
    "mfcc": Family(tuple(f"mfcc_{i}" for i in range(MELS)), mfcc, tonal=False),
    "mel": Family(tuple(f"mel_{i}" for i in range(MELS)), lambda spectrum: spectrum.log_mel, tonal=False),
    "chroma": Family(tuple(f"chroma_{c}" for c in _PITCH_CLASSES), lambda spectrum: spectrum.chroma, tonal=True),
    "contrast": Family(tuple(f"contrast_{hz}hz" for hz in _CONTRAST_EDGES), contrast, tonal=True),
    "tonnetz": Family(tuple(f"tonnetz_{axis}" for axis in _CIRCLES), tonnetz, tonal=True),
    "prosody": Family(
        tuple(f"prosody_{name}" for name in prosody.NAMES),
        lambda spectrum: prosody.prosody(spectrum.power),
        tonal=False,
    ),
}

_PARAMETERS: dict[str, object] = {
    "mel": {"bands": MELS, "fmin": MEL_FMIN, "fmax": MEL_FMAX, "scale": "slaney", "norm": "slaney"},
    "mfcc": {"transform": "dct-ii", "norm": "ortho"},
    "chroma": {"tuning_hz": 440.0, "norm": "inf", "centre_octave": filters.CHROMA_CENTRE_OCTAVE,
               "octaves": filters.CHROMA_OCTAVES},
    "contrast": {"fmin": CONTRAST_FMIN, "octaves": CONTRAST_OCTAVES, "quantile": CONTRAST_QUANTILE},
    "tonnetz": {"from": "chroma", "norm": 1},
    "prosody": prosody.SPECIFICATION,
    SPEECH: log_mel.SPECIFICATION,
}  # fmt: skip


@dataclass(frozen=True)
class FeatureSet:
    """An ordered selection of families: the columns of a frame. A bundle names the one that it was trained on."""

    families: tuple[str, ...]
    speech: int = 0
    """Columns of the family ``speech``, the last, which a bundle's encoder computes; 0 without it."""

    def __post_init__(self) -> None:
        if self.speech < 0 or (SPEECH in self.families) != (self.speech > 0) or SPEECH in self.families[:-1]:
            raise ValueError(
                f"the family {SPEECH} comes last and has columns, not {self.speech} in {list(self.families)}"
            )
        known = self.hand_made
        if any(name not in _FAMILIES for name in known) or len(set(known)) < len(known):
            raise ValueError(f"families must be different ones of {', '.join(_FAMILIES)}, not {list(known)}")

    @cached_property
    def hand_made(self) -> tuple[str, ...]:
        """The families that are computed here."""
        return self.families[:-1] if self.speech else self.families

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The name of each column."""
        own = tuple(name for family in self.hand_made for name in _FAMILIES[family].names)
        return (*own, *(f"{SPEECH}_{place}" for place in range(self.speech)))

    @cached_property
    def places(self) -> dict[str, slice]:
        """The columns of each family."""
        widths = [self.speech if family == SPEECH else len(_FAMILIES[family].names) for family in self.families]
        ends = accumulate(widths, initial=0)
        return {family: slice(*ends) for family, ends in zip(self.families, pairwise(ends), strict=True)}

    @cached_property
    def specification(self) -> dict[str, object]:
        """The definition as JSON values. A device whose definition differs refuses a bundle."""
        return {
            "version": 1,
            "sample_rate": SAMPLE_RATE,
            "window": "hann",
            "window_samples": WINDOW_SAMPLES,
            "hop_samples": HOP_SAMPLES,
            "padding": "zeros, centred",
            "decibels": {"amin": AMIN, "reference": 1.0, "top_db": None},
            **{family: _PARAMETERS[family] for family in self.families},
            "families": {family: place.stop - place.start for family, place in self.places.items()},
            "tonal": [family for family in self.hand_made if _FAMILIES[family].tonal],
        }


FIVE = FeatureSet(("mfcc", "mel", "chroma", "contrast", "tonnetz"))
"""The 105 features of librosa."""
SIX = FeatureSet((*FIVE.families, "prosody"))
"""All 110: the 105 of ``FIVE``, then prosody."""
LOG_MEL = FeatureSet(("mel",))
"""The log-mel spectrum alone, for pictures."""

NAMES, COUNT, FAMILIES, SPECIFICATION = FIVE.names, len(FIVE.names), FIVE.places, FIVE.specification

_TONAL = np.array([NAMES.index(name) for family in _FAMILIES.values() if family.tonal for name in family.names])
POOLED_NAMES: tuple[str, ...] = (
    *(f"{name}_mean" for name in NAMES),
    *(f"{NAMES[index]}_{statistic}" for statistic in ("std", "min", "max") for index in _TONAL),
)


def frames(samples: Samples, chosen: FeatureSet = FIVE) -> NDArray[np.float32]:
    """The hand-made features of a whole clip.

    ``samples`` are mono at 16 kHz: floating point in -1..1, or int16 [n]. Returns float32
    [1 + n // HOP_SAMPLES, hand-made columns]; frame i is centred on sample i * HOP_SAMPLES. Samples outside the clip
    are zero.
    """
    return _analyse(_checked(samples), -PADDING, 1 + len(samples) // HOP_SAMPLES, chosen)


class FrameStream:
    """The frames of a clip that comes in pieces of any size; they equal those of the whole clip."""

    def __init__(self, chosen: FeatureSet = FIVE) -> None:
        self._chosen = chosen
        self._pending = np.zeros(PADDING)

    def push(self, samples: Samples) -> NDArray[np.float32]:
        """The frames that ``samples`` completes: float32 [0 or more, features]."""
        pending = np.concatenate([self._pending, _checked(samples) * full_scale(samples)])
        result = _analyse(pending, 0, max(0, 1 + (len(pending) - WINDOW_SAMPLES) // HOP_SAMPLES), self._chosen)
        self._pending = pending[len(result) * HOP_SAMPLES :].copy()
        return result

    def finish(self) -> NDArray[np.float32]:
        """The last frames, which reach past the end; then the stream is ready for another clip."""
        pending, self._pending = self._pending, np.zeros(PADDING)
        return _analyse(pending, 0, 1 + (len(pending) - PADDING) // HOP_SAMPLES, self._chosen)


def pooled(frames: NDArray[np.float32]) -> NDArray[np.float32]:
    """Statistics over time of the five families: float32 [frames, COUNT or more] -> float32 [len(POOLED_NAMES)].

    The mean of every feature, then standard deviation, minimum and maximum of the tonal ones.
    """
    tonal = frames[:, _TONAL]
    mean, spread = frames[:, :COUNT].mean(axis=0, dtype=np.float64), tonal.std(axis=0, dtype=np.float64)
    return np.concatenate([mean, spread, tonal.min(axis=0), tonal.max(axis=0)]).astype(np.float32)


def _checked(samples: Samples) -> Samples:
    if samples.ndim != 1:
        raise ValueError(f"samples must be mono, of shape [n], not {list(samples.shape)}; mix them down first")
    if samples.dtype != np.int16 and samples.dtype.kind != "f":
        raise TypeError(f"samples must be floating point in -1..1 or int16, not {samples.dtype}")
    return samples


def of_power(power: Array, chosen: FeatureSet = FIVE) -> NDArray[np.float32]:
    """The hand-made features of power spectra float64 [frames, BINS]: float32 [frames, hand-made columns]."""
    result = np.empty((len(power), len(chosen.names) - chosen.speech), np.float32)
    for start in range(0, len(power), BLOCK_FRAMES):
        _fill(result[start : start + BLOCK_FRAMES], power[start : start + BLOCK_FRAMES], chosen)
    return result


def power_of(samples: Samples) -> Array:
    """The power spectra of a whole clip, float64 [1 + n // HOP_SAMPLES, BINS]: ``frames`` before any family."""
    count = 1 + len(samples) // HOP_SAMPLES
    return np.concatenate([power.copy() for power in power_spectra(_checked(samples), -PADDING, count)])


def _analyse(samples: Samples, begin: int, count: int, chosen: FeatureSet) -> NDArray[np.float32]:
    """``count`` frames, the first from sample ``begin`` on."""
    result = np.empty((count, len(chosen.names) - chosen.speech), np.float32)
    start = 0
    for power in power_spectra(samples, begin, count):
        _fill(result[start : start + len(power)], power, chosen)
        start += len(power)
    return result


def _fill(rows: NDArray[np.float32], power: Array, chosen: FeatureSet) -> None:
    """The features of a block of power spectra, into ``rows``."""
    spectrum = Spectrum(power)
    for name in chosen.hand_made:
        rows[:, chosen.places[name]] = _FAMILIES[name].compute(spectrum)
