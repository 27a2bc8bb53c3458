"""The model bundle: the folder that holds all a device needs to name an emotion. Written and read here alone."""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, Self, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.errors import BundleError
from edge.features import SPEECH, FeatureSet, log_mel
from edge.model import intensity, swap, weights
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
    canary_input,
    decode,
    decode_manifest,
    encoder_canary_input,
    feature_set,
    input_names,
)
from edge.model.runtime import Session, attempt, open_session
from edge.model.voices import Voices

Floats = NDArray[np.float32]

DEFAULT = Path(__file__).parents[1] / "models" / "default"
STATISTICS_INPUT = "usual"
"""The graphs' optional input: shift and scale [2, embedding] that are taken out of the embedding (``Adaptation``)."""

_CANARY_TOLERANCE = 1e-2  # in logits: processors round apart by far less, a miscalculation is far more
_ENCODER_TOLERANCE = 0.02  # in standard deviations: ten times what kinds of processor round apart

Ports: TypeAlias = Mapping[str, tuple[int, ...]]


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
            embedding=_embedding(graphs[MODEL]),
            intensity=manifest.intensity.head() if manifest.intensity else None,
        )
        _check_ports(bundle)
        _check_intensity(bundle)
        _check_canary(bundle)
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


def _embedding(session: Session) -> int:
    """How wide the embedding of a graph is that an adapter can follow."""
    shapes = [port.shape for port in session.get_overridable_initializers() if port.name == STATISTICS_INPUT]
    width = shapes[0][-1] if shapes else 0
    return width if isinstance(width, int) else 0


def _check_ports(bundle: Bundle) -> None:
    """The graphs' inputs and outputs are those that the classifier and the explainer will ask for; 0 is any length."""
    count, classes = len(input_names(bundle.profile, bundle.features)), len(bundle.labels)
    logits: Ports = {"logits": (0, classes), **({"embedding": (0, bundle.embedding)} if bundle.embedding else {})}
    inputs: Ports = {"frames": (0, 0, count)} if bundle.profile == "frames" else {"pooled": (0, count)}
    outputs: Ports = {**logits, "attention": (0, 0)} if bundle.profile == "frames" else logits
    _check_session(bundle.model, bundle.path / MODEL, inputs, outputs)
    if bundle.coalitions:
        masked: Ports = {"frames": (0, 0, count), "masks": (0, len(bundle.features.families))}
        _check_session(bundle.coalitions, bundle.path / COALITIONS, masked, logits)
        if _embedding(bundle.coalitions) != bundle.embedding:
            raise BundleError(f"{bundle.path / COALITIONS} has another embedding than {MODEL}: export the bundle again")
    if bundle.voice:
        _check_session(bundle.voice, bundle.path / VOICE, {"spectrum": (0, log_mel.BANDS, 0)}, {"voice": (0, 0)})
    width = bundle.features.speech
    if bundle.encoder:
        heard: Ports = {"speech": (0, 0, width)}
        _check_session(bundle.encoder, bundle.path / ENCODER, {"log_mel": (0, log_mel.BANDS, 0)}, heard)
    if (bundle.encoder is None) != (width == 0):
        raise BundleError(
            f"{bundle.path} has {width} columns of the family {SPEECH} and {'no' if width else 'an'} {ENCODER}: "
            "the two do not fit, export the bundle again"
        )
    if bundle.map:
        if bundle.encoder is None:
            raise BundleError(f"{bundle.path} has a {MAP} and no {ENCODER}, on which it rests: export the bundle again")
        seen: Ports = {"log_mel": (0, log_mel.BANDS, 0), "speech": (0, 0, width), "logits": (0, classes)}
        _check_session(bundle.map, bundle.path / MAP, seen, {"mask": (0, log_mel.BANDS, 0)})


def _check_intensity(bundle: Bundle) -> None:
    """The head for the intensity has the numbers that this bundle's measures need."""
    head, chosen = bundle.manifest.intensity, bundle.features
    able = bundle.profile == "frames" and set(intensity.NEEDED) <= set(chosen.families)
    if head is not None and not (able and head.is_sound(intensity.size(chosen, bundle.embedding))):
        raise BundleError(
            f"{bundle.path / MANIFEST} has an `intensity` that does not fit its network, or a number there that is not "
            "sound: export the bundle again"
        )


def _check_session(session: Session, path: Path, inputs: Ports, outputs: Ports) -> None:
    for kind, expected, ports in (("input", inputs, session.get_inputs()), ("output", outputs, session.get_outputs())):
        found = {port.name: tuple(size if isinstance(size, int) else 0 for size in port.shape) for port in ports}
        for name, shape in expected.items():
            if name not in found:
                raise BundleError(f"{path} has no {kind} `{name}`, only {sorted(found)}: export the bundle again")
            fits = len(found[name]) == len(shape) and all(
                want in (0, have) or (have == 0 and kind == "output")
                for want, have in zip(shape, found[name], strict=True)
            )
            if not fits:
                raise BundleError(
                    f"{path} has the {kind} `{name}` of shape {list(found[name])} where {list(shape)} is needed "
                    "(0 is any length; classes come from encoder.json): export the bundle again"
                )
        if kind == "input" and found.keys() - expected.keys():
            raise BundleError(
                f"{path} wants an unknown input {sorted(found.keys() - expected)}: export the bundle again"
            )


def _check_canary(bundle: Bundle) -> None:
    """What the graphs compute here is what they computed on the workstation."""
    name, canary = bundle.profile, canary_input(bundle.profile, bundle.features)
    expected = np.array([bundle.manifest.canary], np.float32)
    answers = {MODEL: attempt(bundle.model, "logits", {name: canary}, str(bundle.path / MODEL))}
    if bundle.coalitions:
        everything = np.ones((1, len(bundle.features.families)), np.float32)
        feed = {name: canary, "masks": everything}
        answers[COALITIONS] = attempt(bundle.coalitions, "logits", feed, str(bundle.path / COALITIONS))
    for file, logits in answers.items():
        if logits.shape != expected.shape or not np.abs(logits - expected).max() < _CANARY_TOLERANCE:
            raise BundleError(
                f"{bundle.path / file} computes other logits here than where it was exported: "
                "install another release of onnxruntime, or export the bundle again"
            )
    if bundle.encoder:
        _check_encoder_canary(bundle, bundle.encoder)
    if bundle.encoder and bundle.map:
        _check_map_canary(bundle, bundle.encoder, bundle.map)
    if bundle.voice:
        voice = attempt(bundle.voice, "voice", {"spectrum": encoder_canary_input()}, str(bundle.path / VOICE))
        if not abs(float(np.linalg.norm(voice)) - 1) < _CANARY_TOLERANCE:
            raise BundleError(
                f"{bundle.path / VOICE} gives voices that are not of unit length: export the bundle again"
            )


def _check_encoder_canary(bundle: Bundle, encoder: Session) -> None:
    path = bundle.path / ENCODER
    columns = attempt(encoder, "speech", {"log_mel": encoder_canary_input()}, str(path))[0, -1]
    place = bundle.features.places[SPEECH]
    scaled = (columns - bundle.scaler.mean[place]) / bundle.scaler.scale[place]
    expected = np.array(bundle.manifest.encoder_canary, np.float32)
    if scaled.shape != expected.shape or not np.abs(scaled - expected).max() < _ENCODER_TOLERANCE:
        raise BundleError(
            f"{path} computes other columns here than where it was exported: "
            "install another release of onnxruntime, or export the bundle again"
        )


def _check_map_canary(bundle: Bundle, encoder: Session, graph: Session) -> None:
    spectrum = encoder_canary_input()
    speech = attempt(encoder, "speech", {"log_mel": spectrum}, str(bundle.path / ENCODER))
    logits = np.array([bundle.manifest.canary], np.float32)
    feed = {"log_mel": spectrum, "speech": speech, "logits": logits}
    mask = attempt(graph, "mask", feed, str(bundle.path / MAP))
    if mask.shape != spectrum.shape or not (mask.min() >= 0 and mask.max() <= 1):
        raise BundleError(f"{bundle.path / MAP} gives masks that are not between 0 and 1: export the bundle again")
