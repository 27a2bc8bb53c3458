"""How far figures would move with other speakers: 95 % intervals by bootstrap over them (Efron, 1979)."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from train.corpora import Clip

Doubles = NDArray[np.float64]

DRAWS = 2000
SHARE = 0.95
NAMES = ("wa", "uar")


@dataclass(frozen=True)
class Answers:
    """Who spoke, and how often each speaker's emotion [rows] was heard as which [columns]: float64 [speakers, c, c]."""

    speakers: tuple[str, ...]
    counts: Doubles


def answers(clips: Sequence[Clip], logits: NDArray[np.floating], classes: Sequence[str]) -> Answers:
    """What was heard of clips, by logits or probabilities [clips, classes]."""
    speakers = sorted({clip.who for clip in clips})
    places = np.array([speakers.index(clip.who) for clip in clips])
    meant = np.array([list(classes).index(clip.emotion) for clip in clips])
    counts = np.zeros((len(speakers), len(classes), len(classes)))
    np.add.at(counts, (places, meant, logits.argmax(axis=1)), 1)
    return Answers(tuple(speakers), counts)


def of(heard: Answers) -> dict[str, object]:
    """``wa_interval`` and ``uar_interval``, each the bounds of accuracy or UAR; None for a single speaker."""
    if len(heard.speakers) < 2:
        return {f"{name}_interval": None for name in NAMES}
    return _bounds(_replicates(heard))


def of_mean(folds: Sequence[Answers]) -> dict[str, object]:
    """The same of the mean over folds, seeds and all: the same speakers are drawn alike wherever they occur.

    Speakers are drawn within each fold; where a fold is one speaker, folds are drawn in their place.
    """
    if all(len(fold.speakers) == 1 for fold in folds):
        speakers = sorted({fold.speakers[0] for fold in folds})
        if len(speakers) < 2:
            return {f"{name}_interval": None for name in NAMES}
        figures = np.stack([np.stack(_figures(fold.counts[None, 0])) for fold in folds])[..., 0]
        means = [figures[[fold.speakers[0] == who for fold in folds]].mean(axis=0) for who in speakers]
        return _bounds(_weights(speakers) @ np.stack(means) / len(speakers))
    return _bounds(np.mean([_replicates(fold) for fold in folds], axis=0))


def _replicates(heard: Answers) -> Doubles:
    """Accuracy and UAR [draws, 2] with speakers drawn anew."""
    return np.stack(_figures(np.tensordot(_weights(heard.speakers), heard.counts, axes=1)), axis=1)


def _weights(speakers: Sequence[str]) -> Doubles:
    """How often each speaker is drawn [draws, speakers], seeded by who they are."""
    seed = int.from_bytes(hashlib.sha256("\n".join(speakers).encode()).digest()[:8])
    count = len(speakers)
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=DRAWS)
    return drawn.astype(np.float64)


def _figures(confusion: Doubles) -> tuple[Doubles, Doubles]:
    """Accuracy and UAR [n] of confusion matrices [n, c, c]; UAR over the emotions that occur."""
    right, meant = np.diagonal(confusion, axis1=1, axis2=2), confusion.sum(axis=2)
    recalls = right / np.maximum(meant, 1)
    return right.sum(axis=1) / meant.sum(axis=1), recalls.sum(axis=1) / (meant > 0).sum(axis=1)


def _bounds(figures: Doubles) -> dict[str, object]:
    """The interval of each column of figures [draws, 2]."""
    low, high = np.quantile(figures, [(1 - SHARE) / 2, (1 + SHARE) / 2], axis=0)
    return {
        f"{name}_interval": [round(float(low[place]), 4), round(float(high[place]), 4)]
        for place, name in enumerate(NAMES)
    }
