"""Real sounds that stand behind speech: rooms that phones recorded, noises, voices without words."""

import csv
import hashlib
import logging
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import scipy.signal
import soundfile
from numpy.typing import NDArray

from edge.audio import SAMPLE_RATE
from edge.errors import UsageError
from train.rooms import Side

Floats = NDArray[np.float32]

HELD_BACK = 4  # one source recording in so many is evaluation's
CROSSFADE = 800  # samples, 50 ms: where a sound that is too short begins again
SOURCES = {
    "rooms": re.compile(r"-(20\d{6})\d{6}-"),  # all that was recorded on one day
    "noises": re.compile(r"_\d-(\d+)-"),  # a recording of freesound.org
}
"""What names the recording that a sound was cut from, by kind; a sound without such a name goes by its speaker, or else
by its kind and label."""
SHARES: dict[Side, dict[str, float]] = {
    "training": {"rooms": 0.6, "noises": 0.15, "voices-without-words": 0.05, "coloured": 0.2},
    "evaluation": {"rooms": 0.75, "noises": 0.25},
}
"""How often each kind is drawn; coloured noise needs no recording."""


@dataclass(frozen=True)
class Sounds:
    """One side's sounds in a folder with a manifest; a value small enough to be sent to another process."""

    folder: Path
    side: Side

    @property
    def present(self) -> bool:
        """Whether there are recordings; else all noise is coloured."""
        return (self.folder / "manifest.csv").is_file()

    @property
    def digest(self) -> str:
        """Names the sounds that are there."""
        listed = _listed(self.folder, self.side)
        names = [
            path.relative_to(self.folder).as_posix()
            for kind in sorted(SHARES[self.side])
            for path in listed.get(kind, ())
        ]
        return hashlib.sha256("\n".join(names).encode()).hexdigest()[:12]

    def paths(self, kind: str) -> tuple[Path, ...]:
        """The side's recordings of a kind, in order."""
        return _listed(self.folder, self.side).get(kind, ())

    def require(self) -> None:
        """Raises where evaluation would have no real noise."""
        if not any(self.paths(kind) for kind in SHARES[self.side]):
            raise UsageError(
                f"{self.folder}: no sounds for {self.side} are there, without which there is no noise to add; "
                "name their folder with --sounds or $AFFECTD_SOUNDS."
            )

    def draw(self, count: int, generator: np.random.Generator) -> NDArray[np.float64]:
        """A stretch of some sound [count] of unit power; coloured noise where there are no recordings."""
        shares = {kind: share for kind, share in SHARES[self.side].items() if self.paths(kind)}
        shares["coloured"] = SHARES[self.side].get("coloured", 0) if shares else 1
        weights = np.array(list(shares.values()))
        kind = list(shares)[int(generator.choice(len(shares), p=weights / weights.sum()))]
        if kind == "coloured":
            return coloured(count, generator.uniform(0, 2), generator)
        paths = self.paths(kind)
        return stretch_of(_decoded(paths[int(generator.integers(len(paths)))]), count, generator)


def coloured(count: int, slope: float, generator: np.random.Generator) -> NDArray[np.float64]:
    """Noise of unit power whose spectrum falls by ``slope`` times 3 dB an octave."""
    spectrum = np.fft.rfft(generator.standard_normal(count))
    shaped = np.fft.irfft(spectrum / np.maximum(np.arange(len(spectrum)), 8) ** (slope / 2), count)
    return np.asarray(shaped / np.sqrt(np.mean(np.square(shaped)) + 1e-12))


def stretch_of(sound: Floats, count: int, generator: np.random.Generator) -> NDArray[np.float64]:
    """``count`` samples of a sound from some place in it, of unit power; a sound that is shorter is repeated."""
    if len(sound) < count:
        sound = _loop(sound, count)
    start = int(generator.integers(len(sound) - count + 1))
    found = sound[start : start + count].astype(np.float64)
    power = np.mean(np.square(found))
    if power < 1e-3 * np.mean(np.square(sound)):  # a bark's silence: take what is loudest instead
        start = max(0, min(int(np.argmax(np.abs(sound))) - count // 2, len(sound) - count))
        found = sound[start : start + count].astype(np.float64)
        power = np.mean(np.square(found))
    return np.asarray(found / np.sqrt(power + 1e-12))


def _loop(sound: Floats, count: int) -> Floats:
    """The sound over and over, each end faded into the next beginning, as much longer than ``count`` as it is long."""
    fade = min(CROSSFADE, len(sound) // 2)
    rise = np.sqrt(np.linspace(0, 1, fade, dtype=np.float32))
    period = sound[: len(sound) - fade].copy()
    period[:fade] = rise * period[:fade] + rise[::-1] * sound[len(sound) - fade :]
    return np.resize(period, count + len(period))


@lru_cache(maxsize=256)
def _decoded(path: Path) -> Floats:
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono: Floats = samples.mean(axis=1)
    if rate != SAMPLE_RATE:
        mono = scipy.signal.resample_poly(mono, SAMPLE_RATE, rate).astype(np.float32)
    return mono


@lru_cache(maxsize=8)
def _listed(folder: Path, side: Side) -> dict[str, tuple[Path, ...]]:
    """The recordings of one side by kind."""
    found: dict[str, list[Path]] = {}
    try:
        with (folder / "manifest.csv").open(newline="", encoding="utf-8-sig") as file:
            for row in csv.DictReader(file):
                if side_of(row) == side:
                    found.setdefault(row["kind"], []).append(folder / row["path"])
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, TypeError) as error:
        raise UsageError(
            f"{folder}/manifest.csv: is no list of sounds ({error}); it needs the columns path and kind."
        ) from error
    return {kind: tuple(sorted(paths)) for kind, paths in found.items()}


def side_of(row: dict[str, str]) -> Side:
    """Which side a sound is on, by the hash of the recording that it was cut from."""
    pattern = SOURCES.get(row["kind"])
    match = pattern.search(row["path"]) if pattern else None
    source = match[1] if match else row.get("speaker") or f"{row['kind']} {row.get('label', '')}"
    number = int.from_bytes(hashlib.sha256(source.encode()).digest()[:4])
    return "training" if number % HELD_BACK else "evaluation"


@lru_cache(maxsize=8)
def warn_of_absence(folder: Path) -> None:
    """Says once that the noise of the training copies is no real one."""
    logging.getLogger(__name__).warning(
        "%s: no sounds are there, so coloured noise stands for real noise in the copies; "
        "name their folder with --sounds or $AFFECTD_SOUNDS.",
        folder,
    )
