"""The tables of docs/accuracy.md out of the reports in the repository: python -m benchmarks.accuracy.tables"""

import json
import sys
from pathlib import Path
from statistics import mean, pstdev
from typing import Any

from benchmarks.accuracy import ablation
from train.report import HEARD

HERE = Path(__file__).parent
REPORTS = HERE.parent.parent / "train" / "reports"
ADAPT = ("none", "source", "speaker")


def reports() -> list[Path]:
    """By name: a recipe, then what follows from it."""
    return sorted(REPORTS.glob("*.json"), key=lambda path: path.stem)


def percent(value: float) -> str:
    return f"{100 * value:.1f}"


def protocols() -> list[str]:
    """Mean over folds and seeds, and standard deviation of the seeds' means, cold / source / speaker; one line for each
    condition. UAR also with histories as in life, and with its 95 % interval over speakers.
    """
    lines = [
        "| protocol | recipe | folds x seeds | heard | UAR | as in life, source / speaker | 95 % of UAR | accuracy | "
        "ECE of a fold | ECE of all | accuracy on surest 75 % |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for path in reports():
        found = json.loads(path.read_text())
        if "summary" not in found:
            continue
        rows, seeds = found["summary"], len(found.get("seeds", [1]))
        runs = f"{len(found['folds']) // seeds} x {seeds}"
        for heard, titles in conditions(rows).items():
            uar, *others = [
                " / ".join(percent(rows[title][name]["mean"]) + spread(rows[title][name], seeds) for title in titles)
                for name in ("uar", "wa", "ece", "ece_together", "accuracy_at_75")
            ]
            life = " / ".join(percent(rows[t]["uar_life"]["mean"]) for t in titles if "uar_life" in rows[t]) or "-"
            known = [rows[title]["uar"].get("interval") for title in titles]
            around = " / ".join("-".join(map(percent, bounds)) for bounds in known if bounds) or "-"
            cells = [found["protocol"], found["training"]["name"], runs, heard, uar, life, around, *others]
            lines.append(f"| {' | '.join(cells)} |")
    return lines


def conditions(rows: dict[str, Any]) -> dict[str, list[str]]:
    """What a report's rows are called under each adaptation, by the condition in which the clips were heard."""
    names = [title.removesuffix(ADAPT[0]).removesuffix(", ") for title in rows if title.endswith(ADAPT[0])]
    return {name or "near": [f"{name}, {adapt}" if name else adapt for adapt in ADAPT] for name in names}


def spread(figures: dict[str, float], seeds: int) -> str:
    """The standard deviation of the seeds' means; one seed has none."""
    return f" ± {percent(figures['sd_seeds'])}" if seeds > 1 else ""


def corpora() -> list[str]:
    """Each corpus that was left out: mean and standard deviation over the seeds."""
    path = REPORTS / "corpora.json"
    if not path.is_file():
        return []
    runs: dict[str, list[dict[str, Any]]] = {}
    for name, scores in json.loads(path.read_text())["folds"].items():
        runs.setdefault(name.partition("@")[0], []).append(scores)
    lines = ["| left out | cold | source | speaker |", "|---|---|---|---|"]
    for name, seeds in runs.items():
        cells = [[run[a]["uar"] for run in seeds] for a in ADAPT]
        lines.append(f"| {name} | {' | '.join(f'{percent(mean(uar))} ± {percent(pstdev(uar))}' for uar in cells)} |")
    return lines


def ablations() -> list[str]:
    """UAR of each plan's variants, cold / source / speaker."""
    return "\n".join(ablation.table(variants) for variants in ablation.known().values()).splitlines()


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
    for path in reports():
        found = json.loads(path.read_text())
        folds = list(found["folds"].values()) if "folds" in found else [found["card"]["scores"]]
        for adapt in ADAPT[1:]:
            recorded = [fold[adapt] for fold in folds if adapt in fold]
            kinds = {"as recorded": recorded, "as in life": [row["life"] for row in recorded if "life" in row]}
            for kind, rows in kinds.items():
                if rows:
                    cells = [by_count(rows, name) for name in HEARD] + [percent(mean(row["uar"] for row in rows))]
                    lines.append(f"| {path.stem} | {adapt} | {kind} | {' | '.join(cells)} |")
    return lines


def by_count(rows: list[dict[str, Any]], name: str) -> str:
    """The folds' mean UAR after so many utterances, every clip weighing alike; a dash where none had heard so many."""
    known = [row["per_heard"][name] for row in rows if name in row["per_heard"]]
    count = sum(row["n"] for row in known)
    return percent(sum(row["n"] * row["uar"] for row in known) / count) if count else "-"


def histories() -> list[str]:
    """UAR by what the adapter had heard of the same speaker."""
    found = json.loads((HERE / "histories.json").read_text())
    lengths = list(next(iter(next(iter(found.values())).values())))
    lines = [f"| model | history | {' | '.join(lengths)} utterances |", "|---|---|" + "---|" * len(lengths)]
    for run, kinds in found.items():
        lines += [f"| {run} | {kind} | {' | '.join(map(percent, row.values()))} |" for kind, row in kinds.items()]
    return lines


def main() -> None:
    tables = (protocols(), corpora(), heard(), ablations(), baselines(), histories())
    sys.stdout.write("\n\n".join("\n".join(table) for table in tables if table) + "\n")


if __name__ == "__main__":
    main()
