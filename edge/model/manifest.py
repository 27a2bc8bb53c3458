"""``bundle.json``, the manifest of a model bundle: its files by name, its features, the input that it is tried on."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from edge.errors import BundleError
from edge.features import POOLED_NAMES, SPEECH, FeatureSet, log_mel
from edge.model.adapter import AdapterSettings, Kind
from edge.model.calibration import Calibration
from edge.model.intensity import Intensity
from edge.model.voices import VoiceThresholds

Floats = NDArray[np.float32]

FORMAT = 1
MANIFEST = "bundle.json"
MODEL, COALITIONS = "model.onnx", "coalitions.onnx"
SCALER, LABELS, CARD = "scaler.json", "encoder.json", "MODEL_CARD.md"
ENCODER = "encoder.onnx"
"""What hears the family ``speech``: not to be taken for scikit-learn's label encoder, ``encoder.json``."""
VOICE = "voice.onnx"
"""What tells voices apart; absent in a bundle that does without."""
MAP = "map.onnx"
"""What says which part of a sound a verdict rests on; absent in a bundle that does without."""
STATISTICS_INPUT = "usual"
"""The graphs' optional input: shift and scale [2, embedding] that are taken out of the embedding (``Adaptation``)."""
_REQUIRED = {MODEL, SCALER, LABELS, CARD}
_ALLOWED = {*_REQUIRED, COALITIONS, ENCODER, VOICE, MAP}

_CANARY_FRAMES = 48

Decoded = TypeVar("Decoded")


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """``bundle.json``."""

    format: int
    name: Annotated[str, Meta(min_length=1)]
    created: str
    """UTC, RFC 3339."""
    profile: Literal["frames", "pooled"]
    feature_specification: dict[str, object]
    """``edge.features.FeatureSet.specification`` of the training run; its ``families`` say which ones are used."""
    baseline: str | None = None
    """What the zero of the scaled features stands for in an explanation, in words; without it nothing is explained."""
    temperature: Annotated[float, Meta(gt=0)]
    threshold: Annotated[float, Meta(ge=0, le=1)]
    """Confidence below which the emotion is uncertain."""
    calibration: Calibration | None = None
    """How the confidence depends on what can be measured of an utterance; without it on ``temperature`` alone."""
    adapters: dict[Kind, AdapterSettings] = {}
    """How fast a history of each kind is learnt; one that is absent, as ``AdapterSettings`` has it."""
    intensity: Intensity | None = None
    """How strongly an emotion is expressed; a bundle without it says nothing of that."""
    voices: VoiceThresholds | None = None
    """How near is near enough for the voices that ``voice.onnx`` hears; a bundle has both, or neither."""
    canary: list[float]
    """Logits of ``canary_input``, as the workstation computed them."""
    encoder_canary: list[float] = []
    """The encoder's last frame for ``encoder_canary_input``, in scaled columns, likewise."""
    files: dict[str, str] = {}
    """sha256 of every other file, in hexadecimal."""
    card: dict[str, object] = {}
    """Corpora and licences, splits, scores, training configuration, commit: for people and records."""


class _Format(msgspec.Struct):
    format: int


def feature_set(specification: Mapping[str, object]) -> FeatureSet:
    """The families that a feature specification names; ValueError for one that this affectd does not compute."""
    families = specification.get("families")
    if not isinstance(families, dict):
        return FeatureSet(())
    width = families.get(SPEECH, 0)
    return FeatureSet(tuple(families), width if isinstance(width, int) else 0)


def input_names(profile: Literal["frames", "pooled"], chosen: FeatureSet) -> tuple[str, ...]:
    """The names of a profile's features, in order."""
    return chosen.names if profile == "frames" else POOLED_NAMES


def canary_input(profile: Literal["frames", "pooled"], chosen: FeatureSet) -> Floats:
    """The scaled input on which a bundle is tried: float32 [1, time, features], or [1, features] when pooled."""
    count = len(input_names(profile, chosen))
    shape = (1, _CANARY_FRAMES, count) if profile == "frames" else (1, count)
    wave: Floats = np.sin(np.arange(np.prod(shape)) * 0.7).reshape(shape).astype(np.float32)
    return wave


def encoder_canary_input() -> Floats:
    """The log-mel on which an encoder is tried: float32 [1, 80, time], as loud as speech."""
    shape = (1, log_mel.BANDS, 2 * _CANARY_FRAMES)
    wave: Floats = (0.5 + 0.5 * np.sin(np.arange(np.prod(shape)) * 0.7)).reshape(shape).astype(np.float32)
    return wave


def decode_manifest(content: bytes, path: Path) -> Manifest:
    """``bundle.json``, checked; BundleError where it is not as it must be or does not fit this affectd."""
    found = decode(content, path, _Format).format
    if found != FORMAT:
        raise BundleError(
            f"{path} has format {found}, and this affectd reads {FORMAT}: install an affectd that matches the bundle"
        )
    manifest = decode(content, path, Manifest)
    missing, unknown = _REQUIRED - manifest.files.keys(), manifest.files.keys() - _ALLOWED
    if missing or unknown:
        wrong = f"lacks {min(missing)}" if missing else f"lists {min(unknown)}, which no bundle holds"
        raise BundleError(f"{path} {wrong} under `files`: export the bundle again")
    if (VOICE in manifest.files) != (manifest.voices is not None):
        raise BundleError(f"{path} has {VOICE} or `voices`, and not both: export the bundle again")
    trained = manifest.feature_specification
    try:
        own = feature_set(trained).specification
    except ValueError as error:
        raise BundleError(
            f"{path} was trained on other features than this affectd computes ({error}): "
            "export a bundle with this version, or install the version that made it"
        ) from None
    if trained != own:
        key = min(key for key in {*trained, *own} if trained.get(key) != own.get(key))
        raise BundleError(
            f"{path} was trained on other features than this affectd computes (`{key}` is {trained.get(key)}, "
            f"here {own.get(key)}): export a bundle with this version, or install the version that made it"
        )
    numbers = [manifest.temperature, manifest.threshold, *manifest.canary, *manifest.encoder_canary]
    if not np.isfinite(numbers).all() or not (manifest.calibration is None or manifest.calibration.is_sound()):
        raise BundleError(f"{path} holds a number that is not finite: export the bundle again")
    return manifest


def decode(content: bytes, path: Path, kind: type[Decoded]) -> Decoded:
    """JSON of a bundle's file as a ``kind``; BundleError, which names ``path``, where it is none."""
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BundleError(f"{path} is not what it should be ({error}): export the bundle again") from None
