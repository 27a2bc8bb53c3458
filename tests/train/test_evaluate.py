"""A bundle scored as the device runs it, from the command line on."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edge.model.bundle import Bundle
from export.__main__ import main as export
from train import listen, run
from train.checkpoint import Checkpoint
from train.corpora import read_manifest
from train.evaluate import Evaluation, adaptive_model
from train.evaluate import evaluate as score
from train.recordings import features_of


@pytest.fixture(scope="module")
def bundle(trained: Checkpoint, folder: Path) -> Path:
    target = folder / "bundle"
    assert export(["--checkpoint", str(folder / "tones" / "checkpoint.pt"), "--out", str(target)]) == 0
    return target


def evaluate(bundle: Path, corpus: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    manifest = corpus / "manifest.csv"
    command = [sys.executable, "-m", "train", "evaluate", "--bundle", bundle, "--manifest", manifest, "--root", corpus]
    return subprocess.run(
        [*map(str, command), "--cache", str(folder / "cache"), *arguments], capture_output=True, text=True, check=False
    )


def test_an_eight_class_bundle_is_scored(bundle: Path, corpus: Path, folder: Path) -> None:
    done = evaluate(bundle, corpus, folder, "--adapt", "speaker", "--json")
    assert done.returncode == 0, done.stderr
    scores = json.loads(done.stdout)
    assert {"n", "wa", "uar", "f1_macro", "ece", "per_class", "per_corpus", "confusion", "labels", "adapt"} < set(
        scores
    )
    assert scores["n"] == 256
    assert scores["uar"] > 0.9
    assert len(scores["labels"]) == 8
    assert (scores["adapt"], scores["history"]) == ("speaker", "recorded")


def test_the_graph_hears_what_the_network_heard(bundle: Path, trained: Checkpoint, corpus: Path, folder: Path) -> None:
    clips = read_manifest(corpus / "manifest.csv")[::8]
    frames = features_of(clips, corpus, folder / "cache")
    expected = listen.listen(clips, frames, run.adaptive_model(trained), "speaker").logits
    found = listen.listen(clips, frames, adaptive_model(Bundle.load(bundle)), "speaker").logits
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_adaptation_is_causal(bundle: Path, corpus: Path, folder: Path) -> None:
    clips = read_manifest(corpus / "manifest.csv")[::4]
    frames = features_of(clips, corpus, folder / "cache")
    model = adaptive_model(Bundle.load(bundle))
    heard = listen.listen(clips, frames, model, "source", seed=3)
    last = int(heard.before.argmax())
    changed = [clip if index != last else clip[::-1] * 2 for index, clip in enumerate(frames)]
    again = listen.listen(clips, changed, model, "source", seed=3)
    earlier = np.arange(len(clips)) != last
    np.testing.assert_array_equal(again.logits[earlier], heard.logits[earlier])


def test_a_bundle_is_scored_with_a_history_as_in_life(bundle: Path, corpus: Path, folder: Path) -> None:
    asked = Evaluation(bundle, corpus / "manifest.csv", corpus, "source", "life", cache=folder / "cache")
    scores = score(asked)
    assert (scores["n"], scores["adapt"], scores["history"]) == (256, "source", "life")
    assert scores["uar"] > 0.5


@pytest.mark.parametrize("condition", ["far", "noisy", "narrow"])
def test_a_bundle_is_scored_in_a_condition_made_of_any_manifest(
    bundle: Path, corpus: Path, folder: Path, sounds: Path, condition: str
) -> None:
    few = folder / "few.csv"
    few.write_text("\n".join((corpus / "manifest.csv").read_text().splitlines()[:9]))
    asked = ["--manifest", str(few), "--condition", condition, "--sounds", str(sounds), "--json"]
    done = evaluate(bundle, corpus, folder, *asked)
    assert done.returncode == 0, done.stderr
    scores = json.loads(done.stdout)
    assert (scores["n"], scores["condition"]) == (8, condition)
    again = json.loads(evaluate(bundle, corpus, folder / "afresh", *asked).stdout)
    assert again == scores


def test_labels_that_the_bundle_lacks_are_left_out_and_counted(bundle: Path, corpus: Path, folder: Path) -> None:
    rows = (corpus / "manifest.csv").read_text().replace(",fear", ",jealousy").replace(",neutral", ",calm")
    other = folder / "other"
    other.mkdir()
    (other / "manifest.csv").write_text(rows)
    command = ["--manifest", str(other / "manifest.csv"), "--json"]
    scores = json.loads(evaluate(bundle, corpus, folder, *command).stdout)
    assert scores["left_out"] == {"jealousy": 32}
    assert scores["n"] == 224
    assert "neutral" in scores["per_class"]


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["--bundle", "nowhere"], 1, "nowhere"),
        (["--manifest", "nowhere.csv"], 2, "cannot be read"),
        (["--root", "/nowhere"], 1, "but it is not there"),
        (["--condition", "loud"], 2, "No condition is called loud; choose one of near, far, noisy, narrow."),
        (["--condition", "far", "--sounds", "/nowhere"], 2, "name their folder with --sounds or $AFFECTD_SOUNDS"),
    ],
)
def test_bad_input_is_one_sentence(
    bundle: Path, corpus: Path, folder: Path, arguments: list[str], code: int, sentence: str
) -> None:
    done = evaluate(bundle, corpus, folder / "fresh", *arguments)
    assert done.returncode == code
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
