"""What would make `default` cheaper, and what each would cost in accuracy: UAR, cold, near and in a room.

Three ways: an early exit, which asks `light` first and `default` where that is not sure; the encoder in pieces while
somebody speaks; its weights in other forms. The first two are judged on the shipped bundles and the four actors of
RAVDESS that neither was fitted on; the third on a checkpoint's own test side, whose weights are still whole.

Run from the repository's root: python -m benchmarks.accuracy.cheaper [--checkpoint FILE] [--json FILE]
"""

import argparse
import json
import tempfile
from collections.abc import Callable
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path

import msgspec
import numpy as np
import onnx
import torch
from tqdm import tqdm

from benchmarks import measure
from edge.features import FeatureSet
from edge.model import encoder as device
from edge.model.bundle import Bundle
from edge.model.manifest import ENCODER
from edge.model.runtime import Session, open_session
from export import graphs
from export.__main__ import export
from train import evaluate, listen, report
from train.calibration import constant
from train.checkpoint import read_checkpoint
from train.conditions import condition
from train.corpora import Clip, read_folders
from train.recordings import hand_made, log_mel, streams_of
from train.run import read_split
from train.settings import Settings, data_folders, sounds_folder
from train.speech import join

RESULTS = Path(__file__).parent / "cheaper.json"
ACTORS = tuple(f"ravdess/*_{number}" for number in (17, 18, 19, 20))
CONDITIONS = ("near", "far")
SURE = (0.5, 0.6, 0.7, 0.8, 0.9)
PIECES_S = (0.5, 1.0, 2.0)
FRAMES_A_SECOND = 100  # of log-mel
SECONDS, CALLS = 3, 40

Heard = dict[str, tuple[list[np.ndarray], list[np.ndarray]]]
"""By condition: the hand-made frames of every clip, and its log-mel [80, time]."""


def heard_of(clips: list[Clip], folder: Path, cache: Path, chosen: FeatureSet) -> Heard:
    """What a bundle's front end makes of the clips in each condition."""
    found: Heard = {}
    for name in CONDITIONS:
        named = condition(name, cache, sounds_folder())
        frames, spectra = streams_of(clips, folder, cache, 1, named, "", (hand_made(chosen), log_mel()))
        found[name] = (
            [np.asarray(clip, np.float32) for clip in frames],
            [np.ascontiguousarray(clip.T, np.float32) for clip in spectra],
        )
    return found


def judged(
    bundle: Bundle, clips: list[Clip], heard: Heard, encode: Callable[[np.ndarray], np.ndarray] | None
) -> dict[str, tuple[float, np.ndarray]]:
    """UAR in each condition, and the calibrated probabilities [clips, classes]."""
    model, found = evaluate.adaptive_model(bundle), {}
    calibration = bundle.manifest.calibration or constant(bundle.temperature)
    for name, (frames, spectra) in heard.items():
        whole = [
            join(frame, encode(spectrum)) if encode else frame
            for frame, spectrum in zip(frames, tqdm(spectra, leave=False, disable=encode is None), strict=True)
        ]
        said = listen.listen(clips, whole, model)
        scores = report.describe(clips, said, bundle.labels, calibration, "none")
        found[name] = float(scores["uar"]), calibration.probabilities(said.logits, said.measured)
    return found


def early_exit(clips: list[Clip], light: np.ndarray, default: np.ndarray, labels: tuple[str, ...]) -> list[dict]:
    """For each bound of confidence: how often `light` answers alone, and the UAR of the pair."""
    meant = np.array([labels.index(clip.emotion) for clip in clips])
    rows = []
    for bound in SURE:
        alone = light.max(axis=1) >= bound
        named = np.where(alone, light.argmax(axis=1), default.argmax(axis=1))
        recalls = [float((named[meant == label] == label).mean()) for label in np.unique(meant)]
        rows.append({"sure": bound, "alone": float(alone.mean()), "uar": float(np.mean(recalls))})
    return rows


def in_pieces(encoder: Session, seconds: float) -> Callable[[np.ndarray], np.ndarray]:
    """An encoder that hears so many seconds at a time, as it could while somebody speaks."""
    size = round(seconds * FRAMES_A_SECOND)

    def encode(spectrum: np.ndarray) -> np.ndarray:
        starts = range(
            0, max(1, spectrum.shape[1] - size // 2), size
        )  # a last piece that is short joins the one before
        stops = [*starts[1:], spectrum.shape[1]]
        pieces = [device.encoded(encoder, spectrum[:, start:stop]) for start, stop in zip(starts, stops, strict=True)]
        return np.concatenate(pieces)

    return encode


def forms(whole: bytes) -> dict[str, bytes]:
    """The encoder's graph with its weights in each form."""
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.transformers.float16 import convert_float_to_float16

    with tempfile.TemporaryDirectory() as folder:
        source, small = Path(folder) / "whole.onnx", Path(folder) / "small.onnx"
        source.write_bytes(whole)
        quantize_dynamic(
            source, small, per_channel=True, weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul", "Gemm"]
        )
        plain = small.read_bytes()
    half = convert_float_to_float16(onnx.load_from_string(whole), keep_io_types=True)
    return {
        "float32": whole,
        "float16": half.SerializeToString(),
        "8 bits": plain,
        "8 bits, and what they leave over (as shipped)": graphs.quantised(whole),
    }


def cpu_ms(call: Callable[[], object]) -> float:
    """CPU milliseconds of a call, the median of several runs."""
    return measure.interleaved({"it": call}, 5)[0]["it"].median


def shipped(folder: Path, cache: Path) -> dict[str, object]:
    """Early exit, and the encoder in pieces."""
    clips = [clip for clip in read_folders([folder]) if any(fnmatch(clip.who, actor) for actor in ACTORS)]
    bundles = {name: Bundle.load(path) for name, path in measure.BUNDLES.items()}
    default, light = bundles["default"], bundles["light"]
    clips, _ = evaluate.known(clips, default)
    heard = heard_of(clips, folder, cache, FeatureSet(default.features.hand_made))
    said = {
        "default": judged(default, clips, heard, lambda spectrum: device.encoded(default.encoder, spectrum)),
        "light": judged(light, clips, heard, None),
    }
    found: dict[str, object] = {"clips": len(clips)}
    found["alone"] = {name: {where: uar for where, (uar, _) in one.items()} for name, one in said.items()}
    found["early exit"] = {
        where: early_exit(clips, said["light"][where][1], said["default"][where][1], default.labels)
        for where in CONDITIONS
    }
    found["in pieces"] = {
        f"{seconds:g} s": {
            where: uar for where, (uar, _) in judged(default, clips, heard, in_pieces(default.encoder, seconds)).items()
        }
        for seconds in PIECES_S
    }
    return found


def of_checkpoint(path: Path, folder: Path, cache: Path) -> dict[str, object]:
    """The encoder's weights in each form."""
    trained = read_checkpoint(path)
    settings = msgspec.convert(trained.card["training"], Settings)
    split = read_split(settings, *data_folders())
    clips = [clip for clip in split.test if clip.emotion in trained.classes]
    heard = heard_of(clips, folder, cache, trained.features)
    speech = trained.speech.module()
    whole = graphs.encoder(speech)
    with tempfile.TemporaryDirectory() as name:
        bundle = export(trained, Path(name) / "bundle", "folds")
    spectrum = heard["near"][1][0]
    example = np.resize(spectrum, (80, SECONDS * FRAMES_A_SECOND)).astype(np.float32)
    rows, reference = {}, None
    for form, graph in forms(whole).items():
        session = open_session(graph, ENCODER)
        one = replace(bundle, encoder=session)
        found = judged(one, clips, heard, lambda spectrum, session=session: device.encoded(session, spectrum))
        reference = reference or found
        apart = np.abs(found["near"][1] - reference["near"][1]).max(axis=1)
        rows[form] = {
            "bytes": len(graph),
            "ms": cpu_ms(lambda session=session: device.encoded(session, example)),
            "uar": {where: uar for where, (uar, _) in found.items()},
            "apart": {"mean": float(apart.mean()), "most": float(apart.max())},
        }
        print(form, rows[form], flush=True)
    return {"test": list(settings.split.test), "clips": len(clips), "forms": rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", type=Path, help="of `python -m train judge`, for the encoder's weights")
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"), help="where features are kept")
    parser.add_argument("--json", type=Path, default=RESULTS, metavar="FILE")
    options = parser.parse_args()
    torch.set_num_threads(1)
    found = json.loads(options.json.read_text()) if options.json.is_file() else {}
    folder = data_folders()[0]
    if options.checkpoint:
        found["forms"] = of_checkpoint(options.checkpoint, folder, options.cache)
    else:
        found |= shipped(folder, options.cache)
    text = json.dumps(report.rounded(found), indent=1)
    options.json.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
