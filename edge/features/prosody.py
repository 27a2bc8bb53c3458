"""Prosody: pitch, voicing, loudness and spectral tilt, from power spectra alone.

The cosine transform of the magnitude spectrum is the autocorrelation of a signal with flattened formants. It takes a
formant for the pitch less often than that of the power spectrum (``python -m benchmarks.pitch``).
"""

import numpy as np
from numpy.typing import NDArray

from edge.audio import SAMPLE_RATE
from edge.features.spectrum import WINDOW, WINDOW_SAMPLES

Array = NDArray[np.float64]

NAMES = ("pitch", "voicing", "energy", "alpha_ratio", "hammarberg_index")

PITCH_MIN, PITCH_MAX, PITCH_REFERENCE = 60.0, 500.0, 150.0  # Hz
PITCH_BAND = 2000.0  # Hz: the spectrum below is searched for pitch; above is more noise than voice
OCTAVE_COST = 0.05  # of correlation an octave: of two equal periods the shorter one wins (Boersma, 1993)
ALPHA_BANDS = ((50.0, 1000.0), (1000.0, 5000.0))  # Hz (Eyben et al., The Geneva minimalistic parameter set, 2016)
HAMMARBERG_BANDS = ((0.0, 2000.0), (2000.0, 5000.0))  # Hz (the same)
AMIN = 1e-10  # power of silence: -100 dB

SPECIFICATION: dict[str, object] = {
    "pitch": {"fmin": PITCH_MIN, "fmax": PITCH_MAX, "reference": PITCH_REFERENCE, "band": PITCH_BAND,
              "octave_cost": OCTAVE_COST},
    "alpha_ratio": [list(band) for band in ALPHA_BANDS],
    "hammarberg_index": [list(band) for band in HAMMARBERG_BANDS],
}  # fmt: skip

_BIN_HZ = SAMPLE_RATE / WINDOW_SAMPLES
BINS = round(PITCH_BAND / _BIN_HZ)  # of a spectrum, below that
RATE = SAMPLE_RATE / 2  # Hz, of the correlation's lags: twice what its band needs
SHORTEST, _LONGEST = int(RATE / PITCH_MAX), int(RATE / PITCH_MIN) + 1


def _transform() -> Array:
    """Magnitudes [BINS] to their autocorrelation at the lags [SHORTEST - 1 .. _LONGEST] and, last, at 0.

    An inverse FFT as a matrix, since only a few of its lags are needed. The correlation of the window, a factor of
    every frame's, is divided out.
    """
    lags = np.arange(SHORTEST - 1, _LONGEST + 1)
    window = np.fft.irfft(np.square(np.abs(np.fft.rfft(WINDOW))))
    cosines = np.cos(2 * np.pi * np.outer(np.arange(BINS) * _BIN_HZ, lags / RATE)) * (window[0] / window[2 * lags])
    matrix = np.concatenate([cosines, np.ones((BINS, 1))], axis=1)
    matrix[1:] *= 2  # for the bin of the same negative frequency
    return matrix


TRANSFORM = _transform()
COST = OCTAVE_COST * np.log2(np.arange(SHORTEST, _LONGEST) / SHORTEST)


def pitch(power: Array) -> tuple[Array, Array]:
    """Pitch in Hz and strength of voicing, 0 to 1, of power spectra [frames, bins]: two arrays [frames].

    Without a voice the pitch means nothing and the voicing is low. From 0.35 on both can be trusted.
    """
    correlation = np.sqrt(power[:, :BINS]) @ TRANSFORM
    before, here, after = correlation[:, :-3], correlation[:, 1:-2], correlation[:, 2:-1]
    zero = np.maximum(correlation[:, -1:], np.sqrt(AMIN))
    best = np.where((here >= before) & (here >= after), here - COST * zero, -zero).argmax(axis=1)
    row = np.arange(len(best))
    left, top, right = before[row, best], here[row, best], after[row, best]
    bend = np.minimum(left - 2 * top + right, -np.sqrt(AMIN))
    offset = np.clip(0.5 * (left - right) / bend, -0.5, 0.5)  # of the parabola through three points
    return RATE / (SHORTEST + best + offset), np.clip(top / zero[:, 0], 0.0, 1.0)


def prosody(power: Array) -> Array:
    """The family of power spectra [frames, bins], float64 [frames, len(NAMES)].

    Columns: pitch in octaves from ``PITCH_REFERENCE``, weighted by voicing, so that a frame without voice has pitch 0;
    voicing; energy, dB; alpha ratio, dB of the low over the high band; Hammarberg index, dB between their peaks.
    """
    hertz, voicing = pitch(power)
    energy = power.sum(axis=1)
    bands = [power[:, place(band)].sum(axis=1) for band in ALPHA_BANDS]
    peaks = [power[:, place(band)].max(axis=1) for band in HAMMARBERG_BANDS]
    low = np.log10(np.maximum(np.stack([energy, bands[0], peaks[0]]), AMIN))
    high = np.log10(np.maximum(np.stack([bands[1], peaks[1]]), AMIN))
    return np.stack(
        [
            voicing * np.log2(hertz / PITCH_REFERENCE),
            voicing,
            10 * low[0],
            10 * (low[1] - high[0]),
            10 * (low[2] - high[1]),
        ],
        axis=1,
    )


def place(band: tuple[float, float]) -> slice:
    """The bins of a band in Hz."""
    return slice(round(band[0] / _BIN_HZ), round(band[1] / _BIN_HZ) + 1)
