"""The trial of a bundle: that its graphs have the ports and the answers that the device will ask them for."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from edge.errors import BundleError
from edge.features import SPEECH, log_mel
from edge.model import intensity
from edge.model.manifest import (
    COALITIONS,
    ENCODER,
    MANIFEST,
    MAP,
    MODEL,
    STATISTICS_INPUT,
    VOICE,
    canary_input,
    encoder_canary_input,
    input_names,
)
from edge.model.runtime import Session, attempt

if TYPE_CHECKING:
    from edge.model.bundle import Bundle

_CANARY_TOLERANCE = 1e-2  # in logits: processors round apart by far less, a miscalculation is far more
_ENCODER_TOLERANCE = 0.02  # in standard deviations: ten times what kinds of processor round apart

Ports: TypeAlias = Mapping[str, tuple[int, ...]]


def attempt_all(bundle: "Bundle") -> None:
    """Try every graph of a bundle that was read; BundleError, one sentence, where one does not fit."""
    _check_ports(bundle)
    _check_intensity(bundle)
    _check_canary(bundle)


def embedding(session: Session) -> int:
    """How wide the embedding of a graph is that an adapter can follow."""
    shapes = [port.shape for port in session.get_overridable_initializers() if port.name == STATISTICS_INPUT]
    width = shapes[0][-1] if shapes else 0
    return width if isinstance(width, int) else 0


def _check_ports(bundle: "Bundle") -> None:
    """The graphs' inputs and outputs are those that the classifier and the explainer will ask for; 0 is any length."""
    count, classes = len(input_names(bundle.profile, bundle.features)), len(bundle.labels)
    logits: Ports = {"logits": (0, classes), **({"embedding": (0, bundle.embedding)} if bundle.embedding else {})}
    inputs: Ports = {"frames": (0, 0, count)} if bundle.profile == "frames" else {"pooled": (0, count)}
    outputs: Ports = {**logits, "attention": (0, 0)} if bundle.profile == "frames" else logits
    _check_session(bundle.model, bundle.path / MODEL, inputs, outputs)
    if bundle.coalitions:
        masked: Ports = {"frames": (0, 0, count), "masks": (0, len(bundle.features.families))}
        _check_session(bundle.coalitions, bundle.path / COALITIONS, masked, logits)
        if embedding(bundle.coalitions) != bundle.embedding:
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


def _check_intensity(bundle: "Bundle") -> None:
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


def _check_canary(bundle: "Bundle") -> None:
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


def _check_encoder_canary(bundle: "Bundle", encoder: Session) -> None:
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


def _check_map_canary(bundle: "Bundle", encoder: Session, graph: Session) -> None:
    spectrum = encoder_canary_input()
    speech = attempt(encoder, "speech", {"log_mel": spectrum}, str(bundle.path / ENCODER))
    logits = np.array([bundle.manifest.canary], np.float32)
    feed = {"log_mel": spectrum, "speech": speech, "logits": logits}
    mask = attempt(graph, "mask", feed, str(bundle.path / MAP))
    if mask.shape != spectrum.shape or not (mask.min() >= 0 and mask.max() <= 1):
        raise BundleError(f"{bundle.path / MAP} gives masks that are not between 0 and 1: export the bundle again")
