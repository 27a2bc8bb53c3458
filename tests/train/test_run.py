"""A whole run on a corpus that the tests make: eight emotions, the product's own, sarcastic among them."""

import csv
import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from edge.errors import AffectdError, AudioError, ConfigError
from tests.train.conftest import SETTINGS
from train import fit as fitting
from train.__main__ import parser, settings_of
from train.checkpoint import Checkpoint, read_checkpoint, write_whole
from train.run import Material, run
from train.settings import SplitSettings, read_settings


def test_all_eight_emotions_are_learnt_for_a_speaker_never_heard(trained: Checkpoint) -> None:
    assert len(trained.classes) == 8
    assert "sarcastic" in trained.classes
    assert trained.card["scores"]["none"]["uar"] > 0.9  # type: ignore[index]


def test_permuted_labels_score_no_better_than_chance(corpus: Path, folder: Path) -> None:
    shuffled = folder / "shuffled"
    shutil.copytree(corpus, shuffled)
    rows = list(csv.DictReader((corpus / "manifest.csv").open()))
    emotions = np.random.default_rng(1).permutation([row["emotion"] for row in rows])
    with (shuffled / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(row | {"emotion": emotion} for row, emotion in zip(rows, emotions, strict=True))
    checkpoint = run(SETTINGS, Material(shuffled, folder / "cache"), folder / "permuted")
    assert checkpoint.card["scores"]["none"]["uar"] < 0.3  # type: ignore[index]


def test_scaler_temperature_and_weights_never_see_the_evaluation_side(
    trained: Checkpoint, corpus: Path, folder: Path
) -> None:
    without = folder / "without"
    shutil.copytree(corpus, without, ignore=shutil.ignore_patterns("m2"))
    rows = [row for row in (corpus / "manifest.csv").read_text().splitlines() if not row.startswith("m2/")]
    (without / "manifest.csv").write_text("\n".join(rows) + "\n")
    split = SplitSettings(calibration=SETTINGS.split.calibration)
    blind = run(msgspec.structs.replace(SETTINGS, split=split), Material(without, folder / "cache"), folder / "blind")
    assert blind.temperature == trained.temperature
    assert blind.threshold == trained.threshold
    np.testing.assert_array_equal(blind.scaler.mean, trained.scaler.mean)
    assert all(torch.equal(blind.state[name], trained.state[name]) for name in trained.state)


def test_a_checkpoint_holds_all_that_the_export_needs(trained: Checkpoint, folder: Path) -> None:
    content = torch.load(folder / "tones" / "checkpoint.pt", weights_only=True)
    assert {
        "settings",
        "state",
        "scaler",
        "classes",
        "profile",
        "feature_specification",
        "temperature",
        "threshold",
    } < set(content)
    again = read_checkpoint(folder / "tones" / "checkpoint.pt")
    frames = np.random.default_rng(1).standard_normal((80, 110)).astype(np.float32)
    for kept, known in zip(
        fitting.infer(again.network(), frames), fitting.infer(trained.network(), frames), strict=True
    ):
        np.testing.assert_array_equal(kept, known)


def test_a_run_leaves_its_report_and_pictures(trained: Checkpoint, folder: Path) -> None:
    for name in ("report.json", "curves.png", "none/confusion.png", "speaker/reliability.png"):
        assert (folder / "tones" / name).stat().st_size > 500


def test_a_report_tells_histories_as_in_life_beside_the_recorded_ones(trained: Checkpoint) -> None:
    for protocol in ("source", "speaker"):
        scores = trained.card["scores"][protocol]  # type: ignore[index]
        counts = [{name: row["n"] for name, row in part["per_heard"].items()} for part in (scores, scores["life"])]
        assert counts[0] == counts[1] == {"0": 1, "1-5": 5, "6-20": 15, "21-50": 30, "51+": 13}
        assert 0 <= scores["life"]["uar"] <= 1


def test_a_killed_run_goes_on_as_if_nothing_had_happened(
    trained: Checkpoint, corpus: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = 0
    step = fitting.Trainer.step

    def killed(self: fitting.Trainer, batch: object) -> tuple[float, float]:
        nonlocal steps
        steps += 1
        if steps == 30:
            raise KeyboardInterrupt
        return step(self, batch)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(fitting.Trainer, "step", killed)
        with pytest.raises(KeyboardInterrupt):
            run(SETTINGS, Material(corpus, folder / "cache"), folder / "killed")
    resumed = run(SETTINGS, Material(corpus, folder / "cache"), folder / "killed")
    assert all(torch.equal(resumed.state[name], trained.state[name]) for name in trained.state)


def test_a_run_of_another_configuration_is_not_gone_on_from(trained: Checkpoint, corpus: Path, folder: Path) -> None:
    (folder / "wider").mkdir()
    shutil.copy(folder / "tones" / "last.pt", folder / "wider" / "last.pt")
    settings = msgspec.structs.replace(SETTINGS, network={**SETTINGS.network, "hidden": 16}, epochs=13)
    with pytest.raises(AffectdError, match=r"last\.pt: was left by a run of another configuration"):
        run(settings, Material(corpus, folder / "cache"), folder / "wider")


def test_a_loss_that_is_no_number_stops_the_run_with_a_sentence(corpus: Path, folder: Path) -> None:
    settings = msgspec.structs.replace(SETTINGS, learning_rate=float("inf"), epochs=1)
    with pytest.raises(AffectdError, match="no longer a number"):
        run(settings, Material(corpus, folder / "cache"), folder / "nan")


def test_a_missing_recording_is_named(corpus: Path, folder: Path) -> None:
    gone = folder / "gone"
    shutil.copytree(corpus, gone)
    (gone / "f1" / "sad_3.wav").unlink()
    with pytest.raises(AudioError, match=r"sad_3\.wav"):
        run(SETTINGS, Material(gone, folder / "empty-cache"), folder / "missing")


def test_a_full_disk_leaves_the_earlier_checkpoint(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "full.pt"
    write_whole({"epoch": 1}, path)

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(AffectdError, match="could not be written"):
            write_whole({"epoch": 2}, path)
    assert torch.load(path, weights_only=True) == {"epoch": 1}
    assert not list(folder.glob(".full.pt*")), "nothing of it is left behind"


def test_a_file_that_is_no_checkpoint_is_one_sentence(folder: Path) -> None:
    path = folder / "noise.pt"
    path.write_bytes(b"no checkpoint")
    with pytest.raises(AffectdError, match="is no checkpoint"):
        read_checkpoint(path)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("name: x\nepoch: 3\n", "epoch"),
        ("name: x\nepochs: many\n", "epochs"),
        ("name: x\nnetwork: {chanels: [3]}\n", "chanels"),
        ("name: x\nfamilies: [mfcc, jitter]\n", "jitter"),
        ("name: x\nfamilies: [mel, mel]\n", "different"),
        ("name: x\nhistory: {group: 0}\n", "group"),
        ("epochs: 3\n", "name"),
        ("name: [\n", "train.yaml"),
    ],
)
def test_a_wrong_configuration_is_one_sentence(tmp_path: Path, text: str, named: str) -> None:
    path = tmp_path / "train.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=named):
        read_settings(path)


def test_the_command_line_goes_before_the_configuration(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("name: own\nseed: 5\nepochs: 9\n")
    said = parser().parse_args(["fit", "--config", str(path), "--epochs", "2", "--teachers", "some-*.pt"])
    settings = settings_of(said)
    assert (settings.seed, settings.epochs, settings.teachers) == (5, 2, "some-*.pt")
