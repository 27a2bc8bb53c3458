"""Recordings as features: decoded, computed once by the device's own front end, and kept on disk."""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import joblib
import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from tqdm import tqdm

from edge import features
from edge.audio import SAMPLE_RATE
from edge.errors import AudioError
from train.corpora import Clip

Floats = NDArray[np.float32]

Change = Callable[[Floats, np.random.Generator], Floats]
"""An augmentation of a waveform: float32 [samples] at 16 kHz -> float32 [samples]."""


def decode(path: Path) -> Floats:
    """The samples of a recording: float32 [samples], mono, 16 kHz."""
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, soundfile.SoundFileError) as error:
        raise AudioError(f"{path}: cannot be decoded ({error}); check the file, or take its row out.") from error
    if not len(samples) or not np.isfinite(samples).all():
        raise AudioError(f"{path}: holds no usable sound (empty, or not a number); take its row out.")
    mono: Floats = samples.mean(axis=1)
    return mono if rate == SAMPLE_RATE else soxr.resample(mono, rate, SAMPLE_RATE).astype(np.float32)


def features_of(
    clips: Sequence[Clip], root: Path, cache: Path, jobs: int = 1, change: tuple[str, Change] | None = None
) -> list[Floats]:
    """Frames float32 [time, features] of every clip, from ``cache`` where they are there already.

    ``change`` is a named augmentation; its copies are kept under its name, seeded by the clip's content, so that a copy
    always belongs to the same original.
    """
    name = change[0] if change else "plain"
    folder = cache / _digest() / name
    folder.mkdir(parents=True, exist_ok=True)
    tasks = (joblib.delayed(_one)(clip, root, folder, change[1] if change else None) for clip in clips)
    bar = tqdm(total=len(clips), desc=f"features ({name})", unit="clip", leave=False)
    frames = []
    for found in joblib.Parallel(n_jobs=jobs, return_as="generator")(tasks):
        frames.append(found)
        bar.update()
    bar.close()
    return frames


def _digest() -> str:
    """Names the feature definition, so that a changed one never meets an old cache."""
    return hashlib.sha256(json.dumps(features.SPECIFICATION, sort_keys=True).encode()).hexdigest()[:12]


def _one(clip: Clip, root: Path, folder: Path, change: Change | None) -> Floats:
    source = root / clip.path
    key = clip.sha256 or hashlib.sha256(source.read_bytes() if source.is_file() else b"").hexdigest()
    kept = folder / f"{key}.npy"
    if kept.is_file():
        return np.asarray(np.load(kept), np.float32)
    if not source.is_file():
        raise AudioError(f"{source}: the manifest names this file, but it is not there; check --root.")
    samples = decode(source)
    if change:
        samples = change(samples, np.random.default_rng(int(key[:16], 16)))
    frames = features.frames(samples)
    partial = kept.with_suffix(".partial.npy")
    np.save(partial, frames)
    partial.replace(kept)
    return frames
