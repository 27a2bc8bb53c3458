"""Pictures of a run: curves, confusion, reliability, risk against coverage."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

from train import metrics

mpl.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from train.fit import Epoch


def line(epoch: "Epoch") -> str:
    """One epoch in one line of text."""
    return (
        f"epoch {epoch.epoch:3d}  loss {epoch.train_loss:.3f}  accuracy {epoch.train_accuracy:.3f}  "
        f"calibration loss {epoch.calibration_loss:.3f}  UAR {epoch.calibration_uar:.3f}  {epoch.seconds:.0f} s"
    )


def curves(epochs: Sequence["Epoch"], path: Path) -> None:
    """Loss and accuracy over the epochs so far."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
    numbers = [epoch.epoch for epoch in epochs]
    left.plot(numbers, [epoch.train_loss for epoch in epochs], label="training")
    left.plot(numbers, [epoch.calibration_loss for epoch in epochs], label="calibration speakers")
    left.set(xlabel="epoch", ylabel="cross-entropy")
    right.plot(numbers, [epoch.train_accuracy for epoch in epochs], label="training, accuracy")
    right.plot(numbers, [epoch.calibration_uar for epoch in epochs], label="calibration speakers, UAR")
    right.set(xlabel="epoch", ylim=(0, 1))
    for axes in (left, right):
        axes.legend()
        axes.grid(alpha=0.3)
    _write(figure, path)


def confusion(counts: Sequence[Sequence[int]], classes: Sequence[str], path: Path) -> None:
    """Rows: what was meant; columns: what was heard; shares of a row."""
    table = np.asarray(counts, float)
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    figure, axes = plt.subplots(figsize=(5.5, 5), layout="constrained")
    axes.imshow(shares, vmin=0, vmax=1, cmap="Blues")
    for row, column in np.ndindex(*shares.shape):
        colour = "white" if shares[row, column] > 0.5 else "black"
        axes.text(column, row, f"{shares[row, column]:.0%}", ha="center", va="center", color=colour, fontsize=8)
    axes.set_xticks(range(len(classes)), classes, rotation=45, ha="right")
    axes.set_yticks(range(len(classes)), classes)
    axes.set(xlabel="heard", ylabel="meant")
    _write(figure, path)


def reliability(probabilities: NDArray[np.float64], meant: NDArray[np.int64], path: Path) -> None:
    """Accuracy against confidence, and accuracy of the most confident share."""
    rows = metrics.reliability(probabilities, meant)
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
    left.plot([0, 1], [0, 1], color="grey", linestyle=":")
    left.plot([row[0] for row in rows], [row[1] for row in rows], marker="o")
    left.set(xlabel="confidence", ylabel="accuracy", xlim=(0, 1), ylim=(0, 1))
    left.set_title(f"ECE {metrics.calibration_error(probabilities, meant):.1%}")
    coverages = np.linspace(0.05, 1, 20)
    right.plot(coverages, [1 - metrics.accuracy_at(probabilities, meant, share) for share in coverages])
    right.set(xlabel="coverage", ylabel="error of the most confident", ylim=(0, None))
    _write(figure, path)


def _write(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    plt.close(figure)
