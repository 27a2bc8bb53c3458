"""The profile pooled: trained, exported and scored by the same commands as any other."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from edge import features
from edge.errors import ConfigError
from edge.model.bundle import Bundle
from export.__main__ import main as export
from tests.train.conftest import SETTINGS
from train.checkpoint import Checkpoint, read_checkpoint
from train.evaluate import Evaluation, evaluate
from train.network import NetworkSettings, PooledNetwork
from train.run import Material, run
from train.settings import read_settings

POOLED = msgspec.structs.replace(
    SETTINGS,
    name="pooled",
    profile="pooled",
    families=features.FIVE.families,
    network={"channels": [16, 16], "strides": [4, 3], "kernels": [5, 3], "hidden": 8},
    history=None,
    epochs=10,
)


@pytest.fixture(scope="module")
def pooled(corpus: Path, folder: Path) -> Checkpoint:
    torch.set_num_threads(1)
    return run(POOLED, Material(corpus, folder / "cache"), folder / "pooled")


def test_vectors_of_180_numbers_are_learnt_from(pooled: Checkpoint, folder: Path) -> None:
    assert pooled.profile == "pooled"
    assert pooled.scaler.mean.shape == (180,)
    assert isinstance(read_checkpoint(folder / "pooled" / "checkpoint.pt").network(), PooledNetwork)
    assert pooled.card["scores"]["none"]["uar"] > 0.8  # type: ignore[index]


def test_its_bundle_is_scored_as_it_was_in_training(pooled: Checkpoint, corpus: Path, folder: Path) -> None:
    target = folder / "pooled" / "bundle"
    assert export(["--checkpoint", str(folder / "pooled" / "checkpoint.pt"), "--out", str(target)]) == 0
    bundle = Bundle.load(target)
    assert (bundle.profile, bundle.embedding) == ("pooled", 0)
    lines = (corpus / "manifest.csv").read_text().splitlines()
    (folder / "m2.csv").write_text("\n".join([lines[0], *(line for line in lines if line.startswith("m2/"))]))
    for adapt in ("none", "speaker"):
        scores = evaluate(Evaluation(target, folder / "m2.csv", corpus, adapt, cache=folder / "cache"))
        told = pooled.card["scores"][adapt]  # type: ignore[index]
        assert scores["confusion"] == told["confusion"]


def test_the_network_reads_along_the_vector() -> None:
    torch.manual_seed(1)
    network = PooledNetwork(
        NetworkSettings(inputs=180, channels=(4, 4), strides=(2, 2), kernels=(5, 3), hidden=3)
    ).eval()
    vectors = torch.randn(2, 1, 180)
    logits, attention, _ = network(vectors)
    assert logits.shape == (2, 7)
    assert attention.shape == (2, 45)
    other = vectors.clone()
    other[:, :, 100:] = 0
    np.testing.assert_array_equal(
        network.front(vectors.mT)[:, :, :40].detach(), network.front(other.mT)[:, :, :40].detach()
    )


@pytest.mark.parametrize("families", ["", "families: [mel]\n"])
def test_a_vector_of_other_families_is_one_sentence(tmp_path: Path, families: str) -> None:
    path = tmp_path / "train.yaml"
    path.write_text(f"name: x\nprofile: pooled\n{families}")
    with pytest.raises(ConfigError, match=r"hears the families mfcc, mel, chroma, contrast, tonnetz.*profile"):
        read_settings(path)
