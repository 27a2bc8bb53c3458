"""Pairs of utterances: how well their nearness tells one person from two; and labels of voices against true ones."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from train.corpora import Clip

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

CALM = ("neutral", "calm")
FRAMES = 300
"""Of log-mel, 10 ms each, by which a recording is judged, from its middle."""


def middle(spectrum: NDArray[np.floating]) -> Floats:
    """The middle three seconds of a log-mel [80, time]."""
    start = max(0, (spectrum.shape[1] - FRAMES) // 2)
    return np.ascontiguousarray(spectrum[:, start : start + FRAMES], np.float32)


def equal_error(same: Doubles, different: Doubles) -> float:
    """The rate at which pairs of one person are taken for two as often as pairs of two for one.

    ``same`` and ``different`` are the nearness of pairs of one and of two people; the larger, the nearer.
    """
    ends = np.unique(np.concatenate([same, different]))
    if len(ends) > 10_000:
        ends = np.quantile(ends, np.linspace(0, 1, 10_000))
    missed = np.searchsorted(np.sort(same), ends, side="left") / len(same)
    taken = 1 - np.searchsorted(np.sort(different), ends, side="left") / len(different)
    missed, taken = np.append(missed, 1.0), np.append(taken, 0.0)
    place = int(np.argmin(np.abs(missed - taken)))
    return float((missed[place] + taken[place]) / 2)


def nearness(clips: Sequence[Clip], voices: Floats, hard: bool = False) -> tuple[Doubles, Doubles]:
    """Cosines of all pairs of one person, and of two, from recordings of one corpus.

    Neutral recordings are left out where there are others. ``hard``: only pairs of different emotions and one sex.
    """
    same, different = [np.empty(0)], [np.empty(0)]
    for corpus in sorted({clip.corpus for clip in clips}):
        here = [place for place, clip in enumerate(clips) if clip.corpus == corpus]
        moved = [place for place in here if clips[place].emotion not in (*CALM, "")]
        chosen = moved or here
        found = voices[chosen] @ voices[chosen].T
        who, emotion, sex = (
            np.array([getattr(clips[place], key) for place in chosen]) for key in ("who", "emotion", "sex")
        )
        wanted = np.triu(np.ones(found.shape, bool), 1)
        if hard:
            wanted &= (emotion[:, None] != emotion) & (sex[:, None] == sex)
        one = who[:, None] == who
        same.append(found[wanted & one])
        different.append(found[wanted & ~one])
    return np.concatenate(same).astype(np.float64), np.concatenate(different).astype(np.float64)


def purity(given: Sequence[str | None], true: Sequence[str]) -> float:
    """Of the utterances that were given a voice, the share whose speaker is the one that this voice is mostly of."""
    rows = _by(given, true).values()
    return sum(max(Counter(row).values()) for row in rows) / sum(map(len, rows)) if rows else 0.0


def coverage(given: Sequence[str | None], true: Sequence[str]) -> float:
    """Of all utterances, the share that was given the voice that its speaker mostly has; nobody's has none."""
    hits = 0
    for rows in _by(true, given).values():
        named = [voice for voice in rows if voice is not None]
        hits += max(Counter(named).values(), default=0)
    return hits / len(true) if true else 0.0


def _by(keys: Sequence[str | None], values: Sequence[str | None]) -> dict[str, list[str | None]]:
    rows: dict[str, list[str | None]] = {}
    for key, value in zip(keys, values, strict=True):
        if key is not None:
            rows.setdefault(key, []).append(value)
    return rows
