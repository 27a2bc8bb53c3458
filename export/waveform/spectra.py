"""Spectra of overlapping windows: the families' in double precision, and the log-mel that the encoder takes."""

import numpy as np
from numpy.typing import NDArray

from edge.audio import FULL_SCALE
from edge.features import PADDING, log_mel, spectrum
from export.waveform.graph import Value


def power(samples: Value) -> Value:
    """``edge.features.spectrum.power_spectra`` of whole numbers float32 [n]: float64 [1 + n // 256, 513]."""
    graph = samples.graph
    count = samples.size() // spectrum.HOP_SAMPLES + 1
    scaled = (samples.astype(np.float64) * (1 / FULL_SCALE)).padded(PADDING, PADDING)
    windows = _windows(scaled, count, spectrum.HOP_SAMPLES, spectrum.WINDOW_SAMPLES) * graph.constant(spectrum.WINDOW)
    bins = windows.reshape(0, 0, 1).apply("DFT", axis=1, onesided=1)
    return (bins * bins).sum(-1)


def fine(samples: Value) -> Value:
    """``edge.features.log_mel.power_of`` of more than 200 whole numbers float32 [n]: float64 [n // 160, 201]."""
    graph, width, hop = samples.graph, log_mel.WINDOW_SAMPLES, log_mel.HOP_SAMPLES
    count = samples.size() // hop
    padded = (samples.astype(np.float64) * (1 / FULL_SCALE)).padded(width // 2, width // 2, "reflect")
    windows = _windows(padded, count, hop, width) * graph.constant(log_mel.WINDOW)
    half, bins = np.arange(1, width // 2), np.arange(width // 2 + 1)
    cosines, sines = graph.waves(half, bins, width)
    alternating: NDArray[np.float64] = np.cos(np.pi * bins)
    # A cosine is the same from either end and a sine the opposite, so half the products do; the window begins with 0.
    middle = width // 2
    first, last = (
        windows.between(1, middle, axis=1),
        windows.take(graph.integers(*range(width - 1, middle, -1)), axis=1),
    )
    centre = windows.between(middle, middle + 1, axis=1)
    real = (first + last).apply("MatMul", cosines) + centre @ alternating[None]
    imaginary = (first - last).apply("MatMul", sines)
    return real * real + imaginary * imaginary


def whisper(power: Value) -> Value:
    """``edge.features.log_mel.of_power`` of power spectra float64 [n, 201]: float32 [1, 80, n]."""
    level = (power @ log_mel.BANK).at_least(log_mel.FLOOR).apply("Log") * float(1 / np.log(10))
    loudest = level.apply("ReduceMax", axes=[0, 1], keepdims=1)
    level = level.at_least(loudest - log_mel.RANGE)
    return ((level + 4) / 4).astype(np.float32).transpose(1, 0).reshape(1, log_mel.BANDS, -1)


def _windows(samples: Value, count: Value, hop: int, width: int) -> Value:
    """``count`` windows [count, width] of samples [more], one every ``hop``: whole hops side by side, then cut."""
    hops = -(-width // hop)
    rows = samples.between(0, (count + (hops - 1)) * hop).reshape(-1, hop)
    parts = [rows.between(first, count + first) for first in range(hops)]
    joined = samples.graph.concat(parts, axis=1)
    return joined if hops * hop == width else joined.between(0, width, axis=1)
