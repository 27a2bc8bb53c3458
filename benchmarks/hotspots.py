"""Where the time goes: each stage of three seconds of speech, each kind of node in the graphs, and what a core can do.

python -m benchmarks.hotspots [--runs N] [--json FILE]
"""

import json
import math
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import onnxruntime

from benchmarks import measure
from edge import features
from edge.audio import BLOCK_SAMPLES, SAMPLE_RATE
from edge.config import GateSettings
from edge.daemon.pipeline import AnalysisSettings, analyse
from edge.daemon.reporting import Origin, event_of
from edge.explain import perturbation, shapley
from edge.explain.explainer import Explainer
from edge.features import log_mel
from edge.model import encoder, voices
from edge.model.bundle import DEFAULT, Bundle
from edge.model.classifier import Classifier
from edge.model.manifest import COALITIONS, ENCODER, MODEL
from edge.model.runtime import open_session
from edge.sources.conversion import into_blocks, read_audio
from edge.vad.detectors import CheapDetector, NeuralDetector
from edge.vad.gate import Gate, Utterance

SECONDS = 3
MATRIX = 512
RUNS_OF_A_GRAPH = 40


def stages(samples: np.ndarray) -> dict[str, Callable[[], object]]:
    """The stages of analysing the samples once."""
    blocks = list(into_blocks([samples]))
    floats = [block.astype(np.float32) for block in blocks]
    cheap, neural = CheapDetector(0), NeuralDetector()
    classifier = Classifier(Bundle.load())
    chosen = classifier.bundle.features
    explainer, frames = Explainer(classifier), encoder.frames(samples, classifier.bundle)
    spectrum = log_mel.log_mel(samples)
    prediction, inputs = classifier.predict(frames), classifier.inputs(frames)
    masks = shapley.coalitions(len(chosen.families))
    analysis = analyse(Utterance(0, samples, 20.0), classifier, AnalysisSettings())

    def gate() -> None:
        listening = Gate(GateSettings())  # its weights are read once a process
        for block in blocks:
            listening.push(block)

    return {
        "the gate": gate,
        "  of it WebRTC's detector": lambda: [cheap.is_speech(block) for block in blocks],
        "  of it Silero": lambda: [neural.probability(block) for block in floats],
        "hand-made features": lambda: features.frames(samples, chosen),
        "log-mel of the encoder": lambda: log_mel.log_mel(samples),
        "encoder": lambda: encoder.encoded(classifier.bundle.encoder, spectrum),
        "whose voice it is": lambda: voices.heard(classifier.bundle.voice, spectrum),
        "prediction: scaler, network, softmax": lambda: classifier.predict(frames),
        "explanation": lambda: explainer.families(prediction),
        f"  of it the network over {len(masks)} coalitions": lambda: perturbation.of_families(
            classifier.bundle, inputs, masks
        ),
        "the event as JSON": lambda: msgspec.json.encode(event_of(analysis, Origin("n", "b", "m"), 0.0).numbered(1)),
    }


def graph(name: str, output: str, feed: dict[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """Milliseconds and millions of multiply-adds of each kind of node, from ONNX Runtime's own profiler."""
    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.enable_mem_pattern = options.enable_cpu_mem_arena = False
        options.log_severity_level = 3
        options.enable_profiling, options.profile_file_prefix = True, f"{folder}/profile"
        session = onnxruntime.InferenceSession(DEFAULT / name, options, providers=["CPUExecutionProvider"])
        for _ in range(RUNS_OF_A_GRAPH):
            session.run([output], feed)
        events = json.loads(Path(session.end_profiling()).read_text())
    times: dict[str, list[float]] = defaultdict(list)
    nodes = {}
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            times[event["name"]].append(event["dur"] / 1e3)
            nodes[event["name"]] = event["args"]
    found: dict[str, dict[str, float]] = defaultdict(lambda: {"ms": 0.0, "million multiply-adds": 0.0})
    for node, durations in times.items():
        kind = found[nodes[node]["op_name"]]
        kind["ms"] += statistics.median(durations)
        kind["million multiply-adds"] += multiply_adds(nodes[node]) / 1e6
    return dict(sorted(found.items(), key=lambda pair: -pair[1]["ms"]))


def multiply_adds(node: dict) -> float:
    """Multiply-adds of one node, from the shapes in the profile."""
    inputs = [next(iter(each.values())) for each in node["input_type_shape"]]
    output = next(iter(node["output_type_shape"][0].values()))
    match node["op_name"]:
        case "Conv" | "FusedConv":
            return math.prod(output) * math.prod(inputs[1][1:])
        case "MatMul" | "Gemm" | "FusedMatMul" | "FusedGemm" | "DynamicQuantizeMatMul" | "MatMulIntegerToFloat":
            return math.prod(output) * inputs[0][-1]
        case "LSTM":
            steps, directions, batch, hidden = output
            return steps * directions * batch * 4 * hidden * (inputs[0][-1] + hidden)
        case _:
            return 0


def peak(runs: int) -> float:
    """Thousand million multiply-adds a second of one core, in a product of float32 matrices: the best of the runs."""
    left = np.random.default_rng(0).standard_normal((MATRIX, MATRIX), dtype=np.float32)
    product, best = np.empty_like(left), math.inf
    for _ in range(20 * runs):
        began = time.perf_counter()
        np.matmul(left, left, out=product)
        best = min(best, time.perf_counter() - began)
    return MATRIX**3 / best / 1e9


def peak_of_8_bits(runs: int) -> float:
    """The same of a product of 8-bit matrices, as ONNX Runtime makes it."""
    from onnx import TensorProto, helper

    sizes = {"left": TensorProto.UINT8, "right": TensorProto.INT8, "product": TensorProto.INT32}
    left, right, product = (helper.make_tensor_value_info(name, kind, [MATRIX] * 2) for name, kind in sizes.items())
    node = helper.make_node("MatMulInteger", ["left", "right"], ["product"])
    graph = helper.make_graph([node], "peak", [left, right], [product])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = open_session(model.SerializeToString(), "peak")
    generator, best = np.random.default_rng(0), math.inf
    feed = {
        "left": generator.integers(0, 255, (MATRIX, MATRIX), np.uint8),
        "right": generator.integers(-127, 127, (MATRIX, MATRIX), np.int8),
    }
    for _ in range(20 * runs):
        began = time.perf_counter()
        session.run(["product"], feed)
        best = min(best, time.perf_counter() - began)
    return MATRIX**3 / best / 1e9


def main() -> None:
    options = measure.parser(__doc__).parse_args()
    samples = read_audio(measure.DEMO)[: SECONDS * SAMPLE_RATE // BLOCK_SAMPLES * BLOCK_SAMPLES]
    cpu, _ = measure.interleaved(stages(samples), options.runs)
    print(f"\n| stage, {SECONDS} s of speech | CPU |\n|---|---|")
    for name, spread in cpu.items():
        print(f"| {name.replace('  ', '&nbsp;&nbsp;')} | {spread} |")

    classifier = Classifier(Bundle.load())
    chosen = classifier.bundle.features
    inputs, spectrum = classifier.inputs(encoder.frames(samples, classifier.bundle)), log_mel.log_mel(samples)[None]
    masks = shapley.coalitions(len(chosen.families))
    graphs = {
        "encoder": graph(ENCODER, "speech", {"log_mel": spectrum}),
        "one row": graph(MODEL, "logits", {"frames": inputs}),
        f"{len(masks)} coalitions": graph(COALITIONS, "logits", {"frames": inputs, "masks": masks}),
    }
    best = peak(options.runs)
    for name, kinds in graphs.items():
        print(f"\n| node, {name} | ms | million multiply-adds | of what a core can do |\n|---|---|---|---|")
        kinds["all"] = {key: sum(each[key] for each in kinds.values()) for key in ("ms", "million multiply-adds")}
        for kind, each in kinds.items():
            share = each["million multiply-adds"] / each["ms"] / best
            print(f"| {kind} | {each['ms']:.2f} | {each['million multiply-adds']:.1f} | {share:.0%} |")
    eight = peak_of_8_bits(options.runs)
    print(
        f"\nOne core here: {best:.0f} thousand million multiply-adds a second (float32, {MATRIX} x {MATRIX}), "
        f"{eight:.0f} in 8 bits."
    )
    if options.json:
        details = {"stages": cpu, "graphs": graphs, "peak_gmac_per_s": best, "peak_gmac_per_s_8_bits": eight}
        measure.write([], details, options.json)


if __name__ == "__main__":
    main()
