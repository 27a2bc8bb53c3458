"""Recordings that the bundle has never heard, according to its card."""

import csv
import os
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import numpy as np

from edge.audio import SAMPLE_RATE
from edge.model import encoder
from edge.model.bundle import Bundle
from edge.sources.conversion import read_audio

DATA = Path(os.environ.get("AFFECTD_DATA", "../shared/data"))
RENAMED = {"calm": "neutral"}
_TRIM_DB = 35  # below the loudest 10 ms: the silence of the studio, which no gate would pass


@dataclass(frozen=True)
class Clip:
    """One recording: int16 samples without the silence around them, their frames for a bundle, speaker and emotion."""

    samples: np.ndarray
    bundle: Bundle
    speaker: str
    emotion: str
    intensity: str

    @property
    def frames(self) -> np.ndarray:
        return encoder.frames(self.samples, self.bundle)


def held_out(bundle: Bundle, count: int | None = None, seed: int = 0) -> list[Clip]:
    """Clips of speakers who trained no weight of the bundle, in a seeded random order.

    They are the evaluation speakers, or, if a bundle has none, those that set its temperature and threshold.
    """
    split = bundle.manifest.card["training"]["split"]
    patterns = split["test"] or split["calibration"]
    with (DATA / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    rows = [row for row in rows if any(fnmatch(f"{row['corpus']}/{row['speaker']}", pattern) for pattern in patterns)]
    rows = [row for row in rows if RENAMED.get(row["emotion"], row["emotion"]) in bundle.labels]
    order = np.random.default_rng(seed).permutation(len(rows))[:count]
    return [_clip(rows[index], bundle) for index in order]


def _clip(row: dict[str, str], bundle: Bundle) -> Clip:
    emotion = RENAMED.get(row["emotion"], row["emotion"])
    speaker = f"{row['corpus']}/{row['speaker']}"
    return Clip(trimmed(read_audio(DATA / row["path"])), bundle, speaker, emotion, row["intensity"])


def trimmed(samples: np.ndarray) -> np.ndarray:
    """Removes the silence before and after, except 50 ms."""
    size = SAMPLE_RATE // 100
    power = np.square(samples[: len(samples) // size * size].astype(np.float64)).reshape(-1, size).mean(axis=1)
    loud = np.flatnonzero(power > power.max() * 10 ** (-_TRIM_DB / 10))
    return samples[max(0, loud[0] - 5) * size : (loud[-1] + 6) * size]
