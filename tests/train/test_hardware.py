"""Where a run computes: two processes that train one network, and machines that lack what was asked for."""

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from edge.errors import ConfigError
from tests.train.conftest import SETTINGS
from tests.train.two_processes import EPOCHS
from train.checkpoint import Checkpoint, read_checkpoint
from train.hardware import launch


def test_two_processes_draw_apart_and_train_one_network(
    trained: Checkpoint, corpus: Path, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "cache").symlink_to(folder / "cache")
    command = [sys.executable, "-m", "tests.train.two_processes", str(corpus), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    first, second = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1))
    clips = trained.card["splits"]["train"]["clips"]  # type: ignore[index]
    assert len(first["drawn"]) == len(second["drawn"]) == EPOCHS * -(-clips // (2 * SETTINGS.batch))
    assert not set(first["drawn"]) & set(second["drawn"])
    assert first["weights"] == second["weights"]
    card = read_checkpoint(tmp_path / "run" / "checkpoint.pt").card
    assert len(card["curves"]) == EPOCHS  # type: ignore[arg-type]
    assert len(list((tmp_path / "run" / "tensorboard").iterdir())) == 1


def test_tensorboard_shows_the_curves_of_the_report(trained: Checkpoint, folder: Path) -> None:
    board = EventAccumulator(str(folder / "tones" / "tensorboard")).Reload()
    curves = trained.card["curves"]
    for name in ("train_loss", "train_accuracy", "calibration_loss", "calibration_uar"):
        shown = {str(event.step): event.value for event in board.Scalars(name)}
        assert shown == pytest.approx({epoch: row[name] for epoch, row in curves.items()}, abs=1e-4)  # type: ignore[attr-defined]


@pytest.mark.parametrize(("accelerator", "devices"), [("cuda", 999), ("cpu", 0), ("cpu", -1)])
def test_a_machine_that_lacks_what_is_asked_for_is_one_sentence(tmp_path: Path, accelerator: str, devices: int) -> None:
    settings = msgspec.structs.replace(SETTINGS, accelerator=accelerator, devices=devices)
    with pytest.raises(ConfigError, match=f"cannot train on accelerator {accelerator}, devices {devices}, nodes 1"):
        launch(settings, tmp_path)
