"""Windows of an utterance put aside one after another: where in time they lie, and what their effects say. Pure."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge import features

Floats = NDArray[np.float32]

WINDOW_SECONDS, STEP_SECONDS = 0.4, 0.2
WINDOW_FRAMES = round(WINDOW_SECONDS * features.FRAME_RATE)
_EDGE = 0.5  # share of a window that fades: a sudden edge would be an event of its own


@dataclass(frozen=True)
class Windows:
    """``weights`` [windows, time], 1 where a window hides a frame and 0 where it shows it, and where each begins."""

    weights: Floats
    starts: NDArray[np.int64]


def windows(frames: int) -> Windows:
    """Windows over an utterance of so many frames, at least ``WINDOW_FRAMES``, from its first frame to its last."""
    last = frames - WINDOW_FRAMES
    count = 1 + round(last / (STEP_SECONDS * features.FRAME_RATE))
    starts = np.round(np.linspace(0, last, count)).astype(np.int64) if count > 1 else np.array([last // 2])
    weights = np.zeros((count, frames), np.float32)
    for row, start in zip(weights, starts, strict=True):
        row[start : start + WINDOW_FRAMES] = taper(WINDOW_FRAMES)
    weights[0, : WINDOW_FRAMES // 2] = weights[-1, -(WINDOW_FRAMES // 2) :] = 1  # nothing lies beyond the ends
    return Windows(weights, starts)


def taper(length: int) -> Floats:
    """A window of ones that rises and falls as a half cosine at its ends (Tukey)."""
    edge = max(1, round(_EDGE * length / 2))
    ramp = 0.5 - 0.5 * np.cos(np.pi * (np.arange(edge) + 0.5) / edge)
    window = np.ones(length, np.float32)
    window[:edge], window[-edge:] = ramp, ramp[::-1]
    return window


def hidden(values: Floats, weights: Floats) -> Floats:
    """An utterance [time, features] with each window in turn faded to its mean frame: [windows, time, features]."""
    faded: Floats = values + weights[:, :, None] * (values.mean(axis=0) - values)
    return faded


def curve(weights: Floats, effects: NDArray[np.float64]) -> NDArray[np.float64]:
    """The windows' effects [windows] as one value for each frame [time]: the mean over the windows that hide it."""
    total = np.einsum("wt,w->t", weights, effects, dtype=np.float64)  # in portions: no float64 copy of the weights
    over_time: NDArray[np.float64] = total / weights.sum(axis=0, dtype=np.float64)
    return over_time


def strongest(curve: NDArray[np.float64]) -> tuple[int, int]:
    """The frames, from and up to, that together rise highest above the median of a curve [time]: its largest sum.

    One pass (Kadane; Bentley 1984). Where nothing rises above the median, that is all of it.
    """
    heights = curve - np.median(curve)
    if not heights.max() > 1e-9:
        return 0, len(curve)
    best, first, last = 0.0, 0, len(curve)
    height, begin = 0.0, 0
    for index, rise in enumerate(heights.tolist()):
        if height <= 0:
            height, begin = 0.0, index
        height += rise
        if height > best:
            best, first, last = height, begin, index + 1
    return first, last
