"""Bootstrap intervals of unweighted average recall (Efron and Tibshirani, *An Introduction to the Bootstrap*, 1993)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

DRAWS = 2000
COVERAGE = 0.95


@dataclass(frozen=True)
class Interval:
    """Bounds as fractions of 1."""

    low: float
    high: float


def uar_interval(folds: Sequence[ArrayLike]) -> Interval:
    """The 95 % percentile interval of the mean UAR of several folds.

    Each fold is int [seeds, classes, classes]: the confusion matrices of its runs over the same clips, rows as meant,
    columns as named. A draw takes as many folds with replacement, and within each of them as many clips of every
    emotion with replacement; seeds do not count as further clips. An emotion without clips does not count. The same
    folds give the same interval.
    """
    generator = np.random.default_rng(1)
    drawn = np.stack([_redrawn(np.asarray(fold, np.float64).mean(axis=0), generator) for fold in folds])
    chosen = generator.integers(len(drawn), size=(DRAWS, len(drawn)))
    means = drawn[chosen, np.arange(DRAWS)[:, None]].mean(axis=1)
    low, high = np.quantile(means, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
    return Interval(float(low), float(high))


def _redrawn(confusion: NDArray[np.float64], generator: np.random.Generator) -> NDArray[np.float64]:
    """UAR of one fold after its clips are drawn anew, float64 [DRAWS]; the confusion is a mean over seeds."""
    meant = confusion.sum(axis=1)
    occurs = meant > 0
    clips = np.rint(meant[occurs]).astype(np.int64)
    recall = confusion.diagonal()[occurs] / meant[occurs]
    counts: NDArray[np.float64] = generator.binomial(clips, recall, size=(DRAWS, len(clips))) / clips
    return np.asarray(counts.mean(axis=1))
