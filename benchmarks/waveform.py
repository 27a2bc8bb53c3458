"""The graphs from sound (docs/waveform.md) against the device: fifty clips, and the time of an explained utterance.

Needs the corpora (AFFECTD_DATA), and node with onnxruntime-web: `npm ci` in web/, or NODE_PATH.

python -m benchmarks.waveform [--clips 50]
"""

import argparse
import csv
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.measure import DEMO, ROOT
from edge.audio import FULL_SCALE, SAMPLE_RATE
from edge.model.bundle import Bundle
from edge.model.choice import SHIPPED
from edge.model.runtime import Session, open_session
from edge.sources.conversion import read_audio
from export import waveform
from export.waveform import parity

SCRIPT = ROOT / "tests" / "export" / "heard.cjs"
DATA = Path(os.environ.get("AFFECTD_DATA", str(ROOT.parent / "shared" / "data")).split(":")[0])
REPEATS = 25


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=50)
    options = parser.parse_args()
    with (DATA / "manifest.csv").open(newline="") as file:
        paths = [DATA / row["path"] for row in csv.DictReader(file)]
    clips = [read_audio(path) for path in paths[:: len(paths) // options.clips][: options.clips]]
    for name, folder in SHIPPED.items():
        report(name, Bundle.load(folder), clips)


def report(name: str, bundle: Bundle, clips: list[np.ndarray]) -> None:
    graph = open_session(waveform.waveform(bundle), name)
    wanted = [parity.heard(clip, bundle) for clip in clips]
    native = [parity.outputs(graph, clip)["probabilities"][0] for clip in clips]
    three = read_audio(DEMO)[: 3 * SAMPLE_RATE]
    web = in_webassembly(bundle, [*clips, *[three] * REPEATS])
    print(f"\n{name}, {len(clips)} clips: largest difference of any probability, and whether the emotion is another")
    for where, found in (("Python", native), ("WebAssembly", [line["probabilities"] for line in web])):
        differences = np.array(
            [
                np.abs(np.array(row) - list(prediction.probabilities.values())).max()
                for row, prediction in zip(found, wanted, strict=False)
            ]
        )
        others = sum(
            bundle.labels[int(np.argmax(row))] != prediction.label
            for row, prediction in zip(found, wanted, strict=False)
        )
        print(
            f"  {where}: {differences.max():.1e}, median {np.median(differences):.1e}, "
            f"{(differences > 1e-3).sum()} above 1e-3, {others} others"
        )
    times = np.array([line["milliseconds"] for line in web[len(clips) :]])
    whole, parts = times.min(axis=0)
    middle = np.median(times.sum(axis=1))
    print(f"  3 s in WebAssembly: {whole:.0f} + {parts:.0f} ms explained at best, {middle:.0f} ms in the median")
    begun = [timed(graph, three) for _ in range(REPEATS)]
    print(f"  3 s in Python, without explanation: {min(begun):.0f} ms at best, {np.median(begun):.0f} ms in the median")


def timed(graph: Session, samples: np.ndarray) -> float:
    begin = time.perf_counter()
    parity.outputs(graph, samples)
    return (time.perf_counter() - begin) * 1e3


def in_webassembly(bundle: Bundle, clips: list[np.ndarray]) -> list[dict]:
    environment = os.environ | {
        "NODE_PATH": os.pathsep.join([str(ROOT / "web" / "node_modules"), os.environ.get("NODE_PATH", "")])
    }
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        waveform.write(bundle, folder / "graphs")
        files = [folder / f"{number}.f32" for number in range(len(clips))]
        for file, clip in zip(files, clips, strict=True):
            file.write_bytes((clip / np.float32(FULL_SCALE)).astype("<f4").tobytes())
        done = subprocess.run(
            ["node", SCRIPT, folder / "graphs", *files], env=environment, stdout=subprocess.PIPE, text=True, check=True
        )
    return [json.loads(line) for line in done.stdout.splitlines()]


if __name__ == "__main__":
    main()
