"""The tables of docs/accuracy.md out of the reports in the repository: python -m benchmarks.accuracy.tables"""

import json
import sys
from pathlib import Path

HERE = Path(__file__).parent
REPORTS = HERE.parent.parent / "train" / "reports"
ADAPT = ("none", "source", "speaker")


def percent(value: float) -> str:
    return f"{100 * value:.1f}"


def protocols() -> list[str]:
    """Mean and spread over folds, cold / source / speaker."""
    lines = ["| protocol | folds | UAR | accuracy | ECE | accuracy on the surest 75 % |", "|---|---|---|---|---|---|"]
    for path in sorted(REPORTS.glob("*.json")):
        found = json.loads(path.read_text())
        if "summary" not in found:
            continue
        rows = found["summary"]
        cells = [
            " / ".join(f"{percent(rows[a][name]['mean'])} ± {percent(rows[a][name]['sd'])}" for a in ADAPT)
            for name in ("uar", "wa", "ece", "accuracy_at_75")
        ]
        lines.append(f"| {found['protocol']} | {len(found['folds'])} | {' | '.join(cells)} |")
    return lines


def corpora() -> list[str]:
    """Each corpus that was left out."""
    path = REPORTS / "corpora.json"
    if not path.is_file():
        return []
    folds = json.loads(path.read_text())["folds"]
    lines = ["| left out | cold | source | speaker |", "|---|---|---|---|"]
    return lines + [
        f"| {name} | {' | '.join(percent(scores[a]['uar']) for a in ADAPT)} |" for name, scores in folds.items()
    ]


def ablations() -> list[str]:
    """UAR of each variant, cold / source / speaker."""
    names = ("ravdess", "emodb", "emovo")
    lines = ["| variant | RAVDESS, four new actors | EMO-DB, new corpus | EMOVO, new corpus |", "|---|---|---|---|"]
    for variant, scores in json.loads((HERE / "ablation.json").read_text()).items():
        cells = (" / ".join(percent(scores[a][name]) for a in ADAPT) for name in names)
        lines.append(f"| {variant} | {' | '.join(cells)} |")
    return lines


def baselines() -> list[str]:
    """UAR of what else one could run, on the same folds."""
    path = HERE / "baselines.json"
    if not path.is_file():
        return []
    lines = ["| folds | features and model | cold | source | speaker |", "|---|---|---|---|---|"]
    for protocol, rows in json.loads(path.read_text()).items():
        for name, scores in rows.items():
            cells = " | ".join(percent(scores[a]["uar"]["mean"]) for a in ADAPT)
            lines.append(f"| {protocol} | {name.replace(':', ', ')} | {cells} |")
    return lines


def histories() -> list[str]:
    """UAR by what the adapter had heard of the same speaker."""
    found = json.loads((HERE / "histories.json").read_text())
    lengths = list(next(iter(next(iter(found.values())).values())))
    lines = [f"| model | history | {' | '.join(lengths)} utterances |", "|---|---|" + "---|" * len(lengths)]
    for run, kinds in found.items():
        lines += [f"| {run} | {kind} | {' | '.join(map(percent, row.values()))} |" for kind, row in kinds.items()]
    return lines


def main() -> None:
    tables = (protocols(), corpora(), ablations(), baselines(), histories())
    sys.stdout.write("\n\n".join("\n".join(table) for table in tables if table) + "\n")


if __name__ == "__main__":
    main()
