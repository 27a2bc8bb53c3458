"""Every accuracy table, out of the reports in the repository: ``python -m benchmarks.accuracy.tables``.

Writes docs/accuracy-appendix.md, and fills the tables of README.md and docs/accuracy.md.
"""

import json
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from statistics import mean, pstdev

import msgspec

from benchmarks import pages
from benchmarks.accuracy import ablation
from benchmarks.accuracy.encoders import CHOOSING, SEEN
from benchmarks.accuracy.headlines import Headline, around, known, long, measured, short
from benchmarks.accuracy.reports import (
    ADAPT,
    REPORTS,
    Scores,
    by_fold,
    conditions,
    flat,
    intensities,
    percent,
    reports,
    title_of,
)
from train.report import HEARD

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
APPENDIX = ROOT / "docs" / "accuracy-appendix.md"


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
    filled = {"accuracy": long(notes.headlines), "intensity": intensity(), "playback": playback()}
    pages.fill(ROOT / "docs" / "accuracy.md", {name: "\n".join(lines) for name, lines in filled.items()})


def appendix(notes: Notes) -> str:
    """The whole page: one section for each table that has rows."""
    tables = {
        "protocols": protocols(),
        "corpora": corpora(),
        "heard": heard(),
        "shipped": shipped(),
        "baselines": baselines(),
        "histories": histories(),
        "encoders": encoders(),
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


def protocols() -> list[str]:
    """Mean over folds and seeds ± standard deviation of the seeds' means, cold / source / speaker, by condition."""
    titles_of = {"uar": "UAR", "wa": "accuracy", "ece": "ECE of a fold", "ece_together": "ECE of all"}
    titles_of |= {"accuracy_at_75": "accuracy on surest 75 %", "sure_and_wrong": "surely wrong"}
    head = ["protocol", "recipe", "folds x seeds", "condition", *titles_of.values(), "95 % of UAR", "UAR as in life"]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for found in reports().values():
        rows, seeds = found.get("summary", {}), len(found.get("seeds", [1]))
        for condition in conditions(rows):
            titles = [title_of(condition, adapt) for adapt in ADAPT]
            cells = [" / ".join(summed(rows[title].get(name), seeds) for title in titles) for name in titles_of]
            figures = [measured(by_fold(found), title, rows[title]) for title in titles]
            bounds = " / ".join(around(each.interval).strip(" ()") for each in figures)
            lives = " / ".join(known(each.life) for each in figures)
            runs = f"{len(found['folds']) // seeds} x {seeds}"
            kind = [found["protocol"], found["training"]["name"], runs, condition]
            lines.append(f"| {' | '.join([*kind, *cells, bounds, lives])} |")
    return lines


def summed(figures: Mapping[str, float] | None, seeds: int) -> str:
    """A mean, and the standard deviation of the seeds' means if there are several; a dash for what was not measured."""
    return percent(figures["mean"]) + spread(figures, seeds) if figures else "-"


def spread(figures: Mapping[str, float], seeds: int) -> str:
    """The standard deviation of the seeds' means; one seed has none."""
    return f" ± {percent(figures['sd_seeds'])}" if seeds > 1 else ""


def corpora() -> list[str]:
    """Each corpus that was left out: mean and standard deviation over the seeds."""
    lines = ["| report | left out | condition | cold | source | speaker |", "|---|---|---|---|---|---|"]
    for name, found in reports().items():
        if found["protocol"] != "corpora":
            continue
        for corpus, runs in by_fold(found).items():
            for condition in conditions(runs[0]):
                cells = [[run[title_of(condition, adapt)]["uar"] for run in runs] for adapt in ADAPT]
                shown = [
                    percent(mean(each)) + (f" ± {percent(pstdev(each))}" if len(each) > 1 else "") for each in cells
                ]
                lines.append(f"| {name} | {corpus} | {condition} | {' | '.join(shown)} |")
    return lines if len(lines) > 2 else []


def shipped() -> list[str]:
    """What a bundle of one training run scores on the speakers kept for it."""
    lines = [
        "| report | condition | adaptation | UAR | accuracy | ECE | accuracy on the surest 75 % |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, found in reports().items():
        scores = found.get("card", {}).get("scores", {})
        for condition in conditions(scores):
            for adapt, words in zip(ADAPT, ("cold", "source", "speaker"), strict=True):
                row = scores[title_of(condition, adapt)]
                cells = (percent(row[key]) for key in ("uar", "wa", "ece", "accuracy_at_75"))
                lines.append(f"| {name} | {condition} | {words} | {' | '.join(cells)} |")
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


def encoders() -> list[str]:
    """UAR of a small head on each encoder's blocks, means over the corpora that choices are made on, and the others."""
    path = HERE / "encoders.json"
    if not path.is_file():
        return []
    groups = list(product((("chosen on", CHOOSING), ("the other four", SEEN)), ("near", "far")))
    heads = [f"{words}, {heard}" for (words, _), heard in groups]
    lines = [f"| what the head is given | {' | '.join(heads)} |", "|---" * (1 + len(heads)) + "|"]
    for title, found in json.loads(path.read_text()).items():
        cells = [
            " / ".join(percent(mean(found[corpus][f"{heard} {adapt}"] for corpus in names)) for adapt in ADAPT)
            for (_, names), heard in groups
        ]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return lines


def heard() -> list[str]:
    """UAR by how many utterances the adapter had heard before, in histories as recorded and as in life."""
    head = f"| report | condition | adapter | history | {' | '.join(HEARD)} utterances | all |"
    lines = [head, "|---|---|---|---|" + "---|" * 6]
    for name, found in reports().items():
        folds = flat(by_fold(found))
        for condition, adapt in product(conditions(folds[0]), ADAPT[1:]):
            recorded = [fold[title_of(condition, adapt)] for fold in folds]
            kinds = {"as recorded": recorded, "as in life": [row["life"] for row in recorded if "life" in row]}
            for kind, rows in kinds.items():
                if rows:
                    cells = [by_count(rows, count) for count in HEARD] + [percent(mean(row["uar"] for row in rows))]
                    lines.append(f"| {name} | {condition} | {adapt} | {kind} | {' | '.join(cells)} |")
    return lines


def by_count(rows: list[Scores], name: str) -> str:
    """The folds' mean UAR after so many utterances, every clip weighing alike; a dash where none had heard so many."""
    found = [row["per_heard"][name] for row in rows if name in row["per_heard"]]
    count = sum(row["n"] for row in found)
    return percent(sum(row["n"] * row["uar"] for row in found) / count) if count else "-"


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


def intensity() -> list[str]:
    """How well each bundle says how strongly an emotion is expressed."""
    lines = [
        "| bundle | corpus, condition, adaptation | clips | speakers | AUC | Spearman |",
        "|---|---|--:|--:|--:|--:|",
    ]
    for bundle, found in intensities().items():
        for name, row in found["scores"].items():
            cells = f"{row['n']} | {row['speakers']} | {row['auc']:.3f} | {row['spearman']:.3f}"
            lines.append(f"| {bundle} | {name} | {cells} |")
    return lines


def playback() -> list[str]:
    """How well speech out of a loudspeaker is told from people; a dash where no utterance was marked."""
    parts = ("all", "near", "far")
    head = ["from", "played", "AUC", *(f"precision / recall, {part}" for part in parts)]
    lines = [f"| {' | '.join(head)} |", "|---|---|" + "--:|" * (1 + len(parts))]
    for name, rows in json.loads((HERE / "playback.json").read_text())["summary"].items():
        for words, row in rows.items():
            cells = [
                " / ".join(
                    "-" if rate is None else percent(rate) for rate in (row[part]["precision"], row[part]["recall"])
                )
                for part in parts
            ]
            lines.append(f"| {name} | {words} | {row['auc']:.2f} | {' | '.join(cells)} |")
    return lines


if __name__ == "__main__":
    main()
