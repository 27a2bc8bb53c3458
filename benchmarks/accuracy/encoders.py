"""Which encoder, how many of its blocks, and what of its frames: UAR on corpora left out whole, near and in a room.

A recording is one vector: what a block makes of it, as a mean, or as a mean and a spread, over time; the hand-made
features beside it or not. What learns from these vectors is small: one layer, the adapter's histories, a last layer.
So a row takes minutes where the whole network takes an hour, and rows compare encoders, not networks. Each corpus is
left out in turn. Choices are for the corpora that no other table here is about; the others are there to be seen.

Run from the repository's root:
python -m benchmarks.accuracy.encoders --encoder tiny=runs/weights/tiny.en:4 [--encoder base=FOLDER:4] [--json FILE]
"""

import argparse
import json
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from edge import features
from edge.features import FeatureSet
from train import augmentation, listen, report
from train.bank import Bank, fit_scaler
from train.calibration import constant
from train.conditions import condition
from train.corpora import Clip, read_folders, relabel
from train.encoder import Encoder, pieces
from train.fit import BatchSource, fit, infer
from train.pretrained import load_encoder
from train.recordings import hand_made, log_mel, states_of, streams_of
from train.run import NEAR, PLAIN, digest_of
from train.settings import AugmentationSettings, HistorySettings, Settings, data_folders, sounds_folder

RESULTS = Path(__file__).parent / "encoders.json"
CHOOSING = ("nemo", "ased", "turev")
SEEN = ("ravdess", "emodb", "emovo", "tess")
HAND_MADE = "hand-made"
CONDITIONS = (NEAR, "far")
"""What the training side is heard as, and the others: the recordings, and a copy in a room."""

Floats = NDArray[np.float32]
Vectors = dict[str, Floats]
"""Of every clip [clips, statistics], mean then spread, by source: ``hand-made``, or an encoder's block."""

HEAD = Settings(
    name="head",
    labels={"calm": "neutral", "boredom": None},
    epochs=8,
    seconds=1 / features.FRAME_RATE,  # of a single frame
    network={"channels": [256], "strides": [1], "kernels": [1], "hidden": 8, "dropout": 0.5, "statistics": True},
    history=HistorySettings(skewed=0.5),
    augmentation=AugmentationSettings(
        tempo=0, gain=0, equaliser=0, transfer=0, mixup=0, time_masks=0, feature_masks=0, family_mask=0
    ),
)


@dataclass(frozen=True)
class Row:
    """One row of the table: which sources, and of which the spread, too."""

    title: str
    means: tuple[str, ...]
    spreads: tuple[str, ...] = ()

    def of(self, vectors: Vectors) -> Floats:
        """What the head is given of every clip [clips, inputs]."""
        parts = []
        for name in self.means:
            width = vectors[name].shape[1] // 2
            parts.append(vectors[name] if name in self.spreads else vectors[name][:, :width])
        return np.concatenate(parts, axis=1)


def rows_of(encoders: dict[str, int]) -> list[Row]:
    """The rows for encoders of so many blocks, by name."""
    rows = [Row(HAND_MADE, (HAND_MADE,), (HAND_MADE,))]
    for name, blocks in encoders.items():
        blocks_of = [f"{name} {number}" for number in range(1, blocks + 1)]
        rows += [Row(f"{block}, mean", (block,)) for block in blocks_of]
        second = blocks_of[min(1, blocks - 1)]
        rows += [
            Row(f"{second}, mean and spread", (second,), (second,)),
            Row(f"{second}, mean, and hand-made", (HAND_MADE, second), (HAND_MADE,)),
        ]
    return rows


@torch.inference_mode()
def blocks_of(encoder: Encoder, spectrum: NDArray[np.floating]) -> NDArray[np.float16]:
    """Mean and spread over time [blocks, 2 states] of what each block makes of a log-mel [time, 80]."""
    found: list[list[Floats]] = [[] for _ in encoder.blocks]
    for piece in pieces(spectrum):
        frames = encoder.begin(torch.from_numpy(np.asarray(piece, np.float32)).T.unsqueeze(0))
        for block, kept in zip(encoder.blocks, found, strict=True):
            frames = block(frames)
            kept.append(frames[0].numpy())
    return np.stack([statistics(np.concatenate(kept)) for kept in found]).astype(np.float16)


def statistics(frames: Floats) -> Floats:
    """Mean and spread over time [2 columns] of frames [time, columns]."""
    return np.concatenate([frames.mean(axis=0), frames.std(axis=0)])


def vectors_of(clips: Sequence[Clip], heard: str, training: bool, encoders: dict[str, Encoder], cache: Path) -> Vectors:
    """What every source makes of the clips, as they are heard in training, or in a condition of evaluation."""
    draw = augmentation.change_of if training and heard != NEAR else condition
    change = draw(heard, cache, sounds_folder())
    name = change[0] if change else PLAIN
    root, fronts = data_folders()[0], (hand_made(FeatureSet(features.SIX.families)), log_mel())
    frames, spectra = streams_of(clips, root, cache, 1, change, "", fronts)
    found = {HAND_MADE: np.stack([statistics(np.asarray(clip, np.float32)) for clip in frames])}
    for title, encoder in encoders.items():
        kept = cache / f"{digest_of(encoder)}-statistics" / name
        vectors = np.stack(states_of(clips, root, kept, partial(blocks_of, encoder), spectra))
        found |= {f"{title} {number + 1}": vectors[:, number].astype(np.float32) for number in range(vectors.shape[1])}
    return found


def judged(
    clips: Sequence[Clip], known: dict[str, Floats], tested: dict[str, Floats], left_out: str
) -> dict[str, float]:
    """UAR on one corpus of a head that was trained on all others: by condition, adapter and history."""
    classes = sorted({clip.emotion for clip in clips})
    inside = [place for place, clip in enumerate(clips) if clip.corpus != left_out]
    outside = [place for place, clip in enumerate(clips) if clip.corpus == left_out]
    banks: list[Bank] = []
    for vectors in known.values():
        frames = [vectors[place][None] for place in inside]
        scaler = banks[0].scaler if banks else fit_scaler(frames)
        banks.append(Bank.build([clips[place] for place in inside], frames, scaler, classes))
    source = BatchSource(banks, HEAD, classes)
    with tempfile.TemporaryDirectory() as folder:
        hearing, _ = fit(HEAD, source, None, Path(folder))
    network, scaler = hearing.network, banks[0].scaler
    with torch.no_grad():  # forgets how often each emotion was drawn, as train.run does
        network.dense.bias.sub_(torch.from_numpy(source.class_log_prior()))
    there = [clips[place] for place in outside]
    model = listen.AdaptiveModel(
        scale=scaler.apply,
        predict=lambda scaled, adaptation: infer(network, adaptation(scaled), adaptation.embedding_statistics),
        embedding=network.embedding,
    )
    found = {}
    for heard, vectors in tested.items():
        frames = [vectors[place][None] for place in outside]
        for adapt in listen.PROTOCOLS:
            for history in listen.HISTORIES if adapt != "none" else listen.HISTORIES[:1]:
                said = listen.listen(there, frames, model, adapt, history=history)
                title = " ".join([heard, adapt, *([history] if history == "life" else [])])
                found[title] = report.describe(there, said, classes, constant(1.0), adapt)["uar"]
    return found


def named(argument: str) -> tuple[str, str, int]:
    """Name, weights and number of blocks of an encoder, as on the command line."""
    found = re.fullmatch(r"([^=]+)=(.+):([1-9]\d*)", argument)
    if not found:
        raise argparse.ArgumentTypeError(f"{argument} is no NAME=WEIGHTS:BLOCKS, such as tiny=runs/weights/tiny.en:4")
    return found[1], found[2], int(found[3])


def main(argv: Sequence[str] | None = None) -> None:
    """Hears all recordings, trains a head for every row and corpus, and writes what each reaches."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", action="append", required=True, metavar="NAME=WEIGHTS:BLOCKS", type=named)
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"), help="where features are kept")
    parser.add_argument("--corpora", nargs="+", default=[*CHOOSING, *SEEN], help="those that are left out")
    parser.add_argument("--json", type=Path, default=RESULTS, help="where the figures are written")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args(argv)
    torch.set_num_threads(arguments.threads)
    encoders = {name: load_encoder(weights, blocks) for name, weights, blocks in arguments.encoder}
    clips = relabel(read_folders(data_folders(), HEAD.manifest), HEAD.labels)
    known = {heard: vectors_of(clips, heard, True, encoders, arguments.cache) for heard in CONDITIONS}
    tested = {NEAR: known[NEAR], "far": vectors_of(clips, "far", False, encoders, arguments.cache)}
    results: dict[str, dict[str, dict[str, float]]] = {}
    for row in rows_of({name: encoder.settings.blocks for name, encoder in encoders.items()}):
        given = {heard: row.of(vectors) for heard, vectors in known.items()}
        asked = {heard: row.of(vectors) for heard, vectors in tested.items()}
        for corpus in tqdm(arguments.corpora, desc=row.title):
            results.setdefault(row.title, {})[corpus] = judged(clips, given, asked, corpus)
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
