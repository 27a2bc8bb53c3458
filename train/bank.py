"""The training material in memory: every clip's scaled frames, and what an adapter would have learnt from each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler

from edge.model import adapter as adapt
from edge.model.bundle import Scaler
from train.corpora import Clip

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


def fit_scaler(frames: Sequence[Floats]) -> Scaler:
    """scikit-learn's StandardScaler over the frames [time, features] of the training side."""
    fitted = StandardScaler()
    for clip in frames:
        fitted.partial_fit(clip)
    return Scaler(fitted.mean_.astype(np.float32), fitted.scale_.astype(np.float32))


@dataclass(frozen=True)
class Bank:
    """Clips end to end: ``frames`` float32 [all, features], where each begins, and how long it is, in frames.

    ``means`` and ``squares`` [clips, features] are what an adapter learns from each; ``scale`` is the scaler's.
    """

    frames: Floats
    starts: Integers
    lengths: Integers
    emotions: Integers
    speakers: Integers
    corpora: Integers
    means: Floats
    squares: Floats
    scale: Floats

    @classmethod
    def build(cls, clips: Sequence[Clip], frames: Sequence[Floats], scaler: Scaler, classes: Sequence[str]) -> "Bank":
        """Scales and joins the clips."""
        scaled = [scaler.apply(clip) for clip in frames]
        lengths = np.array([len(clip) for clip in scaled])
        observed = [adapt.statistics(clip) for clip in scaled]
        return cls(
            frames=np.concatenate(scaled),
            starts=np.concatenate([[0], np.cumsum(lengths)[:-1]]),
            lengths=lengths,
            emotions=np.array([classes.index(clip.emotion) for clip in clips]),
            speakers=_codes([clip.who for clip in clips]),
            corpora=_codes([clip.corpus for clip in clips]),
            means=np.stack([mean for mean, _ in observed]),
            squares=np.stack([square for _, square in observed]),
            scale=scaler.scale,
        )

    def __len__(self) -> int:
        return len(self.starts)

    def clips(self) -> Iterator[Floats]:
        """Each clip's scaled frames [time, features]."""
        for start, length in zip(self.starts, self.lengths, strict=True):
            yield self.frames[start : start + length]


def _codes(names: Sequence[str]) -> Integers:
    return np.unique(names, return_inverse=True)[1].astype(np.int64)
