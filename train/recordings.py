"""Recordings as features: decoded, computed once by the device's own front end, and kept on disk."""

import hashlib
import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from uuid import uuid4

import joblib
import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from tqdm import tqdm

from edge import features
from edge.audio import SAMPLE_RATE
from edge.errors import AudioError
from edge.features import FeatureSet
from train.cluster import spread
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
    clips: Sequence[Clip],
    root: Path,
    cache: Path,
    jobs: int = 1,
    change: tuple[str, Change] | None = None,
    dask: str = "",
    chosen: FeatureSet = features.SIX,
) -> list[Floats]:
    """Frames float32 [time, features] of every clip, from ``cache`` where they are there already.

    What is missing is computed by ``jobs`` processes, or by the Dask cluster at ``dask``, whose workers find the
    recordings under the same path. ``change`` is a named augmentation; its copies are kept under its name, seeded by
    the clip's content, so that a copy always belongs to the same original.
    """
    name, changed = change or ("plain", None)
    folder = cache / _digest(chosen) / name
    folder.mkdir(parents=True, exist_ok=True)
    kept = [folder / f"{_key(clip, root)}.npy" for clip in clips]
    missing = [place for place, path in enumerate(kept) if not path.is_file()]
    sounds = [(root.resolve() / clips[place].path, kept[place].stem) for place in missing]
    task = partial(_frames, chosen=chosen, change=changed)
    done = (
        spread(task, sounds, dask)
        if dask and clips
        else enumerate(joblib.Parallel(n_jobs=jobs, return_as="generator")(joblib.delayed(task)(one) for one in sounds))
    )
    with tqdm(total=len(missing), desc=f"features ({name})", unit="clip", leave=False, disable=not missing) as bar:
        for place, frames in done:
            _keep(frames, kept[missing[place]])
            bar.update()
    return [np.asarray(np.load(path), np.float32) for path in kept]


def _digest(chosen: FeatureSet) -> str:
    """Names the feature definition, so that a changed one never meets an old cache."""
    return hashlib.sha256(json.dumps(chosen.specification, sort_keys=True).encode()).hexdigest()[:12]


def _key(clip: Clip, root: Path) -> str:
    """The hash of a recording's content."""
    return clip.sha256 or hashlib.sha256(_present(root / clip.path).read_bytes()).hexdigest()


def _present(path: Path) -> Path:
    if not path.is_file():
        raise AudioError(f"{path}: the manifest names this file, but it is not there; check --root.")
    return path


def _frames(sound: tuple[Path, str], chosen: FeatureSet, change: Change | None) -> Floats:
    """The frames of a recording, given with the hash that seeds its change."""
    path, key = sound
    samples = decode(_present(path))
    if change:
        samples = change(samples, np.random.default_rng(int(key[:16], 16)))
    return features.frames(samples, chosen)


def _keep(frames: Floats, path: Path) -> None:
    """Writes the file whole or not at all, whoever else writes the same."""
    half = path.with_suffix(f".{uuid4().hex}.partial")
    with half.open("wb") as file:
        np.save(file, frames)
    half.replace(path)
