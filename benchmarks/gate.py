"""How many utterances the gate finds in noise, how often noise alone opens it, and its cost an hour.

    OMP_NUM_THREADS=1 python benchmarks/gate.py --data DIR [--json FILE]

DIR (default: the environment's AFFECTD_DATA, else ../shared/data) holds speech recordings and their manifest.csv.
"""

import argparse
import csv
import json
import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from time import process_time

import msgspec
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from edge.audio import BLOCK_SAMPLES, SAMPLE_RATE
from edge.config import GateSettings
from edge.sources.conversion import read_audio
from edge.sources.highpass import HighPass
from edge.vad.detectors import NeuralDetector
from edge.vad.gate import Gate, SpeechStarted, Utterance

FULL_SCALE = 32768.0
NOISE_DB = -40.0  # dBFS
FRAME = 160  # 10 ms: the resolution of the true onsets
AUDIBLE_DB = 25.0  # below a clip's loud frames: still speech
ABOVE_ROOM_DB = 10.0  # above the quietest tenth of a clip, which is the room it was recorded in
LASTING = 10  # frames, of which six are loud: a click or a breath is no onset
CLIPPED_S = 0.05
TALKERS = 8
BABBLE_CLIPS = 500

Audio = NDArray[np.float32]  # [n], full scale 1


@dataclass(frozen=True)
class Clip:
    """A recording whose speech runs from sample ``onset`` to ``end`` and has unit power there."""

    samples: Audio
    onset: int
    end: int


@dataclass(frozen=True)
class Recall:
    noise: str
    snr_db: float
    clips: int
    found: int
    clipped: int
    worst_onset_ms: float
    whole: int
    false_utterances: int
    estimated_snr_db: float
    neural_share: float


@dataclass(frozen=True)
class Alone:
    noise: str
    openings_per_hour: float
    utterances_per_hour: float
    neural_share: float
    cpu_s_per_hour: float


def main() -> None:
    options = _options()
    settings = msgspec.convert(
        {name: float(value) for name, value in (pair.split("=") for pair in options.set)}, GateSettings, strict=False
    )
    rng = np.random.default_rng(options.seed)
    clips, others = load_clips(options.data, options.clips, rng)
    noises: dict[str, Callable[[int], Audio]] = {
        "pink noise": lambda n: pink(n, rng),
        "fan hum": lambda n: hum(n, rng),
        "babble": lambda n: babble(n, others, rng),
    }
    scene = int(options.minutes * 60 * SAMPLE_RATE)
    recalls = []
    for name, noise in noises.items():
        for snr_db in (20.0, 10.0):
            mixture, bounds = lay(clips, noise(scene), snr_db, rng)
            recalls.append(recall(name, snr_db, mixture, bounds, settings))
    hour = int(options.hours * 3600 * SAMPLE_RATE)
    alone = [
        stand_alone(name, noise(hour), settings)
        for name, noise in {"silence": lambda n: np.zeros(n, np.float32), **noises}.items()
    ]
    neural_s = neural_seconds(pink(hour // 6, rng)) * 6 / options.hours
    report(recalls, alone, neural_s)
    if options.json:
        result = {
            "settings": msgspec.to_builtins(settings),
            "recall": [asdict(row) for row in recalls],
            "alone": [asdict(row) for row in alone],
            "silero_on_every_block_cpu_s_per_hour": neural_s,
        }
        options.json.write_text(json.dumps(result, indent=2) + "\n")


def load_clips(data: Path, count: int, rng: np.random.Generator) -> tuple[list[Clip], list[Path]]:
    """``count`` clips, the same number of every corpus, and the paths of clips by other speakers."""
    with (data / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    by_corpus = defaultdict(list)
    for row in rows:
        by_corpus[row["corpus"]].append(row)
    chosen = []
    for index, corpus in enumerate(sorted(by_corpus)):
        share = (count + index) // len(by_corpus)
        chosen += [by_corpus[corpus][i] for i in rng.choice(len(by_corpus[corpus]), share, replace=False)]
    taken = {row["path"] for row in chosen}
    rest = [data / row["path"] for row in rows if row["path"] not in taken]
    rng.shuffle(chosen)
    return [find_speech(_read(data / row["path"])) for row in tqdm(chosen, "clips")], rest


def find_speech(samples: Audio) -> Clip:
    """Finds where the speech of a clean clip begins and ends, by its energy; scales it to unit power in between."""
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
    level = 10 * np.log10(np.mean(frames**2, axis=1) + 1e-10)
    top, room = np.percentile(level, 95), np.percentile(level, 10)
    # In some clips even the quietest tenth is speech: less than 15 dB below the loud frames is never the room.
    loud = level > max(top - AUDIBLE_DB, min(room + ABOVE_ROOM_DB, top - 15))
    lasting = np.flatnonzero(loud & (np.convolve(loud, np.ones(LASTING), "same") >= 0.6 * LASTING))
    onset, end = int(lasting[0]) * FRAME, int(lasting[-1] + 1) * FRAME
    power = float(np.mean(samples[onset:end] ** 2))
    return Clip(samples / np.float32(np.sqrt(power)), onset, end)


def lay(
    clips: list[Clip], noise: Audio, snr_db: float, rng: np.random.Generator
) -> tuple[Audio, list[tuple[int, int]]]:
    """Mixes clips into noise, 2-8 s apart; returns the mixture and the bounds of each clip's speech."""
    gain = np.float32(10 ** ((NOISE_DB + snr_db) / 20))
    mixture = noise
    bounds = []
    position = int(5 * SAMPLE_RATE)
    for clip in clips:
        position += int(rng.uniform(2, 8) * SAMPLE_RATE)
        if position + len(clip.samples) > len(noise):
            raise SystemExit("the clips do not fit: more --minutes or fewer --clips")
        mixture[position : position + len(clip.samples)] += gain * clip.samples
        bounds.append((position + clip.onset, position + clip.end))
        position += len(clip.samples)
    return mixture, bounds


def recall(name: str, snr_db: float, mixture: Audio, bounds: list[tuple[int, int]], settings: GateSettings) -> Recall:
    gate = Gate(settings)
    utterances = [item for item in run(gate, mixture, f"{name} {snr_db:g} dB") if isinstance(item, Utterance)]
    found, clipped, whole, worst = 0, 0, 0, -1e9
    heard = set()
    for onset, end in bounds:
        parts = [u for u in utterances if u.start < end and u.end > onset]
        heard |= {u.start for u in parts}
        if sum(min(u.end, end) - max(u.start, onset) for u in parts) < (end - onset) / 2:
            continue
        found += 1
        late = (parts[0].start - onset) / SAMPLE_RATE
        worst = max(worst, late)
        clipped += late > CLIPPED_S
        whole += len(parts) == 1 and parts[0].end >= end - CLIPPED_S * SAMPLE_RATE
    return Recall(
        noise=name,
        snr_db=snr_db,
        clips=len(bounds),
        found=found,
        clipped=clipped,
        worst_onset_ms=round(1000 * worst, 1),
        whole=whole,
        false_utterances=len(utterances) - len(heard),
        estimated_snr_db=round(median(u.snr_db for u in utterances), 1),
        neural_share=round(gate.neural_blocks / gate.blocks, 4),
    )


def stand_alone(name: str, noise: Audio, settings: GateSettings) -> Alone:
    gate = Gate(settings)
    openings = utterances = 0
    blocks = list(as_blocks(noise))
    began = process_time()
    for block in tqdm(blocks, f"{name} alone"):
        for item in gate.push(block):
            openings += isinstance(item, SpeechStarted)
            utterances += isinstance(item, Utterance)
    per_hour = 3600 * SAMPLE_RATE / len(noise)
    return Alone(
        noise=name,
        openings_per_hour=openings * per_hour,
        utterances_per_hour=utterances * per_hour,
        neural_share=round(gate.neural_blocks / gate.blocks, 5),
        cpu_s_per_hour=round((process_time() - began) * per_hour, 2),
    )


def neural_seconds(noise: Audio) -> float:
    """CPU seconds of Silero on every block."""
    neural = NeuralDetector()
    blocks = [block.astype(np.float32) for block in as_blocks(noise)]
    began = process_time()
    for block in tqdm(blocks, "Silero alone"):
        neural.probability(block)
    return process_time() - began


def run(gate: Gate, audio: Audio, label: str) -> Iterator[object]:
    for block in tqdm(list(as_blocks(audio)), label):
        yield from gate.push(block)
    yield from gate.finish()


def as_blocks(audio: Audio) -> Iterator[NDArray[np.int16]]:
    """As the gate gets it: behind the high-pass."""
    whole = audio[: len(audio) // BLOCK_SAMPLES * BLOCK_SAMPLES]
    samples = np.clip(np.rint(whole * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
    yield from HighPass().push(samples).reshape(-1, BLOCK_SAMPLES)


def pink(count: int, rng: np.random.Generator) -> Audio:
    """Noise of equal power in every octave above 20 Hz."""
    size = 1 << 22
    parts = []
    for _ in range(-(-count // size)):
        spectrum = np.fft.rfft(rng.standard_normal(size, dtype=np.float32))
        spectrum /= np.sqrt(np.maximum(np.fft.rfftfreq(size, 1 / SAMPLE_RATE), 20)).astype(np.float32)
        parts.append(np.fft.irfft(spectrum, size).astype(np.float32))
    return _at_level(np.concatenate(parts)[:count])


def hum(count: int, rng: np.random.Generator) -> Audio:
    """A fan: twelve harmonics of a blade rate that wanders about 118 Hz, and rushing air 6 dB below them."""
    seconds = np.arange(count, dtype=np.float64) / SAMPLE_RATE
    phase = 2 * np.pi * 118 * (seconds + 0.01 * np.sin(2 * np.pi * seconds / 7))
    tone = np.zeros(count, dtype=np.float32)
    for harmonic in range(1, 13):
        tone += (np.sin(harmonic * phase + rng.uniform(0, 2 * np.pi)) / harmonic).astype(np.float32)
    return _at_level(_at_level(tone) + np.float32(0.5) * pink(count, rng))


def babble(count: int, paths: list[Path], rng: np.random.Generator) -> Audio:
    """Eight people talking at once without a pause, equally loud."""
    drawn = [paths[index] for index in rng.choice(len(paths), min(BABBLE_CLIPS, len(paths)), replace=False)]
    clips = [find_speech(_read(path)) for path in tqdm(drawn, "clips for babble")]
    total = np.zeros(count, dtype=np.float32)
    for _ in range(TALKERS):
        position = 0
        while position < count:
            clip = clips[rng.integers(len(clips))]
            speech = clip.samples[clip.onset : clip.end][: count - position]
            total[position : position + len(speech)] += speech
            position += len(speech)
    return _at_level(total)


def report(recalls: list[Recall], alone: list[Alone], neural_s: float) -> None:
    print(
        "| noise | SNR | found | onsets clipped | latest onset | in one piece | false | SNR estimated | neural blocks |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for row in recalls:
        print(
            f"| {row.noise} | {row.snr_db:g} dB | {row.found} of {row.clips} = {100 * row.found / row.clips:.1f} % "
            f"| {row.clipped} | {row.worst_onset_ms:+.0f} ms | {row.whole} | {row.false_utterances} "
            f"| {row.estimated_snr_db:.1f} dB | {100 * row.neural_share:.1f} % |"
        )
    print("\n| alone | openings an hour | utterances an hour | neural blocks | CPU-seconds an hour |")
    print("|---|---|---|---|---|")
    for row in alone:
        print(
            f"| {row.noise} | {row.openings_per_hour:.0f} | {row.utterances_per_hour:.0f} "
            f"| {100 * row.neural_share:.2f} % | {row.cpu_s_per_hour:.2f} |"
        )
    print(f"| Silero on every block, no cascade | | | 100 % | {neural_s:.1f} |")


def _at_level(audio: Audio) -> Audio:
    """Scale to NOISE_DB."""
    return audio * np.float32(10 ** (NOISE_DB / 20) / np.sqrt(np.mean(audio**2, dtype=np.float64)))


def _read(path: Path) -> Audio:
    return read_audio(path).astype(np.float32) / np.float32(FULL_SCALE)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("AFFECTD_DATA", "../shared/data")))
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=30, help="of each noise that the clips are laid into")
    parser.add_argument("--hours", type=float, default=1, help="of each noise alone")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", help="another setting of the gate")
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    return parser.parse_args()


if __name__ == "__main__":
    main()
