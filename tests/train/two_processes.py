"""A run by two processes on one CPU, as `python -m tests.train.two_processes CORPUS FOLDER` starts it.

Each process leaves FOLDER/0.json or 1.json: what it drew, and what its weights were, at every step.
"""

import hashlib
import json
import sys
from pathlib import Path

import msgspec
import torch

from tests.train.conftest import SETTINGS
from train import fit
from train.batches import Batch
from train.run import Material, run

EPOCHS = 2


def main() -> None:
    corpus, folder = map(Path, sys.argv[1:])
    torch.set_num_threads(1)
    drawn, weights, ranks = [], [], []
    step = fit.Trainer.step

    def watched(trainer: fit.Trainer, batch: Batch) -> tuple[float, float]:
        drawn.append(hashlib.sha256(batch.frames.tobytes()).hexdigest())
        found = step(trainer, batch)
        state = b"".join(weight.detach().numpy().tobytes() for weight in trainer.hearing.parameters())
        weights.append(hashlib.sha256(state).hexdigest())
        ranks.append(trainer.fabric.global_rank)
        return found

    fit.Trainer.step = watched  # type: ignore[method-assign]
    settings = msgspec.structs.replace(SETTINGS, accelerator="cpu", devices=2, epochs=EPOCHS)
    run(settings, Material(corpus, folder / "cache"), folder / "run")
    (folder / f"{ranks[0]}.json").write_text(json.dumps({"drawn": drawn, "weights": weights}))


if __name__ == "__main__":
    main()
