"""Scores of predicted probabilities against meant emotions; rates are fractions of 1."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix, f1_score

Probabilities = NDArray[np.float64]
Integers = NDArray[np.int64]

BINS = 15  # of the reliability diagram and its error


@dataclass(frozen=True)
class Scores:
    """Weighted accuracy, unweighted average recall, macro F1, calibration error, and the confusion matrix in counts."""

    n: int
    wa: float
    uar: float
    f1_macro: float
    ece: float
    per_class: dict[str, float]
    confusion: list[list[int]]


def score(probabilities: Probabilities, meant: Integers, classes: Sequence[str]) -> Scores:
    """Scores of probabilities [clips, classes]; recall and F1 are means over the emotions that occur in ``meant``."""
    guessed = probabilities.argmax(axis=1)
    confusion = confusion_matrix(meant, guessed, labels=range(len(classes)))
    present = np.flatnonzero(confusion.sum(axis=1))
    recalls = confusion.diagonal()[present] / confusion.sum(axis=1)[present]
    return Scores(
        n=len(meant),
        wa=float((guessed == meant).mean()),
        uar=float(recalls.mean()),
        f1_macro=float(f1_score(meant, guessed, labels=present, average="macro", zero_division=0)),
        ece=calibration_error(probabilities, meant),
        per_class={classes[int(index)]: float(recall) for index, recall in zip(present, recalls, strict=True)},
        confusion=confusion.tolist(),
    )


def reliability(probabilities: Probabilities, meant: Integers) -> list[tuple[float, float, int]]:
    """Mean confidence, accuracy and number of clips in each bin of confidence that holds any."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == meant
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return [
        (float(confidence[bins == b].mean()), float(right[bins == b].mean()), int((bins == b).sum()))
        for b in np.unique(bins)
    ]


def calibration_error(probabilities: Probabilities, meant: Integers) -> float:
    """Expected calibration error over equal bins of confidence (Guo et al., 2017)."""
    rows = reliability(probabilities, meant)
    return sum(abs(confidence - accuracy) * count for confidence, accuracy, count in rows) / len(meant)


def accuracy_at(probabilities: Probabilities, meant: Integers, coverage: float) -> float:
    """Accuracy on the most confident ``coverage`` of the clips."""
    order = np.argsort(-probabilities.max(axis=1), kind="stable")[: max(1, round(coverage * len(meant)))]
    return float((probabilities.argmax(axis=1) == meant)[order].mean())


def sure_and_wrong(probabilities: Probabilities, meant: Integers, confidence: float = 0.7) -> float:
    """The share of all clips that are given another emotion with more than this confidence."""
    wrong = probabilities.argmax(axis=1) != meant
    return float((wrong & (probabilities.max(axis=1) > confidence)).mean())
