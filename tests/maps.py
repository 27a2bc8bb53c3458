"""A bundle with a map of no training, which keeps half of everything: real in all but what it has learnt."""

from pathlib import Path

import torch

from edge.model.bundle import DEFAULT, Bundle
from export.maps import added
from train.chain import Chain
from train.map_fit import FittedMap, save, untrained

SCORES = {
    where: {"drop": 0.1, "increase": 0.2, "gain": 0.3, "faithfulness": 0.4, "fidelity": 0.5, "kept": 0.6}
    for where in ("near", "far")
}


def fitted(path: Path, base: Bundle) -> Path:
    """What a fit of no steps leaves."""
    torch.manual_seed(3)
    save(untrained(Chain(base)), path, FittedMap(scores=SCORES, bundle=base.digest))
    return path


def with_map(folder: Path, base: Path = DEFAULT) -> Bundle:
    """The bundle ``base`` with such a map, written to ``folder``."""
    bundle = Bundle.load(base)
    return added(bundle, fitted(folder.with_suffix(".pt"), bundle), folder)
