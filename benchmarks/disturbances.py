"""What an offset and mains hum do to the answers, and what the high-pass costs that stands before them.

The same recordings are played over each disturbance, with a second of quiet room before and after, and go the device's
whole way. Right: the longest utterance's likeliest emotion is the one that was acted.

python -m benchmarks.disturbances [--clips N] [--data DIR] [--json FILE]
"""

import csv
import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks import measure
from edge.audio import BLOCK_SAMPLES, FULL_SCALE, SAMPLE_RATE
from edge.cli.analyse import analyse_chunks
from edge.config import GateSettings
from edge.daemon.pipeline import Analyst
from edge.model.bundle import DEFAULT, Bundle
from edge.model.classifier import Classifier
from edge.sources.batcher import BLOCKS
from edge.sources.conversion import read_audio
from edge.sources.highpass import HighPass

SEED = 15
ROOM_DB = -75.0  # dBFS
HARMONICS_DB = (0, -20, -20, -30, -30)  # of hum: 50 Hz and the next four
ALLOWED = 2  # fewer right answers
IDLE_S = 0.2  # CPU seconds an hour that the high-pass may cost

Signal = NDArray[np.float64]


def hum(level_db: float, hz: float = 50.0) -> Callable[[Signal], Signal]:
    """Adds mains hum of this level, dBFS, with its harmonics."""

    def disturb(sound: Signal) -> Signal:
        phase = 2 * np.pi * hz * np.arange(len(sound)) / SAMPLE_RATE
        tones = sum(10 ** (db / 20) * np.sin(order * phase + order) for order, db in enumerate(HARMONICS_DB, 1))
        return sound + np.asarray(tones) / np.std(tones) * FULL_SCALE * 10 ** (level_db / 20)

    return disturb


def offset(share: float) -> Callable[[Signal], Signal]:
    """Adds a constant, as a share of full scale."""
    return lambda sound: sound + share * FULL_SCALE


DISTURBANCES: dict[str, Callable[[Signal], Signal]] = {
    "untouched": lambda sound: sound,
    "offset 0.02": offset(0.02),
    "offset 0.1": offset(0.1),
    "hum at -40 dBFS": hum(-40),
    "hum at -30 dBFS": hum(-30),
    "60 Hz hum at -30 dBFS": hum(-30, 60.0),
}


def in_room(samples: NDArray[np.int16]) -> Signal:
    """A recording with a second of a quiet room before and after."""
    noise = np.random.default_rng(SEED).normal(0, FULL_SCALE * 10 ** (ROOM_DB / 20), len(samples) + 2 * SAMPLE_RATE)
    noise[SAMPLE_RATE:-SAMPLE_RATE] += samples
    return noise


def answer(sound: Signal, analyst: Analyst) -> str | None:
    """The likeliest emotion of the longest utterance; None without one."""
    samples = np.clip(np.rint(sound), -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
    found = list(analyse_chunks([samples], analyst, GateSettings(), whole=False))
    if not found:
        return None
    probabilities = max(found, key=lambda each: each.end - each.start).verdict.probabilities
    return max(probabilities, key=probabilities.__getitem__)


def idle_cpu_s() -> float:
    """CPU seconds of the high-pass for an hour of sound, in the batches of a quiet room."""
    batch = np.random.default_rng(SEED).normal(0, 30, BLOCKS * BLOCK_SAMPLES).astype(np.int16)
    high_pass = HighPass()
    batches = round(3600 * SAMPLE_RATE / len(batch))
    began = time.process_time()
    for _ in range(batches):
        high_pass.push(batch)
    return time.process_time() - began


def main() -> None:
    parser = measure.parser(__doc__)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("AFFECTD_DATA", "../shared/data")))
    parser.add_argument("--clips", type=int, default=60)
    options = parser.parse_args()
    with (options.data / "manifest.csv").open(newline="") as file:
        rows = random.Random(SEED).sample(list(csv.DictReader(file)), options.clips)
    analyst = Analyst(Classifier(Bundle.load(DEFAULT), threshold=0.0), None)
    clips = [in_room(read_audio(options.data / row["path"])) for row in rows]
    answers = {
        name: [answer(disturb(clip), analyst) for clip in tqdm(clips, name)] for name, disturb in DISTURBANCES.items()
    }
    right = {
        name: sum(said == row["emotion"] for said, row in zip(each, rows, strict=True))
        for name, each in answers.items()
    }
    least = right["untouched"] - ALLOWED
    cost = measure.Spread([idle_cpu_s() for _ in range(options.runs)], "s/h")
    found = [
        measure.Row(
            "-", f"{options.clips} recordings, {name}", f"{count} right", "-",
            [measure.Goal(f"≥ {least}", count, least, least=True)] if "60 Hz" not in name else [], {},
        )
        for name, count in right.items()
    ]  # fmt: skip
    idle = measure.Goal(f"≤ {IDLE_S} s/h", min(cost.values), IDLE_S)
    found.append(measure.Row("-", "high-pass while nobody speaks, CPU", str(cost), "-", [idle], {}))
    measure.report(found, {"right": right, "high_pass_cpu": cost}, options.json)


if __name__ == "__main__":
    main()
