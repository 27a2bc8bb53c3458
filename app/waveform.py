"""A waveform reduced to the resolution of a screen: the highest and lowest sample of each column."""

import numpy as np
from numpy.typing import NDArray

from edge.audio import SAMPLE_RATE

COLUMNS = 900  # about one for each pixel


def envelope(samples: NDArray[np.int16], columns: int = COLUMNS) -> list[dict[str, float]]:
    """Rows of ``seconds``, ``low`` and ``high`` (full scale 1) for samples int16 [n], at most ``columns``."""
    step = max(1, -(-len(samples) // columns))
    padded = np.pad(samples, (0, -len(samples) % step), mode="edge").reshape(-1, step)
    seconds = np.arange(len(padded)) * step / SAMPLE_RATE
    lows, highs = padded.min(axis=1) / 32768, padded.max(axis=1) / 32768
    return [
        {"seconds": round(float(t), 4), "low": round(float(low), 4), "high": round(float(high), 4)}
        for t, low, high in zip(seconds, lows, highs, strict=True)
    ]
