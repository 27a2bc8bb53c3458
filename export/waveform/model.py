"""The two graphs of a bundle that takes sound: one to the verdict, one that scores coalitions of families."""

import numpy as np
import onnx

from edge.errors import BundleError
from edge.model.bundle import Bundle
from edge.model.intensity import NEEDED
from edge.model.manifest import COALITIONS, ENCODER, MODEL, STATISTICS_INPUT
from export.graphs import OPSET
from export.waveform import families, sound, spectra, speech, verdict
from export.waveform.graph import Graph, Value, port


def waveform(bundle: Bundle) -> bytes:
    """``affectd.onnx``: ``samples`` float32 [1, n] -> all that a cold device says of one utterance (docs/waveform.md).

    Raises BundleError for a bundle of the profile ``pooled``.
    """
    if bundle.profile != "frames" or bundle.coalitions is None:
        raise BundleError(
            f"{bundle.path} is of the profile {bundle.profile}, which has no graph from sound: give one of frames"
        )
    graph, chosen = Graph(), bundle.features
    samples = sound.without_hum(sound.high_passed(sound.sixteen_bits(graph.input("samples"))))
    frames = families.frames(spectra.power(samples), chosen)
    if bundle.encoder is not None:
        encoder = _read(bundle, ENCODER).graph
        heard = speech.columns(spectra.whisper(samples), encoder, chosen.speech, frames.size())
        frames = graph.concat([frames, heard], axis=1)
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


def coalitions(bundle: Bundle) -> bytes:
    """``coalitions.onnx``: the bundle's, with every input required."""
    proto = _read(bundle, COALITIONS)
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
