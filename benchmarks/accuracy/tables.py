"""Every accuracy table, out of the reports in the repository: ``python -m benchmarks.accuracy.tables``.

Writes docs/accuracy-appendix.md, and fills the tables of README.md and docs/accuracy.md.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from statistics import mean, pstdev
from typing import Any

import msgspec

from benchmarks import pages
from benchmarks.accuracy import ablation
from benchmarks.accuracy.intervals import uar_interval
from train.report import HEARD, calibration_error

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
REPORTS = ROOT / "train" / "reports"
APPENDIX = ROOT / "docs" / "accuracy-appendix.md"
ADAPT = ("none", "source", "speaker")

Report = dict[str, Any]
Scores = dict[str, Any]
Folds = dict[str, list[Scores]]


class Headline(msgspec.Struct, frozen=True):
    """One row of the tables that are read first."""

    words: str
    report: str
    """Name of a file in train/reports, or ``PROTOCOL NAME`` of a row in baselines.json."""


class Notes(msgspec.Struct, frozen=True):
    """What a person has written for the tables (notes.yaml)."""

    headlines: list[Headline]
    sections: dict[str, "Section"]
    """By name of the section; a plan of ablations is the section ``ablation PLAN``."""


class Section(msgspec.Struct, frozen=True):
    """Heading, and text before and after the table."""

    heading: str
    before: str = ""
    after: str = ""


def main() -> None:
    notes = msgspec.yaml.decode((HERE / "notes.yaml").read_bytes(), type=Notes)
    APPENDIX.write_text(appendix(notes), encoding="utf-8")
    pages.fill(ROOT / "README.md", {"accuracy": "\n".join(short(notes.headlines))})
    pages.fill(ROOT / "docs" / "accuracy.md", {"accuracy": "\n".join(long(notes.headlines))})


def appendix(notes: Notes) -> str:
    """The whole page: one section for each table that has rows."""
    tables = {
        "protocols": protocols(),
        "corpora": corpora(),
        "heard": heard(),
        "shipped": shipped(),
        "baselines": baselines(),
        "histories": histories(),
        **{f"ablation {name}": ablation.table(variants).splitlines() for name, variants in ablation.known().items()},
    }
    order = [name for name in notes.sections if name in tables]
    order += [name for name in tables if name not in order]
    parts = [
        section(notes.sections.get(name, Section(name.capitalize())), tables[name]) for name in order if tables[name]
    ]
    return notes.sections["page"].before + "\n" + "\n\n".join(parts) + "\n"


def section(text: Section, table: list[str]) -> str:
    """Heading, text, table, text."""
    parts = [f"## {text.heading}", text.before.strip(), "\n".join(table).strip(), text.after.strip()]
    return "\n\n".join(part for part in parts if part)


def short(headlines: list[Headline]) -> list[str]:
    """README: UAR cold, adapted to the speaker, and adapted to a history as in life."""
    lines = [
        "| tested on | cold | same microphone | same speaker | same speaker, as in life |",
        "|---|--:|--:|--:|--:|",
    ]
    for each in headlines:
        rows = measured(each.report)
        if rows:
            cells = [percent(uar(rows, adapt)) for adapt in ADAPT]
            lines.append(f"| {each.words} | {' | '.join(cells)} | {life(rows)} |")
    return lines


def long(headlines: list[Headline]) -> list[str]:
    """docs/accuracy.md: the same with 95 % intervals and the calibration error."""
    lines = [
        "| tested on | cold | source | speaker | speaker, as in life | ECE, cold / speaker |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for each in headlines:
        rows = measured(each.report)
        if rows:
            cells = [f"{percent(uar(rows, adapt))}{between(rows, adapt)}" for adapt in ADAPT]
            lines.append(f"| {each.words} | {' | '.join(cells)} | {life(rows)} | {ece(rows)} |")
    return lines


def measured(name: str) -> Folds:
    """The folds of a report, each with its scores by seed; of a baseline its means; nothing where it is missing."""
    protocol, _, baseline = name.partition(" ")
    if baseline:
        path = HERE / "baselines.json"
        found = json.loads(path.read_text()).get(protocol, {}) if path.is_file() else {}
        if baseline not in found:
            return {}
        return {protocol: [{adapt: {"uar": found[baseline][adapt]["uar"]["mean"]} for adapt in ADAPT}]}
    path = REPORTS / f"{name}.json"
    if not path.is_file():
        return {}
    return by_fold(json.loads(path.read_text()))


def by_fold(report: Report) -> Folds:
    """The scores of each fold, one entry a seed; a bundle of one training run is one fold."""
    folds: Folds = {}
    for fold, scores in report.get("folds", {"all": report.get("card", {}).get("scores")}).items():
        folds.setdefault(fold.partition("@")[0], []).append(scores)
    return folds


def flat(folds: Folds) -> list[Scores]:
    return [scores for seeds in folds.values() for scores in seeds]


def uar(folds: Folds, adapt: str) -> float:
    """Mean over folds and seeds."""
    return mean(scores[adapt]["uar"] for scores in flat(folds))


def life(folds: Folds) -> str:
    """UAR with the speaker's history, four fifths of it neutral; a dash where that was not measured."""
    found = [scores["speaker"]["life"]["uar"] for scores in flat(folds) if "life" in scores["speaker"]]
    return percent(mean(found)) if found else "-"


def between(folds: Folds, adapt: str) -> str:
    """The 95 % interval in brackets; nothing where there is no confusion matrix to draw from."""
    if "confusion" not in flat(folds)[0][adapt]:
        return ""
    interval = uar_interval([[run[adapt]["confusion"] for run in seeds] for seeds in folds.values()])
    return f" ({percent(interval.low)} to {percent(interval.high)})"


def ece(folds: Folds) -> str:
    """Calibration error of all folds of a seed together, mean over the seeds, per cent: cold / speaker."""
    if "reliability" not in flat(folds)[0]["none"]:
        return "-"
    seeds = list(zip(*folds.values(), strict=True))
    errors = [mean(calibration_error([row[adapt] for row in rows]) for rows in seeds) for adapt in ("none", "speaker")]
    return " / ".join(f"{100 * error:.0f} %" for error in errors)


def reports() -> dict[str, Report]:
    """By name: a recipe, then what follows from it."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(REPORTS.glob("*.json"), key=lambda p: p.stem)}


def percent(value: float) -> str:
    return f"{100 * value:.1f}"


def protocols() -> list[str]:
    """Mean over folds and seeds, and standard deviation of the seeds' means, cold / source / speaker."""
    lines = [
        "| protocol | recipe | folds x seeds | UAR | accuracy | ECE of a fold | ECE of all | accuracy on surest 75 % |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for found in reports().values():
        if "summary" not in found:
            continue
        rows, seeds = found["summary"], len(found.get("seeds", [1]))
        cells = [
            " / ".join(percent(rows[a][name]["mean"]) + spread(rows[a][name], seeds) for a in ADAPT)
            for name in ("uar", "wa", "ece", "ece_together", "accuracy_at_75")
        ]
        runs = f"{len(found['folds']) // seeds} x {seeds}"
        lines.append(f"| {found['protocol']} | {found['training']['name']} | {runs} | {' | '.join(cells)} |")
    return lines


def spread(figures: Mapping[str, float], seeds: int) -> str:
    """The standard deviation of the seeds' means; one seed has none."""
    return f" ± {percent(figures['sd_seeds'])}" if seeds > 1 else ""


def corpora() -> list[str]:
    """Each corpus that was left out: mean and standard deviation over the seeds."""
    lines = ["| report | left out | cold | source | speaker |", "|---|---|---|---|---|"]
    for name, found in reports().items():
        if found["protocol"] != "corpora":
            continue
        for corpus, runs in by_fold(found).items():
            cells = [[run[a]["uar"] for run in runs] for a in ADAPT]
            shown = (f"{percent(mean(each))}{f' ± {percent(pstdev(each))}' if len(each) > 1 else ''}" for each in cells)
            lines.append(f"| {name} | {corpus} | {' | '.join(shown)} |")
    return lines if len(lines) > 2 else []


def shipped() -> list[str]:
    """What a bundle of one training run scores on the speakers kept for it."""
    lines = [
        "| report | adaptation | UAR | accuracy | ECE | accuracy on the surest 75 % |",
        "|---|---|---|---|---|---|",
    ]
    for name, found in reports().items():
        for adapt, words in zip(ADAPT, ("cold", "source", "speaker"), strict=True):
            if "card" in found:
                row = found["card"]["scores"][adapt]
                cells = (percent(row[key]) for key in ("uar", "wa", "ece", "accuracy_at_75"))
                lines.append(f"| {name} | {words} | {' | '.join(cells)} |")
    return lines if len(lines) > 2 else []


def baselines() -> list[str]:
    """UAR of what else one could run, beside our network's on the same folds."""
    path = HERE / "baselines.json"
    if not path.is_file():
        return []
    lines = ["| folds | features and model | cold | source | speaker |", "|---|---|---|---|---|"]
    for protocol, rows in json.loads(path.read_text()).items():
        ours = {
            f"frames:network{kind.replace('-', ', ')}": REPORTS / f"{protocol.replace('/', '-')}{kind}.json"
            for kind in ("", "-large")
        }
        networks = {name: json.loads(path.read_text())["summary"] for name, path in ours.items() if path.is_file()}
        for name, scores in (rows | networks).items():
            cells = " | ".join(percent(scores[a]["uar"]["mean"]) for a in ADAPT)
            lines.append(f"| {protocol} | {name.replace(':', ', ')} | {cells} |")
    return lines


def heard() -> list[str]:
    """UAR by how many utterances the adapter had heard before, in histories as recorded and as in life."""
    lines = [f"| report | adapter | history | {' | '.join(HEARD)} utterances | all |", "|---|---|---|" + "---|" * 6]
    for name, found in reports().items():
        folds = flat(by_fold(found))
        for adapt in ADAPT[1:]:
            recorded = [fold[adapt] for fold in folds if adapt in fold]
            kinds = {"as recorded": recorded, "as in life": [row["life"] for row in recorded if "life" in row]}
            for kind, rows in kinds.items():
                if rows:
                    cells = [by_count(rows, count) for count in HEARD] + [percent(mean(row["uar"] for row in rows))]
                    lines.append(f"| {name} | {adapt} | {kind} | {' | '.join(cells)} |")
    return lines


def by_count(rows: list[Scores], name: str) -> str:
    """The folds' mean UAR after so many utterances, every clip weighing alike; a dash where none had heard so many."""
    known = [row["per_heard"][name] for row in rows if name in row["per_heard"]]
    count = sum(row["n"] for row in known)
    return percent(sum(row["n"] * row["uar"] for row in known) / count) if count else "-"


def histories() -> list[str]:
    """UAR by what the adapter had heard of the same speaker."""
    path = HERE / "histories.json"
    if not path.is_file():
        return []
    found = json.loads(path.read_text())
    lengths = list(next(iter(next(iter(found.values())).values())))
    lines = [f"| model | history | {' | '.join(lengths)} utterances |", "|---|---|" + "---|" * len(lengths)]
    for run, kinds in found.items():
        lines += [f"| {run} | {kind} | {' | '.join(map(percent, row.values()))} |" for kind, row in kinds.items()]
    return lines


if __name__ == "__main__":
    main()
