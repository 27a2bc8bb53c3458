"""From raw samples to those that the features are taken of: the high-pass and the hum, in the steps of 16 bits."""

import numpy as np

from edge.audio import FULL_SCALE
from edge.features import hum
from export.waveform import highpass
from export.waveform.graph import Value


def sixteen_bits(samples: Value) -> Value:
    """Samples [1, n] of a full scale of 1 as whole numbers, float32 [n], as a microphone gives them."""
    return _clipped(samples.reshape(-1) * FULL_SCALE)


def high_passed(samples: Value) -> Value:
    """``edge.sources.highpass.high_passed`` of whole numbers, float32 [n]."""
    return _clipped(highpass.high_passed(samples.astype(np.float64))).astype(np.float32)


def without_hum(samples: Value) -> Value:
    """``edge.features.hum.without_hum`` of whole numbers, float32 [n]."""
    graph, count = samples.graph, samples.size() // hum.PIECE
    pieces = samples.between(0, count * hum.PIECE).reshape(-1, hum.PIECE).astype(np.float64)
    # No product is transposed, and scales come last: ONNX Runtime 1.20 fuses them to what it lacks in double precision.
    scale, period = 2 / hum.PIECE, np.arange(hum.PIECE)
    real, imaginary = (pieces.apply("MatMul", waves) for waves in graph.waves(period, hum.BINS, hum.PIECE))
    usual_real, usual_imaginary = _median(real, count), _median(imaginary, count)
    spread = _median(_length(real - usual_real, imaginary - usual_imaginary), count)
    height = _length(usual_real, usual_imaginary)
    sure = spread * hum.SURE / count.astype(np.float64).apply("Sqrt")
    found = (height > sure) & (height > hum.FAINTEST / scale) & (count >= hum.FEWEST)
    cosines, sines = graph.waves(hum.BINS, period, hum.PIECE)
    kept = found.where(usual_real, 0.0).apply("MatMul", cosines) + found.where(usual_imaginary, 0.0).apply(
        "MatMul", sines
    )
    places = graph.count_up(samples.size()).apply("Mod", hum.PIECE)
    return _clipped(samples.astype(np.float64) - (kept * scale).reshape(-1).take(places)).astype(np.float32)


def _median(values: Value, count: Value) -> Value:
    """Of each column of ``values`` [count, columns]: [1, columns]."""
    rising = values.ordered(axis=0)
    return (rising.take((count - 1) // 2) + rising.take(count // 2)) * 0.5


def _length(real: Value, imaginary: Value) -> Value:
    return (real * real + imaginary * imaginary).apply("Sqrt")


def _clipped(samples: Value) -> Value:
    """Rounded to whole numbers that 16 bits hold."""
    return samples.apply("Round").at_least(-FULL_SCALE).at_most(FULL_SCALE - 1)
