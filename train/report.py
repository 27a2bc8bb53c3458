"""Reports: every score of every protocol as JSON, and its pictures."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from lightning_fabric.utilities import rank_zero_only
from numpy.typing import NDArray
from scipy.special import softmax

from edge.errors import UsageError
from edge.model.calibration import Calibration
from train import intervals, metrics, plots
from train.corpora import Clip
from train.listen import Heard

if TYPE_CHECKING:
    from train.fit import Epoch

HEARD = {"0": range(1), "1-5": range(1, 6), "6-20": range(6, 21), "21-50": range(21, 51), "51+": range(51, 10**9)}
"""Utterances heard before that results are told apart by."""


def rounded(value: object) -> object:
    """The same JSON value with four decimals."""
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return [rounded(item) for item in value] if isinstance(value, list) else value


def describe(
    clips: Sequence[Clip], heard: Heard, classes: Sequence[str], calibration: Calibration, adapt: str
) -> dict[str, object]:
    """All scores of one protocol; the probabilities are the calibrated softmax of the logits."""
    probabilities = calibration.probabilities(heard.logits, heard.measured)
    meant = np.array([list(classes).index(clip.emotion) for clip in clips])
    whole = metrics.score(probabilities, meant, classes)
    per = {key: _by([getattr(clip, key) for clip in clips], probabilities, meant, classes) for key in ("corpus", "sex")}
    described = {
        **asdict(whole),
        **intervals.of(intervals.answers(clips, probabilities, classes)),
        "accuracy_at_75": metrics.accuracy_at(probabilities, meant, 0.75),
        "sure_and_wrong": metrics.sure_and_wrong(probabilities, meant),
        "per_corpus": per["corpus"],
        "per_sex": per["sex"],
        "per_heard": by_heard(clips, heard, classes)["per_heard"] if adapt != "none" else {},
        "reliability": _reliability(probabilities, meant),
        "labels": list(classes),
        "adapt": adapt,
    }
    return {key: rounded(value) for key, value in described.items()}


def of_protocol(
    clips: Sequence[Clip], heard: Heard, life: Heard, classes: Sequence[str], calibration: Calibration, adapt: str
) -> dict[str, object]:
    """``describe``, and beside the histories as recorded those of ``life``, mostly neutral."""
    scores = describe(clips, heard, classes, calibration, adapt)
    return scores if adapt == "none" else {**scores, "life": by_heard(clips, life, classes)}


def by_heard(clips: Sequence[Clip], heard: Heard, classes: Sequence[str]) -> dict[str, object]:
    """Accuracy and UAR, and the same by how many utterances the adapter had heard before."""
    guessed = softmax(heard.logits.astype(np.float64), axis=1)
    meant = np.array([list(classes).index(clip.emotion) for clip in clips])
    names = [next(name for name, counts in HEARD.items() if count in counts) for count in heard.before.tolist()]
    whole = metrics.score(guessed, meant, classes)
    around = intervals.of(intervals.answers(clips, guessed, classes))
    found = {"wa": whole.wa, "uar": whole.uar, **around, "per_heard": _by(names, guessed, meant, classes)}
    return {key: rounded(value) for key, value in found.items()}


def _by(
    names: Sequence[str], probabilities: NDArray[np.float64], meant: NDArray[np.int64], classes: Sequence[str]
) -> dict[str, object]:
    rows: dict[str, object] = {}
    for name in sorted(set(names) - {""}):
        chosen = np.array([other == name for other in names])
        scores = metrics.score(probabilities[chosen], meant[chosen], classes)
        rows[name] = {"n": scores.n, "wa": scores.wa, "uar": scores.uar}
    return rows


def _reliability(probabilities: NDArray[np.float64], meant: NDArray[np.int64]) -> dict[str, object]:
    """How often each bin of confidence is right, under the bin's bounds."""
    rows: dict[str, object] = {}
    for confidence, accuracy, count in metrics.reliability(probabilities, meant):
        low = min(int(confidence * metrics.BINS), metrics.BINS - 1) / metrics.BINS
        bounds = f"{low:.2f}-{low + 1 / metrics.BINS:.2f}"
        rows[bounds] = {"n": count, "confidence": confidence, "accuracy": accuracy}
    return rows


@rank_zero_only
def draw(clips: Sequence[Clip], heard: Heard, classes: Sequence[str], calibration: Calibration, folder: Path) -> None:
    """Confusion matrix and reliability diagram."""
    probabilities = calibration.probabilities(heard.logits, heard.measured)
    meant = np.array([list(classes).index(clip.emotion) for clip in clips])
    plots.confusion(metrics.score(probabilities, meant, classes).confusion, classes, folder / "confusion.png")
    plots.reliability(probabilities, meant, folder / "reliability.png")


def summary_of(path: Path) -> dict[str, object]:
    """A protocol's name with what its report says under each adaptation: mean and spread, and all folds together."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {
            str(found["protocol"]): {
                adapt: {
                    **{name: _in_words(row) for name, row in rows.items()},
                    **pooled([fold[adapt] for fold in found["folds"].values()]),
                }
                for adapt, rows in found["summary"].items()
            }
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path}: is no report of `python -m train judge` ({error}); run that first.") from error


def _in_words(row: dict[str, Any]) -> str:
    """A figure over folds: mean and spread over them, and its 95 % interval over speakers."""
    interval = row.get("interval")
    around = f" ({100 * interval[0]:.1f} to {100 * interval[1]:.1f})" if interval else ""
    return f"{100 * row['mean']:.1f} +- {100 * row['sd']:.1f}{around}"


def pooled(folds: Sequence[dict[str, Any]]) -> dict[str, object]:
    """Several reports on the same labels as one: counts added up, and what follows from them."""
    labels = list(folds[0]["labels"])
    confusion = np.sum([fold["confusion"] for fold in folds], axis=0)
    meant = confusion.sum(axis=1)
    described = {
        "n": int(meant.sum()),
        "labels": labels,
        "per_class": {
            label: float(confusion[place, place] / meant[place]) for place, label in enumerate(labels) if meant[place]
        },
        "confusion": confusion.tolist(),
        "reliability": _reliability_of(folds),
    }
    return {key: rounded(value) for key, value in described.items()}


def calibration_error(folds: Sequence[dict[str, Any]]) -> float:
    """Expected calibration error of several reports taken together."""
    bins = _reliability_of(folds).values()
    error = sum(row["n"] * abs(row["confidence"] - row["accuracy"]) for row in bins)
    return float(error / sum(row["n"] for row in bins))


def _reliability_of(folds: Sequence[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """The bins of several reports, each as one."""
    bins: dict[str, list[dict[str, float]]] = {}
    for fold in folds:
        for bounds, row in fold.get("reliability", {}).items():
            bins.setdefault(bounds, []).append(row)
    return {bounds: _together(bins[bounds]) for bounds in sorted(bins)}


def _together(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    """One bin of confidence from several."""
    count = sum(row["n"] for row in rows)
    means = {key: sum(row["n"] * row[key] for row in rows) / count for key in ("confidence", "accuracy")}
    return {"n": count, **means}


def curves_of(epochs: Sequence["Epoch"]) -> dict[str, object]:
    """Loss and accuracy under the number of each epoch; seconds differ from machine to machine and are left out."""
    fields = ("train_loss", "train_accuracy", "calibration_loss", "calibration_uar")
    return {str(epoch.epoch): {name: rounded(getattr(epoch, name)) for name in fields} for epoch in epochs}


@rank_zero_only
def write(report: dict[str, object], path: Path) -> None:
    """Writes a report as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
