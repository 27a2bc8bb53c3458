"""Row L: the features of all recordings beside librosa's, and one epoch of training `light`; scaled from samples.

python -m benchmarks.training [--runs N] [--clips N] [--data FOLDER] [--config FILE] [--json FILE]
"""

import os
import random
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks import measure, recipe
from edge import features
from train.bank import Bank, fit_scaler
from train.corpora import classes_of, read_manifest, relabel
from train.fit import BatchSource, Trainer
from train.hardware import launch
from train.recordings import decode
from train.settings import read_settings

OURS, THEIRS = "affectd", "librosa, one call per feature"
STEPS = 6


def main() -> None:
    parser = measure.parser(__doc__)
    parser.add_argument("--clips", type=int, default=60, help="in the samples (default: %(default)s)")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("AFFECTD_DATA", "../shared/data")))
    parser.add_argument("--config", type=Path, default=measure.ROOT / "configs" / "train-light.yaml")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if not (options.data / "manifest.csv").exists():
        print(f"| L | features of all recordings; one epoch | skipped: no {options.data / 'manifest.csv'} | | | |")
        return
    settings = read_settings(options.config)
    everything = [
        clip for clip in relabel(read_manifest(options.data / "manifest.csv"), settings.labels) if clip.emotion
    ]
    clips = random.Random(0).sample(everything, min(options.clips, len(everything)))
    sounds = [decode(options.data / clip.path) for clip in clips]
    several = sounds[:8]
    calls = {
        OURS: lambda: [features.frames(sound, settings.features) for sound in several],
        THEIRS: lambda: [recipe.frames(sound) for sound in several],
    }
    cpu, _ = measure.interleaved(calls, options.runs)
    ratio = measure.ratios(cpu, OURS)
    frames = [features.frames(sound, settings.features) for sound in sounds]
    classes = classes_of(clips)
    bank = Bank.build(clips, frames, fit_scaler(frames), classes)
    source = BatchSource([bank], settings, classes)
    steps = -(-len(everything) // settings.batch)
    sizes = settings.network_settings(bank.frames.shape[1], len(classes))
    trainer = Trainer(settings, sizes, steps, launch(settings, Path("runs")))
    generator = np.random.default_rng(0)
    trainer.step(source.draw(generator))
    epochs = []
    for _ in range(options.runs):
        began = time.process_time()
        for _ in range(STEPS):
            trainer.step(source.draw(generator))
        epochs.append((time.process_time() - began) / STEPS * steps)
    factor = len(everything) / len(several) / 1e3
    whole = {name: spread.median * factor for name, spread in cpu.items()}
    epoch = measure.Spread(epochs, "s")
    row = measure.Row(
        "L",
        f"features of {len(everything):,} recordings (from {len(several)}), CPU; one epoch of `light`",
        f"{measure.plain(whole[OURS])} s; an epoch {epoch} on one thread",
        f"{THEIRS}: {whole[THEIRS]:,.0f} s, {ratio[THEIRS]:.0f} x",
        [measure.Goal("≥ 10 x", ratio[THEIRS], 10, least=True)],
        ratio,
    )
    measure.report([row], {"cpu of the sample": cpu, "seconds for all": whole, "epoch": epoch}, options.json)


if __name__ == "__main__":
    main()
