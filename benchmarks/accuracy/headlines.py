"""The tables that are read first: README.md and docs/accuracy.md."""

import json
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import msgspec

from benchmarks.accuracy import reports
from benchmarks.accuracy.intervals import Interval, uar_interval
from benchmarks.accuracy.reports import ADAPT, NEAR, Folds, by_fold, flat, percent, title_of
from train.report import calibration_error

BASELINES = Path(__file__).with_name("baselines.json")


class Headline(msgspec.Struct, frozen=True):
    """One row of the tables that are read first."""

    words: str
    report: str
    """Name of a file in train/reports, or ``PROTOCOL NAME`` of a row in baselines.json."""
    condition: str = NEAR


def short(headlines: list[Headline]) -> list[str]:
    """README: UAR cold, adapted to the source and the speaker, and to a speaker's history as in life."""
    lines = [
        "| tested on | cold | same microphone | same speaker | same speaker, as in life |",
        "|---|--:|--:|--:|--:|",
    ]
    for each in headlines:
        found = figures(each)
        if found:
            cells = [percent(found[adapt].uar) for adapt in ADAPT]
            lines.append(f"| {each.words} | {' | '.join(cells)} | {known(found['speaker'].life)} |")
    return lines


def long(headlines: list[Headline]) -> list[str]:
    """docs/accuracy.md: the same with 95 % intervals and the calibration error."""
    lines = [
        "| tested on | cold | source | speaker | speaker, as in life | ECE, cold / speaker |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for each in headlines:
        found = figures(each)
        if found:
            cells = [percent(found[adapt].uar) + around(found[adapt].interval) for adapt in ADAPT]
            errors = [found[adapt].ece for adapt in ("none", "speaker")]
            ece = " / ".join(f"{100 * error:.0f} %" for error in errors if error is not None) or "-"
            lines.append(f"| {each.words} | {' | '.join(cells)} | {known(found['speaker'].life)} | {ece} |")
    return lines


@dataclass(frozen=True)
class Figures:
    """One condition under one adaptation, as fractions of 1; None for what was not measured."""

    uar: float
    interval: Interval | None = None
    life: float | None = None
    ece: float | None = None


def figures(headline: Headline) -> dict[str, Figures]:
    """The figures of a headline by adaptation; empty where its report or its condition is missing."""
    protocol, _, baseline = headline.report.partition(" ")
    if baseline:
        found = json.loads(BASELINES.read_text()).get(protocol, {}) if BASELINES.is_file() else {}
        return {a: Figures(row["uar"]["mean"]) for a, row in found[baseline].items()} if baseline in found else {}
    path = reports.REPORTS / f"{headline.report}.json"
    report = json.loads(path.read_text()) if path.is_file() else {}
    folds = by_fold(report) if report else {}
    titles = {adapt: title_of(headline.condition, adapt) for adapt in ADAPT}
    if not folds or not all(title in flat(folds)[0] for title in titles.values()):
        return {}
    return {adapt: measured(folds, title, report.get("summary", {}).get(title, {})) for adapt, title in titles.items()}


def measured(folds: Folds, title: str, summary: dict[str, Any]) -> Figures:
    """The figures of one title; the interval over speakers where the report has one, otherwise over folds and clips."""
    rows = [scores[title] for scores in flat(folds)]
    lives = [row["life"]["uar"] for row in rows if "life" in row]
    stated = summary.get("uar", {}).get("interval") or (rows[0].get("uar_interval") if len(rows) == 1 else None)
    drawn = uar_interval([[run[title]["confusion"] for run in seeds] for seeds in folds.values()])
    seeds = zip(*folds.values(), strict=True)
    return Figures(
        uar=mean(row["uar"] for row in rows),
        interval=Interval(*stated) if stated else drawn,
        life=mean(lives) if lives else None,
        ece=mean(calibration_error([fold[title] for fold in seed]) for seed in seeds),
    )


def around(interval: Interval | None) -> str:
    return f" ({percent(interval.low)}-{percent(interval.high)})" if interval else ""


def known(value: float | None) -> str:
    return "-" if value is None else percent(value)
