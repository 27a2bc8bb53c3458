"""The model bundle: the folder that holds all a device needs to name an emotion. Written and read here alone."""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.errors import BundleError
from edge.features import FeatureSet
from edge.model import swap, trial, weights
from edge.model.adapter import Adapter, AdapterSettings, Kind
from edge.model.intensity import Head
from edge.model.manifest import (
    COALITIONS,
    ENCODER,
    LABELS,
    MANIFEST,
    MAP,
    MODEL,
    SCALER,
    VOICE,
    Manifest,
    decode,
    decode_manifest,
    feature_set,
    input_names,
)
from edge.model.runtime import Session, open_session
from edge.model.voices import Voices

Floats = NDArray[np.float32]

DEFAULT = Path(__file__).parents[1] / "models" / "default"


class _Scaler(msgspec.Struct):
    names: list[str]
    mean: list[float | None]
    scale: list[float | None]


class _Encoder(msgspec.Struct):
    classes: list[str]


@dataclass(frozen=True)
class Scaler:
    """scikit-learn's StandardScaler: mean and scale [features] of the training set."""

    mean: Floats
    scale: Floats

    def apply(self, values: Floats) -> Floats:
        """Features [..., features] in standard deviations from the training mean."""
        return ((values - self.mean) / self.scale).astype(np.float32, copy=False)


@dataclass(frozen=True)
class Bundle:
    """A verified bundle, its graphs ready to run."""

    path: Path
    digest: str
    """``sha256:`` of the manifest, which holds that of every other file."""
    manifest: Manifest
    labels: tuple[str, ...]
    scaler: Scaler
    model: Session
    coalitions: Session | None
    """Logits of many coalitions of families for the price of one first layer; only for the profile ``frames``."""
    encoder: Session | None
    """Log-mel to the columns of the family ``speech``; only for a bundle that has it."""
    voice: Session | None
    """Log-mel to a direction that is near for one person's utterances; only for a bundle that tells voices apart."""
    map: Session | None
    """Log-mel, the encoder's columns and a verdict to which share of the sound it rests on; where there is a map."""
    features: FeatureSet
    """The columns of the raw frames that it wants."""
    embedding: int
    """Numbers in the graphs' ``embedding``, which an adapter follows; 0 where they have none."""
    intensity: Head | None
    """How strongly an emotion is expressed; None where the bundle does not say."""

    @property
    def name(self) -> str:
        """What the bundle is called."""
        return self.manifest.name

    @property
    def profile(self) -> Literal["frames", "pooled"]:
        """What the network is given: frames over time, or their statistics."""
        return self.manifest.profile

    @property
    def temperature(self) -> float:
        """What logits are divided by before the softmax."""
        return self.manifest.temperature

    @property
    def threshold(self) -> float:
        """The confidence below which the emotion is uncertain."""
        return self.manifest.threshold

    def adapter(self, kind: Kind = "source") -> Adapter:
        """An empty history of a kind, as this bundle wants it learnt."""
        settings = self.manifest.adapters.get(kind, AdapterSettings())
        return Adapter(len(self.scaler.mean), self.embedding, settings)

    def voices(self, *, adapt: bool) -> Voices | None:
        """What tells the voices at a fresh microphone apart, with a history of each to ``adapt`` to it.

        None for a bundle that does not.
        """
        thresholds = self.manifest.voices
        return Voices(thresholds, partial(self.adapter, "voice") if adapt else None) if thresholds else None

    @classmethod
    def load(cls, path: Path = DEFAULT, unused: Collection[str] = ()) -> Self:
        """Read, verify and try a bundle; its optional graphs that are ``unused`` are read, but take no memory.

        Raises BundleError, one sentence that names the file and the remedy, where anything is not as it must be.
        """
        content = _read(path, MANIFEST)
        manifest = decode_manifest(content, path / MANIFEST)
        files = {name: _read(path, name, digest) for name, digest in manifest.files.items()}
        labels = _labels(files[LABELS], path / LABELS)
        chosen = feature_set(manifest.feature_specification)
        scaler = _scaler(files[SCALER], path / SCALER, input_names(manifest.profile, chosen))
        graphs = {
            name: _graph(files[name], path / name)
            for name in (MODEL, COALITIONS, ENCODER, VOICE, MAP)
            if name in files.keys() - set(unused)
        }
        bundle = cls(
            path=path,
            digest=f"sha256:{hashlib.sha256(content).hexdigest()}",
            manifest=manifest,
            labels=labels,
            scaler=scaler,
            model=graphs[MODEL],
            coalitions=graphs.get(COALITIONS),
            encoder=graphs.get(ENCODER),
            voice=graphs.get(VOICE),
            map=graphs.get(MAP),
            features=chosen,
            embedding=trial.embedding(graphs[MODEL]),
            intensity=manifest.intensity.head() if manifest.intensity else None,
        )
        trial.attempt_all(bundle)
        return bundle


def write(target: Path, manifest: Manifest, files: Mapping[str, bytes]) -> Bundle:
    """Write a bundle, hashes added to the manifest, verify it and swap it in for whatever ``target`` held.

    ``target`` becomes a plain folder, unless it is a link already. BundleError leaves it as it was.
    """
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}
    document = msgspec.json.format(msgspec.json.encode(msgspec.structs.replace(manifest, files=hashes)))
    return _swap_in({**files, MANIFEST: document + b"\n"}, target)


def install(source: Path, target: Path) -> Bundle:
    """Copy the bundle ``source`` to ``target``, whole and tried; BundleError leaves ``target`` as it was.

    ``target`` becomes a link to the copy, so that the next one is switched in by one rename.
    """
    bundle = Bundle.load(source)
    return _swap_in({name: _read(source, name) for name in (MANIFEST, *bundle.manifest.files)}, target, link=True)


def _swap_in(files: Mapping[str, bytes], target: Path, *, link: bool = False) -> Bundle:
    swap.replace_folder(target, files, Bundle.load, link=link)
    return Bundle.load(target)


def _read(folder: Path, name: str, digest: str | None = None) -> bytes:
    """A file of a bundle, its sha256 checked where one is given."""
    try:
        content = (folder / name).read_bytes()
    except OSError as error:
        raise BundleError(
            f"{folder / name} cannot be read ({error.strerror}): name a folder that holds a whole bundle, "
            "such as `python -m export` writes"
        ) from None
    if digest is not None and hashlib.sha256(content).hexdigest() != digest:
        raise BundleError(f"{folder / name} has another sha256 than {MANIFEST} says: copy the bundle again, unchanged")
    return content


def _labels(content: bytes, path: Path) -> tuple[str, ...]:
    labels = tuple(decode(content, path, _Encoder).classes)
    if len(labels) < 2 or len(set(labels)) < len(labels) or "" in labels:
        raise BundleError(
            f"{path} must name two or more different classes, not {list(labels)}: export the bundle again"
        )
    return labels


def _scaler(content: bytes, path: Path, names: tuple[str, ...]) -> Scaler:
    stored = decode(content, path, _Scaler)
    if tuple(stored.names) != names or not len(stored.mean) == len(stored.scale) == len(names):
        raise BundleError(
            f"{path} does not hold this affectd's {len(names)} features in order: export the bundle again"
        )
    with np.errstate(over="ignore"):  # a number too large for float32 becomes infinite, null becomes NaN
        mean, scale = np.array(stored.mean, np.float32), np.array(stored.scale, np.float32)
    sound = np.isfinite(mean) & np.isfinite(scale) & (scale > 0)
    if not sound.all():
        raise BundleError(
            f"{path} has a mean that is not finite or a scale that is not positive for "
            f"`{names[int(np.argmin(sound))]}`: train again without that feature's broken values"
        )
    return Scaler(mean, scale)


def _graph(content: bytes, path: Path) -> Session:
    try:
        for name, values in weights.floats(content):
            if not np.isfinite(values).all():
                raise BundleError(f"{path} holds a weight that is not finite (in {name}): train the network again")
    except ValueError as error:
        raise BundleError(f"{path} is no ONNX file ({error}): export the bundle again") from None
    return open_session(content, str(path))
