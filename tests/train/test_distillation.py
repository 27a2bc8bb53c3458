"""What trained networks teach another, and what they must not: speakers that evaluate it."""

import csv
import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from edge.errors import AffectdError, UsageError
from tests.train.conftest import SETTINGS
from train.adaptive import AdaptiveNetwork
from train.checkpoint import Checkpoint, read_checkpoint
from train.distillation import Teachers, read_teachers, refuse_strangers, soft_loss
from train.network import EmotionNetwork, NetworkSettings
from train.run import Material, run
from train.settings import SplitSettings
from train.speech import Hearing

PATTERN = "{}/tones/checkpoint.pt"


def batch() -> tuple[torch.Tensor, ...]:
    torch.manual_seed(0)
    heard = torch.randn(8, 40, 5), torch.full((2, 1, 1), 4.0), torch.arange(8).flip(0), torch.full((8,), 0.8)
    return *heard, torch.zeros(8, 0, 0), torch.ones(8)


def test_teachers_say_the_mean_of_their_softened_probabilities_at_the_frequencies_of_training() -> None:
    torch.manual_seed(1)
    sizes = NetworkSettings(inputs=5, classes=3, channels=(8,), strides=(2,), kernels=(3,), hidden=4)
    networks = [Hearing(EmotionNetwork(sizes)).eval() for _ in range(2)]
    class_log_prior = torch.tensor([0.0, -1.0, -2.0])
    said = Teachers(networks, class_log_prior, 2.0)(*batch())
    wanted = (
        sum(torch.softmax((AdaptiveNetwork(network)(*batch()) + class_log_prior) / 2, dim=1) for network in networks)
        / 2
    )
    torch.testing.assert_close(said, wanted.detach())
    assert not said.requires_grad


def test_the_soft_loss_is_cross_entropy_for_sure_teachers_and_least_where_both_agree() -> None:
    logits = torch.tensor([[2.0, 0.5, -1.0], [0.0, 1.0, 3.0]])
    meant = torch.tensor([0, 1])
    sure = torch.nn.functional.one_hot(meant, 3).float()
    torch.testing.assert_close(soft_loss(logits, sure, 1.0), torch.nn.functional.cross_entropy(logits, meant))
    agreed = logits.clone().requires_grad_()
    soft_loss(agreed, torch.softmax(logits / 3, dim=1), 3.0).backward()
    torch.testing.assert_close(agreed.grad, torch.zeros_like(logits), atol=1e-6, rtol=0)


def test_what_is_right_can_be_learnt_from_a_teacher_alone(trained: Checkpoint, corpus: Path, folder: Path) -> None:
    """Labels drawn by lot teach nothing, so what this one knows of a speaker never heard it has from its teacher."""
    shuffled = folder / "mislabelled"
    shutil.copytree(corpus, shuffled)
    rows = list(csv.DictReader((corpus / "manifest.csv").open()))
    kept = [row for row in rows if row["speaker"] == "m2"]
    others = [row for row in rows if row["speaker"] != "m2"]
    emotions = np.random.default_rng(1).permutation([row["emotion"] for row in others])
    with (shuffled / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(row | {"emotion": emotion} for row, emotion in zip(others, emotions, strict=True))
        writer.writerows(kept)
    settings = msgspec.structs.replace(SETTINGS, teachers=PATTERN.format(folder), teaching=1.0)
    learner = run(settings, Material(shuffled, folder / "cache"), folder / "learner")
    assert learner.card["scores"]["none"]["uar"] > 0.7  # type: ignore[index]
    np.testing.assert_array_equal(learner.scaler.mean, trained.scaler.mean)


@pytest.fixture(scope="module")
def knowing(corpus: Path, folder: Path) -> Path:
    """A network that was trained on the speaker who evaluates the others."""
    split = SplitSettings(test=("tones/m1",), calibration=SETTINGS.split.calibration)
    settings = msgspec.structs.replace(SETTINGS, split=split, epochs=1)
    run(settings, Material(corpus, folder / "cache"), folder / "knowing")
    return folder / "knowing" / "checkpoint.pt"


def test_a_teacher_that_knows_who_evaluates_is_refused(knowing: Path, corpus: Path, folder: Path) -> None:
    settings = msgspec.structs.replace(SETTINGS, teachers=str(knowing))
    with pytest.raises(UsageError, match=r"checkpoint\.pt: knows what this run is evaluated .* recording m2/"):
        run(settings, Material(corpus, folder / "cache"), folder / "leaking")


def test_a_start_that_knows_who_evaluates_is_refused(knowing: Path, corpus: Path, folder: Path) -> None:
    with pytest.raises(UsageError, match=r"checkpoint\.pt: knows what this run is evaluated .* recording m2/"):
        run(SETTINGS, Material(corpus, folder / "cache"), folder / "leaking", knowing)


def test_a_teacher_of_unknown_training_is_refused(trained: Checkpoint, corpus: Path, folder: Path) -> None:
    place = folder / "unknown" / "checkpoint.pt"
    msgspec.structs.replace(trained, card={}).save(place)
    settings = msgspec.structs.replace(SETTINGS, teachers=str(place))
    with pytest.raises(AffectdError, match="does not say what it was trained on"):
        run(settings, Material(corpus, folder / "cache"), folder / "untold")


def test_teachers_must_be_there_and_agree(trained: Checkpoint, folder: Path) -> None:
    with pytest.raises(UsageError, match="no teacher's checkpoint is there"):
        read_teachers(str(folder / "nowhere-*" / "checkpoint.pt"))
    assert list(read_teachers(PATTERN.format(folder))) == [folder / "tones" / "checkpoint.pt"]
    for name in ("one", "two"):
        place = folder / "fellows" / name / "checkpoint.pt"
        read_checkpoint(folder / "tones" / "checkpoint.pt").save(place)
    other = msgspec.structs.replace(trained, classes=trained.classes[::-1])
    other.save(folder / "fellows" / "two" / "checkpoint.pt")
    with pytest.raises(UsageError, match=r"two/checkpoint\.pt: was trained on other clips, emotions or features"):
        refuse_strangers(read_teachers(str(folder / "fellows" / "*" / "checkpoint.pt")))
