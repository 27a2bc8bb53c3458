"""The graphs of a bundle that takes sound: one to the verdict, the same in pieces, and one that scores coalitions."""

import numpy as np
import onnx

from edge import features
from edge.errors import BundleError
from edge.features import log_mel
from edge.model.bundle import Bundle
from edge.model.intensity import NEEDED
from edge.model.manifest import COALITIONS, ENCODER, MODEL, STATISTICS_INPUT
from export.graphs import OPSET
from export.waveform import families, sound, spectra, speech, verdict
from export.waveform.graph import Graph, Value, port

SPECTRA, FRAMES = "spectra.onnx", "frames.onnx"
POWER, FINE = "power", "fine"


def waveform(bundle: Bundle) -> bytes:
    """``affectd.onnx``: ``samples`` float32 [1, n] -> all that a cold device says of one utterance (docs/waveform.md).

    Raises BundleError for a bundle of the profile ``pooled``.
    """
    _check(bundle)
    graph, chosen = Graph(), bundle.features
    frames = _frames(bundle, *_spectra(bundle, graph.input("samples")))
    scaled = (frames - graph.constant(bundle.scaler.mean)) / graph.constant(bundle.scaler.scale)
    shown = scaled.reshape(1, -1, len(chosen.names))
    logits, attention, embedding = _network(bundle, shown)
    outputs = {
        "frames": shown,
        "logits": logits,
        "probabilities": verdict.probabilities(logits, _inverse_temperature(bundle, frames, embedding)),
        "attention": attention,
    }
    shapes: dict[str, list[str | int]] = {
        "frames": [1, "frames", len(chosen.names)],
        "logits": [1, len(bundle.labels)],
        "probabilities": [1, len(bundle.labels)],
        "attention": [1, "steps"],
    }
    if bundle.embedding:
        outputs["embedding"], shapes["embedding"] = embedding, [1, bundle.embedding]
    if bundle.intensity is not None and set(NEEDED) <= set(chosen.families):
        found = verdict.strength(frames, scaled, embedding, chosen, bundle.intensity)
        outputs["intensity"], shapes["intensity"] = found, [1]
    for name, value in outputs.items():
        graph.name(value, name)
    return graph.model([port("samples", [1, "n"])], [port(name, shape) for name, shape in shapes.items()], OPSET)


def pieces(bundle: Bundle) -> dict[str, bytes]:
    """``affectd.onnx`` in three: for what changes the spectra on the way, or the frames (docs/waveform.md).

    Raises BundleError for a bundle of the profile ``pooled``.
    """
    _check(bundle)
    outer, inner, names = Graph(), Graph(), [POWER, FINE][: 1 + (bundle.encoder is not None)]
    for name, value in zip(names, _spectra(bundle, outer.input("samples")), strict=True):
        outer.name(value, name)
    inner.name(_frames(bundle, *(inner.input(name, np.float64) for name in names)), "frames")
    shapes: dict[str, list[str | int]] = {
        POWER: ["frames", features.WINDOW_SAMPLES // 2 + 1],
        FINE: ["steps", log_mel.WINDOW_SAMPLES // 2 + 1],
    }
    between = [port(name, shapes[name], np.float64) for name in names]
    columns = port("frames", ["frames", len(bundle.features.names)])
    return {
        SPECTRA: outer.model([port("samples", [1, "n"])], between, OPSET),
        FRAMES: inner.model(between, [columns], OPSET),
        MODEL: _required(bundle, MODEL),
    }


def coalitions(bundle: Bundle) -> bytes:
    """``coalitions.onnx``: the bundle's, with every input required."""
    return _required(bundle, COALITIONS)


def _check(bundle: Bundle) -> None:
    if bundle.profile != "frames" or bundle.coalitions is None:
        raise BundleError(
            f"{bundle.path} is of the profile {bundle.profile}, which has no graph from sound: give one of frames"
        )


def _spectra(bundle: Bundle, samples: Value) -> list[Value]:
    """Power spectra of samples [1, n] as they come: those of the families, and those of the encoder if there is one."""
    clean = sound.without_hum(sound.high_passed(sound.sixteen_bits(samples)))
    return [spectra.power(clean)] if bundle.encoder is None else [spectra.power(clean), spectra.fine(clean)]


def _frames(bundle: Bundle, power: Value, fine: Value | None = None) -> Value:
    """Raw frames float32 [frames, columns] of power spectra."""
    chosen = bundle.features
    frames = families.frames(power, chosen)
    if fine is None:
        return frames
    heard = speech.columns(spectra.whisper(fine), _read(bundle, ENCODER).graph, chosen.speech, frames.size())
    return frames.graph.concat([frames, heard], axis=1)


def _required(bundle: Bundle, name: str) -> bytes:
    """A graph of the bundle, with every input required."""
    proto = _read(bundle, name)
    kept = [tensor for tensor in proto.graph.initializer if tensor.name != STATISTICS_INPUT]
    del proto.graph.initializer[:]
    proto.graph.initializer.extend(kept)
    return bytes(proto.SerializeToString())


def _network(bundle: Bundle, shown: Value) -> tuple[Value, Value, Value]:
    """Logits, attention and embedding (empty where the bundle has none) of scaled frames [1, frames, columns]."""
    graph, inputs, wanted = shown.graph, {"frames": shown}, ["logits", "attention"]
    if not bundle.embedding:
        logits, attention = graph.include(_read(bundle, MODEL).graph, inputs, wanted, "model/")
        return logits, attention, graph.constant(np.zeros((1, 0), np.float32))
    inputs[STATISTICS_INPUT] = graph.constant(np.repeat(np.array([[0], [1]], np.float32), bundle.embedding, axis=1))
    logits, attention, embedding = graph.include(_read(bundle, MODEL).graph, inputs, [*wanted, "embedding"], "model/")
    return logits, attention, embedding


def _inverse_temperature(bundle: Bundle, frames: Value, embedding: Value) -> Value:
    """How far the logits are to be believed, as ``Classifier`` does."""
    found = bundle.manifest.calibration
    if found is None or "mel" not in bundle.features.places:
        return frames.graph.constant(np.array([1 / bundle.temperature]))
    if not found.measures:
        return frames.graph.constant(np.array([1 / found.temperature]))
    heard = embedding if bundle.embedding else frames.graph.constant(np.ones((1, 1), np.float32))
    return verdict.inverse_temperature(frames, heard, bundle.features, found)


def _read(bundle: Bundle, name: str) -> onnx.ModelProto:
    return onnx.load_from_string((bundle.path / name).read_bytes())
