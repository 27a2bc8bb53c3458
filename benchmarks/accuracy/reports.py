"""The reports of ``python -m train judge`` and ``fit`` in train/reports, as the tables read them."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

OTHERS = ("intensity",)  # of something else than the emotion
REPORTS = Path(__file__).parents[2] / "train" / "reports"

ADAPT = ("none", "source", "speaker")
NEAR = "near"
"""The condition that has no name of its own in a report."""

Report = dict[str, Any]
Scores = dict[str, Any]
Folds = dict[str, list[Scores]]


def reports() -> dict[str, Report]:
    """By name: a recipe, then what follows from it."""
    paths = [path for path in REPORTS.glob("*.json") if path.stem not in OTHERS]
    return {path.stem: json.loads(path.read_text()) for path in sorted(paths, key=lambda path: path.stem)}


def percent(value: float) -> str:
    return f"{100 * value:.1f}"


def by_fold(report: Report) -> Folds:
    """The scores of each fold, one entry a seed; a bundle of one training run is one fold."""
    folds: Folds = {}
    for fold, scores in report.get("folds", {"all": report.get("card", {}).get("scores")}).items():
        folds.setdefault(fold.partition("@")[0], []).append(scores)
    return folds


def flat(folds: Folds) -> list[Scores]:
    return [scores for seeds in folds.values() for scores in seeds]


def title_of(condition: str, adapt: str) -> str:
    """The name of a condition's scores under an adaptation in a report."""
    return adapt if condition == NEAR else f"{condition}, {adapt}"


def conditions(titles: Iterable[str]) -> list[str]:
    """The conditions among the names of scores."""
    bare = [title.removesuffix(ADAPT[0]).removesuffix(", ") for title in titles if title.split(", ")[-1] == ADAPT[0]]
    return [name or NEAR for name in bare]
