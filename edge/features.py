"""The 105 acoustic features of a frame, as librosa defines them, from numpy alone: docs/features.md says what and why.

Everything before the last rounding is double precision: in single precision the FFT's own noise, 140 dB below the
loudest bin, would fill the valleys of the spectrum that contrast and MFCC measure.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from edge import filters
from edge.audio import SAMPLE_RATE

Samples = NDArray[np.floating] | NDArray[np.int16]

WINDOW_SAMPLES = 1024  # 64 ms: bins 15.6 Hz apart, so that semitones are apart from about 260 Hz on
HOP_SAMPLES = 256  # 16 ms: four windows over every sample
FRAME_RATE = SAMPLE_RATE / HOP_SAMPLES  # frames a second
PADDING = WINDOW_SAMPLES // 2  # zeros before and after a clip: frame i is centred on sample i * HOP_SAMPLES

MELS = 40
MEL_FMIN, MEL_FMAX = 0.0, 8000.0  # Hz
AMIN = 1e-10  # the power, or for contrast the magnitude, that counts as silence: -100 dB
CONTRAST_FMIN, CONTRAST_OCTAVES, CONTRAST_QUANTILE = 200.0, 6, 0.02

BLOCK_FRAMES = 32  # frames computed at a time: their spectra stay in the second-level cache
FULL_SCALE = 32768  # of int16
DECIBELS = 10 / np.log(10)
SMALLEST = float(np.finfo(np.float32).tiny)  # below this a frame has no chroma to normalise

WINDOW = 0.5 - 0.5 * np.cos(2 * np.pi / WINDOW_SAMPLES * np.arange(WINDOW_SAMPLES))  # periodic Hann
MEL_BANK = filters.mel_bank(SAMPLE_RATE, WINDOW_SAMPLES, MELS, MEL_FMIN, MEL_FMAX)
BANKS = np.concatenate([MEL_BANK, filters.chroma_bank(SAMPLE_RATE, WINDOW_SAMPLES)], axis=1)  # one product for both
DCT = filters.dct(MELS)
TONNETZ = filters.tonnetz_projection()
CONTRAST_BANDS = filters.contrast_bands(SAMPLE_RATE, WINDOW_SAMPLES, CONTRAST_FMIN, CONTRAST_OCTAVES, CONTRAST_QUANTILE)


def decibels(power: NDArray[np.float64]) -> NDArray[np.float64]:
    """10 log10 of a power, no lower than that of ``AMIN``; no reference, no maximum of the clip."""
    level: NDArray[np.float64] = DECIBELS * np.log(np.maximum(power, AMIN))
    return level


class Spectrum:
    """The power spectra of some frames, float64 [frames, 513], and what more than one family needs of them."""

    def __init__(self, power: NDArray[np.float64]) -> None:
        self.power = power

    @cached_property
    def _filtered(self) -> NDArray[np.float64]:
        filtered: NDArray[np.float64] = self.power @ BANKS
        return filtered

    @cached_property
    def log_mel(self) -> NDArray[np.float64]:
        """Decibels in 40 mel bands."""
        return decibels(self._filtered[:, :MELS])

    @cached_property
    def chroma(self) -> NDArray[np.float64]:
        """Power in 12 pitch classes, the strongest being 1; silence has none."""
        chroma = self._filtered[:, MELS:].copy()
        strongest = chroma.max(axis=1, keepdims=True)
        strongest[strongest < SMALLEST] = 1
        chroma /= strongest
        return chroma


def mfcc(spectrum: Spectrum) -> NDArray[np.float64]:
    """All 40 coefficients of the log-mel spectrum's DCT."""
    return spectrum.log_mel @ DCT


def contrast(spectrum: Spectrum) -> NDArray[np.float64]:
    """Decibels between the strongest and the weakest bins of each octave band."""
    return decibels(_extremes(spectrum.power, strongest=True)) - decibels(_extremes(spectrum.power, strongest=False))


def _extremes(power: NDArray[np.float64], *, strongest: bool) -> NDArray[np.float64]:
    """Mean magnitude of the strongest, or weakest, few bins of each band: [frames, 7]."""
    means = np.empty((len(power), len(CONTRAST_BANDS)))
    for index, (bins, count) in enumerate(CONTRAST_BANDS):
        band = power[:, bins]
        if strongest:
            chosen = np.partition(band, -count, axis=1)[:, -count:]
        else:
            chosen = np.partition(band, count - 1, axis=1)[:, :count]
        means[:, index] = np.sqrt(chosen).mean(axis=1)
    return means


def tonnetz(spectrum: Spectrum) -> NDArray[np.float64]:
    """Chroma, summing to 1, on the circles of fifths, minor and major thirds."""
    total = spectrum.chroma.sum(axis=1, keepdims=True)
    total[total < SMALLEST] = 1
    positions: NDArray[np.float64] = (spectrum.chroma / total) @ TONNETZ
    return positions


@dataclass(frozen=True)
class Family:
    """Features that belong together: what each is called, how to compute them, and whether they describe tone.

    ``compute`` maps a spectrum to float64 [frames, len(names)]. Of tonal features the pooled profile keeps more than
    the mean.
    """

    names: tuple[str, ...]
    compute: Callable[[Spectrum], NDArray[np.float64]]
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
    samples = _checked(samples)
    silence = np.zeros(PADDING, samples.dtype)
    return _analyse(np.concatenate([silence, samples, silence]))


class FrameStream:
    """The same frames, from samples that come in pieces of any size.

    All pieces must be of one type, floating point or int16.
    """

    def __init__(self) -> None:
        self._pending: Samples | None = None

    def push(self, samples: Samples) -> NDArray[np.float32]:
        """The frames whose last sample has now come: float32 [0 or more, COUNT]."""
        samples = _checked(samples)
        before = np.zeros(PADDING, samples.dtype) if self._pending is None else self._pending
        pending = np.concatenate([before, samples])
        result = _analyse(pending)
        self._pending = pending[len(result) * HOP_SAMPLES :].copy()
        return result

    def finish(self) -> NDArray[np.float32]:
        """The last frames, reaching past the end; the stream is then ready for the next clip."""
        pending = self._pending if self._pending is not None else np.zeros(PADDING, np.float32)
        self._pending = None
        return _analyse(np.concatenate([pending, np.zeros(PADDING, pending.dtype)]))


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


def _analyse(padded: Samples) -> NDArray[np.float32]:
    """Every frame that lies whole within the samples."""
    count = max(0, 1 + (len(padded) - WINDOW_SAMPLES) // HOP_SAMPLES)
    result = np.empty((count, COUNT), np.float32)
    if count == 0:
        return result
    window = WINDOW / FULL_SCALE if padded.dtype == np.int16 else WINDOW
    views = np.lib.stride_tricks.sliding_window_view(padded, WINDOW_SAMPLES)[::HOP_SAMPLES]
    size = min(count, BLOCK_FRAMES)
    windowed = np.empty((size, WINDOW_SAMPLES))
    bins = np.empty((size, WINDOW_SAMPLES // 2 + 1), np.complex128)
    for start in range(0, count, BLOCK_FRAMES):
        block = views[start : start + BLOCK_FRAMES]
        np.multiply(block, window, out=windowed[: len(block)])
        np.fft.rfft(windowed[: len(block)], axis=1, out=bins[: len(block)])
        squares = bins[: len(block)].view(np.float64)
        np.square(squares, out=squares)
        spectrum = Spectrum(squares[:, 0::2] + squares[:, 1::2])
        for name, family in _FAMILIES.items():
            result[start : start + len(block), FAMILIES[name]] = family.compute(spectrum)
    return result
