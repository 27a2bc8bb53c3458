"""The constant matrices from a power spectrum to its features, as librosa 0.11 defines them."""

import numpy as np
from numpy.typing import NDArray

PITCH_CLASSES = 12
A0 = 27.5  # Hz, four octaves below concert pitch: semitone 0 of chroma
CHROMA_CENTRE_OCTAVE = 5.0  # octaves above A0: where chroma has most weight (880 Hz)
CHROMA_OCTAVES = 2.0  # standard deviation of that weight
C_ABOVE_A = 3  # semitones


def bin_frequencies(sample_rate: int, window: int) -> NDArray[np.float64]:
    """Centre frequencies in Hz of a real FFT's bins: float64 [window // 2 + 1]."""
    return np.arange(window // 2 + 1, dtype=np.float64) * (sample_rate / window)


def slaney_mel_to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Slaney's mel scale: linear up to 1 kHz at 15 mel, then 27 mel for each factor of 6.4 (Auditory Toolbox, 1998)."""
    hz = mel * (200 / 3)
    hz[mel >= 15] = 1000 * np.exp(np.log(6.4) / 27 * (mel[mel >= 15] - 15))
    return hz


def hz_to_slaney_mel(hz: float) -> float:
    """The inverse of ``slaney_mel_to_hz`` for one frequency."""
    return hz * 3 / 200 if hz < 1000 else 15 + 27 * float(np.log(hz / 1000) / np.log(6.4))


def mel_bank(sample_rate: int, window: int, bands: int, fmin: float, fmax: float) -> NDArray[np.float64]:
    """Triangles of equal area (Slaney's norm), each from its lower neighbour's centre to its upper one's.

    Returns float64 [bins, bands].
    """
    edges = slaney_mel_to_hz(np.linspace(hz_to_slaney_mel(fmin), hz_to_slaney_mel(fmax), bands + 2))
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    hz = bin_frequencies(sample_rate, window)[:, None]
    rise, fall = (hz - low) / (centre - low), (high - hz) / (high - centre)
    triangles: NDArray[np.float64] = np.maximum(0, np.minimum(rise, fall)) * (2 / (high - low))
    return triangles


def trimmed(bank: NDArray[np.float64]) -> tuple[slice, NDArray[np.float64]]:
    """The bins in which a bank [bins, bands] has a weight other than zero, and its weights there."""
    heard = np.flatnonzero(bank.any(axis=1))
    bins = slice(int(heard[0]), int(heard[-1]) + 1)
    return bins, np.ascontiguousarray(bank[bins])


def dct(size: int) -> NDArray[np.float64]:
    """The orthonormal DCT-II as a matrix for rows: float64 [size, size], one column per coefficient."""
    position, order = np.arange(size)[:, None] + 0.5, np.arange(size)
    matrix: NDArray[np.float64] = np.cos(np.pi / size * position * order) * np.sqrt(2 / size)
    matrix[:, 0] /= np.sqrt(2)
    return matrix


def chroma_bank(sample_rate: int, window: int) -> NDArray[np.float64]:
    """The weight of each bin in each of the pitch classes C, C#, ... B, at A = 440 Hz.

    A Gaussian over the distance in semitones, as wide as the bin. The weights of a bin have unit length, and fall off
    around the centre octave (Ellis, *Chroma feature analysis and synthesis*, 2007). Returns float64 [bins, 12].
    """
    hz = np.arange(1, window // 2 + 2) * (sample_rate / window)
    semitones = PITCH_CLASSES * np.log2(hz / A0)
    semitones = np.concatenate([[semitones[0] - 1.5 * PITCH_CLASSES], semitones])  # the bin at 0 Hz has no pitch
    width = np.maximum(np.diff(semitones), 1)[:, None]
    semitones = semitones[:-1, None]
    half = PITCH_CLASSES / 2
    distance = (semitones - C_ABOVE_A - np.arange(PITCH_CLASSES) + half) % PITCH_CLASSES - half
    weights: NDArray[np.float64] = np.exp(-0.5 * (2 * distance / width) ** 2)
    weights /= np.linalg.norm(weights, axis=1, keepdims=True)
    octaves = semitones / PITCH_CLASSES
    weights *= np.exp(-0.5 * ((octaves - CHROMA_CENTRE_OCTAVE) / CHROMA_OCTAVES) ** 2)
    return weights


def tonnetz_projection() -> NDArray[np.float64]:
    """Pitch classes onto the circles of fifths, minor and major thirds (Harte, Sandler and Gasser, 2006).

    Returns float64 [12, 6]: x and y of each circle; the last one has half the radius.
    """
    pitch_class = np.arange(PITCH_CLASSES)[:, None]
    angle = np.pi * pitch_class * np.array([7 / 6, 3 / 2, 2 / 3])
    circles = np.stack([np.sin(angle), np.cos(angle)], axis=-1) * np.array([1, 1, 0.5])[:, None]
    projection: NDArray[np.float64] = circles.reshape(PITCH_CLASSES, 6)
    return projection


def contrast_bands(
    sample_rate: int, window: int, lowest: float, octaves: int, quantile: float
) -> tuple[tuple[slice, int], ...]:
    """The octave bands of spectral contrast: one below ``lowest`` Hz, ``octaves`` above; the last runs to Nyquist.

    Each is a slice of bins, and how many of its strongest and of its weakest bins are averaged (Jiang et al., 2002). As
    in librosa, a band begins one bin below its lower edge and ends one bin early, except at the outermost ends. The
    count is a share of the band with that last bin.
    """
    hz = bin_frequencies(sample_rate, window)
    lower = np.searchsorted(hz, [0, *(lowest * 2.0 ** np.arange(octaves))])
    upper = np.searchsorted(hz, lowest * 2.0 ** np.arange(octaves + 1), side="right")
    bands = []
    for index, (begin, end) in enumerate(zip(lower.tolist(), upper.tolist(), strict=True)):
        start = max(begin - 1, 0)
        last = index == octaves
        stop = len(hz) if last else end - 1
        size = (len(hz) if last else end) - start
        bands.append((slice(start, stop), max(1, round(quantile * size))))
    return tuple(bands)
