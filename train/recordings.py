"""Recordings as features: decoded, computed once by the device's own front end, and kept on disk."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
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
from edge.features import log_mel as log_mel_spectrum
from edge.sources import highpass
from edge.sources.highpass import high_passed_float
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


@dataclass(frozen=True)
class Front:
    """What is computed of a recording and kept: float [time, columns] of its samples, under a name for the cache."""

    name: str
    compute: Callable[[Floats], NDArray[np.floating]]


def features_of(
    clips: Sequence[Clip],
    root: Path,
    cache: Path,
    jobs: int = 1,
    change: tuple[str, Change] | None = None,
    dask: str = "",
    chosen: FeatureSet = features.SIX,
) -> list[Floats]:
    """Frames float32 [time, features] of every clip: ``streams_of`` with the hand-made features alone."""
    (frames,) = streams_of(clips, root, cache, jobs, change, dask, (hand_made(chosen),))
    return [np.asarray(found, np.float32) for found in frames]


def streams_of(
    clips: Sequence[Clip],
    root: Path,
    cache: Path,
    jobs: int = 1,
    change: tuple[str, Change] | None = None,
    dask: str = "",
    fronts: Sequence[Front] = (),
) -> list[list[NDArray[np.floating]]]:
    """What every front computes of every clip, from ``cache`` where it is there already.

    What is missing is computed by ``jobs`` processes, or by the Dask cluster at ``dask``, whose workers find the
    recordings under the same path. ``change`` is a named augmentation; its copies are kept under its name, seeded by
    the clip's content, so that a copy always belongs to the same original.
    """
    name, changed = change or ("plain", None)
    keys = [_key(clip, root) for clip in clips]
    kept = [[cache / front.name / name / f"{key}.npy" for key in keys] for front in fronts]
    for front in fronts:
        (cache / front.name / name).mkdir(parents=True, exist_ok=True)
    missing = [place for place in range(len(keys)) if not all(paths[place].is_file() for paths in kept)]
    sounds = [(root.resolve() / clips[place].path, keys[place]) for place in missing]
    task = partial(_analysed, fronts=fronts, change=changed)
    done = (
        spread(task, sounds, dask)
        if dask and clips
        else enumerate(joblib.Parallel(n_jobs=jobs, return_as="generator")(joblib.delayed(task)(one) for one in sounds))
    )
    with tqdm(total=len(missing), desc=f"features ({name})", unit="clip", leave=False, disable=not missing) as bar:
        for place, found in done:
            for paths, values in zip(kept, found, strict=True):
                _keep(values, paths[missing[place]])
            bar.update()
    return [[np.load(path) for path in paths] for paths in kept]


def states_of(
    clips: Sequence[Clip],
    root: Path,
    folder: Path,
    encode: Callable[[NDArray[np.floating]], NDArray[np.float16]],
    spectra: Sequence[NDArray[np.floating]],
) -> list[NDArray[np.float16]]:
    """What an encoder makes of the log-mel of every clip, float16 [time, states], kept in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = [folder / f"{_key(clip, root)}.npy" for clip in clips]
    bar = tqdm(kept, desc="encode", unit="clip", leave=False, disable=all(path.is_file() for path in kept))
    for path, spectrum in zip(bar, spectra, strict=True):
        if not path.is_file():
            _keep(encode(spectrum), path)
    return [np.load(path) for path in kept]


def hand_made(chosen: FeatureSet) -> Front:
    """The hand-made features: float32 [time, features]."""
    return Front(_digest(chosen.specification), partial(features.frames, chosen=chosen))


def log_mel() -> Front:
    """What the encoder is given: log-mel float16 [time, 80]."""
    return Front(_digest(log_mel_spectrum.SPECIFICATION), _spectrum)


def _spectrum(samples: Floats) -> NDArray[np.float16]:
    return log_mel_spectrum.log_mel(samples).T.astype(np.float16)


def _digest(specification: Mapping[str, object]) -> str:
    """Names a definition and what stands before it, so that a changed one never meets an old cache."""
    definition = {**specification, "high_pass": highpass.SPECIFICATION}
    return hashlib.sha256(json.dumps(definition, sort_keys=True).encode()).hexdigest()[:12]


def _key(clip: Clip, root: Path) -> str:
    """The hash of a recording's content."""
    return clip.sha256 or hashlib.sha256(_present(root / clip.path).read_bytes()).hexdigest()


def _present(path: Path) -> Path:
    if not path.is_file():
        raise AudioError(f"{path}: the manifest names this file, but it is not there; check --root.")
    return path


def _analysed(sound: tuple[Path, str], fronts: Sequence[Front], change: Change | None) -> list[NDArray[np.floating]]:
    """What the fronts compute of a recording, given with the hash that seeds its change."""
    samples = samples_of(*sound, change)
    return [front.compute(samples) for front in fronts]


def samples_of(path: Path, key: str, change: Change | None = None) -> Floats:
    """What features are computed from: a recording, or its copy that the hash ``key`` seeds, behind the high-pass."""
    samples = decode(_present(path))
    if change:
        samples = change(samples, np.random.default_rng(int(key[:16], 16)))
    return high_passed_float(samples)


def _keep(frames: NDArray[np.floating], path: Path) -> None:
    """Writes the file whole or not at all, whoever else writes the same."""
    half = path.with_suffix(f".{uuid4().hex}.partial")
    with half.open("wb") as file:
        np.save(file, frames)
    half.replace(path)
