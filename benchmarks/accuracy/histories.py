"""What an adapter's history gains, by its length and its emotions: UAR on a run's test side.

Run from the repository's root: python -m benchmarks.accuracy.histories RUN ...   (folders that `train fit` left)
"""

import json
import sys
from collections import defaultdict
from pathlib import Path

import msgspec
import numpy as np
import torch
from tqdm import tqdm

from edge.model.adapter import Adapter
from train.checkpoint import Checkpoint, read_checkpoint
from train.corpora import Clip
from train.fit import infer
from train.run import Material, read_split
from train.settings import Settings, data_folder

RESULTS = Path(__file__).parent / "histories.json"
LENGTHS = (0, 1, 5, 20, 50)


def drawn(kind: str, length: int, emotions: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Indices into a speaker's other clips: all emotions, four in five neutral, or one emotion alone."""
    shares = np.ones(len(emotions))
    if kind == "80 % neutral" and (emotions == "neutral").any():
        shares = np.where(
            emotions == "neutral", 0.8 / (emotions == "neutral").sum(), 0.2 / (emotions != "neutral").sum()
        )
    elif kind == "one emotion":
        shares = (emotions == generator.choice(np.unique(emotions))).astype(float)
    return generator.choice(len(emotions), length, p=shares / shares.sum())


def judge(checkpoint: Checkpoint, clips: list[Clip], frames: list[np.ndarray], kind: str) -> dict[str, float]:
    """UAR at every length of a fresh history of the same speaker that grows before every clip."""
    network, generator = checkpoint.network(), np.random.default_rng(1)
    scaled = [checkpoint.scaler.apply(clip) for clip in frames]
    hits: dict[int, dict[str, list[bool]]] = {length: defaultdict(list) for length in LENGTHS}
    for index, clip in enumerate(tqdm(clips, desc=kind, leave=False)):
        others = [other for other, candidate in enumerate(clips) if candidate.who == clip.who and other != index]
        places = drawn(kind, max(LENGTHS), np.array([clips[other].emotion for other in others]), generator)
        adapter = Adapter(scaled[0].shape[1], network.embedding)
        for length, place in enumerate([*places, places[0]]):
            usual = adapter.snapshot()
            if length in LENGTHS:
                logits, _ = infer(network, usual(scaled[index]), usual.embedding_statistics)
                hits[length][clip.emotion].append(checkpoint.classes[int(logits.argmax())] == clip.emotion)
            heard = scaled[others[place]]
            adapter.observe(heard, infer(network, usual(heard), usual.embedding_statistics)[1])
    return {
        str(length): round(float(np.mean([np.mean(right) for right in emotions.values()])), 4)
        for length, emotions in hits.items()
    }


def main() -> None:
    torch.set_num_threads(1)
    results = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    for run in map(Path, sys.argv[1:]):
        checkpoint = read_checkpoint(run / "checkpoint.pt")
        split = read_split(msgspec.convert(checkpoint.card["training"], Settings), data_folder())
        clips = [clip for clip in split.test if clip.emotion in checkpoint.classes]
        frames = Material(data_folder(), Path("runs/cache")).frames(clips, checkpoint.features)
        rows = {
            kind: judge(checkpoint, clips, frames, kind) for kind in ("as they come", "80 % neutral", "one emotion")
        }
        results[run.name] = rows
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        for kind, row in rows.items():
            sys.stdout.write(f"| {run.name} | {kind} | {' | '.join(f'{100 * uar:.1f}' for uar in row.values())} |\n")


if __name__ == "__main__":
    main()
