"""The training material in memory: every clip's scaled frames, what an adapter would learn from each, its sound."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler

from edge import features
from edge.features import log_mel
from edge.model import adapter as adapt
from edge.model.bundle import Scaler
from edge.model.encoder import STRIDE
from train.corpora import Clip

Floats = NDArray[np.float32]
Halves = NDArray[np.float16]
Integers = NDArray[np.int64]


def fit_scaler(frames: Sequence[Floats]) -> Scaler:
    """scikit-learn's StandardScaler over the frames [time, features] of the training side."""
    fitted = StandardScaler()
    for clip in frames:
        fitted.partial_fit(clip)
    return Scaler(fitted.mean_.astype(np.float32), fitted.scale_.astype(np.float32))


@dataclass(frozen=True)
class Bank:
    """Clips end to end: ``frames`` float16 [all, features], where each begins, and how long it is, in frames.

    ``means`` and ``squares`` [clips, features] are what an adapter learns from each; ``scaler`` has scaled them.
    ``sound`` float16 [all, width] are the same clips end to end as an encoder hears them: its log-mel, or, where it is
    not trained, its frames; none where there is no encoder.
    """

    frames: Halves
    starts: Integers
    lengths: Integers
    emotions: Integers
    speakers: Integers
    corpora: Integers
    means: Floats
    squares: Floats
    scaler: Scaler
    sound: Halves
    sound_starts: Integers
    sound_lengths: Integers

    @classmethod
    def build(
        cls,
        clips: Sequence[Clip],
        frames: Sequence[Floats],
        scaler: Scaler,
        classes: Sequence[str],
        sound: Sequence[Halves] = (),
    ) -> "Bank":
        """Scales and joins the clips."""
        scaled, observed = [], []
        for clip in frames:
            values = scaler.apply(clip)
            observed.append(adapt.statistics(values))
            scaled.append(values.astype(np.float16))
        lengths, sound_lengths = (np.array([len(clip) for clip in found], np.int64) for found in (scaled, sound))
        return cls(
            frames=np.concatenate(scaled),
            starts=np.cumsum(lengths) - lengths,
            lengths=lengths,
            emotions=np.array([classes.index(clip.emotion) for clip in clips]),
            speakers=_codes([clip.who for clip in clips]),
            corpora=_codes([clip.corpus for clip in clips]),
            means=np.stack([mean for mean, _ in observed]),
            squares=np.stack([square for _, square in observed]),
            scaler=scaler,
            sound=np.concatenate(sound) if sound else np.zeros((0, 0), np.float16),
            sound_starts=np.cumsum(sound_lengths) - sound_lengths,
            sound_lengths=sound_lengths,
        )

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def pace(self) -> float:
        """Frames of ``sound`` in one of ours."""
        encoded = self.sound.shape[1] != log_mel.BANDS
        return features.HOP_SAMPLES / (log_mel.HOP_SAMPLES * (STRIDE if encoded else 1))

    def clips(self) -> Iterator[tuple[Floats, Floats]]:
        """Each clip's scaled frames [time, features], and what an encoder hears of it, empty where there is none."""
        for place, (start, length) in enumerate(zip(self.starts, self.lengths, strict=True)):
            frames, sound = self.frames[start : start + length], self.sound
            if len(self.sound):
                begin = self.sound_starts[place]
                sound = sound[begin : begin + self.sound_lengths[place]]
            yield frames.astype(np.float32), sound.astype(np.float32)


def _codes(names: Sequence[str]) -> Integers:
    return np.unique(names, return_inverse=True)[1].astype(np.int64)
