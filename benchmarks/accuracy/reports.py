"""The reports of ``python -m train judge`` and ``fit`` in train/reports, as the tables read them."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

INTENSITY, VOICES = "intensity-", "voices"  # begin the names of reports on that
REPORTS = Path(__file__).parents[2] / "train" / "reports"

ADAPT = ("none", "source", "speaker")
NEAR = "near"
"""The condition that has no name of its own in a report."""

Report = dict[str, Any]
Scores = dict[str, Any]
Folds = dict[str, list[Scores]]


def reports() -> dict[str, Report]:
    """By name: a recipe, then what follows from it."""
    return {name: report for name, report in _all() if not name.startswith((INTENSITY, VOICES))}


def intensities() -> dict[str, Report]:
    """The reports of ``python -m train intensity``, by bundle."""
    return {report["bundle"]: report for name, report in _all() if name.startswith(INTENSITY)}


def _all() -> Iterator[tuple[str, Report]]:
    for path in sorted(REPORTS.glob("*.json"), key=lambda path: path.stem):
        yield path.stem, json.loads(path.read_text())


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
