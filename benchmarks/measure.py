"""Measurement: contenders take turns in one run, on one thread each, by CPU time and by the clock."""

import argparse
import importlib.metadata
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
DEMO = ROOT / "edge" / "demo.opus"
BUNDLES = {name: ROOT / "edge" / "models" / name for name in ("default", "light")}
RESULTS = Path(__file__).parent / "results"
LIBRARIES = ("numpy", "onnxruntime", "librosa", "torch", "shap", "opensmile", "transformers")


@dataclass(frozen=True)
class Spread:
    """The values of one contender, one a run."""

    values: Sequence[float]
    unit: str

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def __str__(self) -> str:
        least, median, most = (plain(value) for value in (min(self.values), self.median, max(self.values)))
        return f"{median} {self.unit} ({least} to {most})" if len(self.values) > 1 else f"{median} {self.unit}"


@dataclass(frozen=True)
class Goal:
    """A bound that ``value`` should keep; ``least`` says whether it is a lower one. ``text`` states it."""

    text: str
    value: float
    bound: float
    least: bool = False

    @property
    def met(self) -> bool:
        return self.value >= self.bound if self.least else self.value <= self.bound


@dataclass(frozen=True)
class Row:
    """One row of the table of costs. ``ratios`` are how many times ours the others need, measured in the same run."""

    letter: str
    work: str
    ours: str
    against: str
    goals: Sequence[Goal]
    ratios: Mapping[str, float]


def plain(value: float) -> str:
    """A number with three significant digits."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def interleaved(
    calls: Mapping[str, Callable[[], object]], runs: int, least_s: float = 0.1
) -> tuple[dict[str, Spread], dict[str, Spread]]:
    """CPU milliseconds (of all threads) and milliseconds by the clock of a call of each, one value a run.

    In each run every contender is called for at least ``least_s`` of CPU time, so that the resolution of the clock does
    not matter. The contenders take turns, so that other work slows all of them equally.
    """
    for call in calls.values():
        call()  # compiles, caches, fills its buffers
    cpu: dict[str, list[float]] = {name: [] for name in calls}
    wall: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(runs):
        for name, call in calls.items():
            count, began, began_cpu = 0, time.perf_counter(), time.process_time()
            while (spent := time.process_time() - began_cpu) < least_s or count == 0:
                call()
                count += 1
            cpu[name].append(1e3 * spent / count)
            wall[name].append(1e3 * (time.perf_counter() - began) / count)
    return (
        {name: Spread(values, "ms") for name, values in cpu.items()},
        {name: Spread(values, "ms") for name, values in wall.items()},
    )


def ratios(spreads: Mapping[str, Spread], ours: str) -> dict[str, float]:
    """How many times ours each of the others needs: the median of the ratios of single runs."""
    return {
        name: statistics.median(other / own for other, own in zip(each.values, spreads[ours].values, strict=True))
        for name, each in spreads.items()
        if name != ours
    }


def processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith(("model name", "Model"))]
    return models[0] if models else platform.processor() or platform.machine()


def machine() -> dict[str, object]:
    """The machine of the measurement, its load, and the versions of the libraries."""
    versions = {}
    for name in LIBRARIES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "processor": processor(),
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "libraries": versions,
    }


def parser(document: str, runs: int = 5) -> argparse.ArgumentParser:
    """A parser with the options that all scripts share."""
    options = argparse.ArgumentParser(description=document.splitlines()[0])
    options.add_argument(
        "--runs", type=int, default=runs, help="how often everything is measured (default: %(default)s)"
    )
    options.add_argument("--json", type=Path, metavar="FILE", help="write the figures here as well")
    return options


def report(rows: Sequence[Row], details: Mapping[str, object], file: Path | None) -> None:
    """Print the rows, and write them with all details to a file."""
    print(table(rows))
    if file:
        write(rows, details, file)


def write(rows: Sequence[Row], details: Mapping[str, object], file: Path) -> None:
    """Write rows and details as JSON, with the machine."""
    content = {"machine": machine(), "rows": [asdict(row) for row in rows], "details": details}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content, indent=1, default=_encoded) + "\n")


def rows(folder: Path = RESULTS) -> list[Row]:
    """The rows of all results, in the order of their letters."""
    # Results that are no costs have no rows.
    stored = [row for path in sorted(folder.glob("*.json")) for row in json.loads(path.read_text()).get("rows", [])]
    found = [Row(**row | {"goals": [Goal(**goal) for goal in row["goals"]]}) for row in stored]
    return sorted(found, key=lambda row: row.letter)


def table(rows: Sequence[Row]) -> str:
    """Markdown: a line for each row, each goal followed by whether it is met."""
    lines = ["| | work | affectd | against | goal | |", "|---|---|---|---|---|---|"]
    for row in rows:
        goals = "; ".join(goal.text for goal in row.goals)
        met = "; ".join("met" if goal.met else f"**missed** ({plain(goal.value)})" for goal in row.goals)
        verdict = "met" if all(goal.met for goal in row.goals) else met
        lines.append(
            f"| {row.letter} | {row.work} | {row.ours} | {row.against} | {goals} | {verdict if goals else ''} |"
        )
    return "\n".join(lines)


def _encoded(value: object) -> object:
    if isinstance(value, Spread):
        return {"median": value.median, "unit": value.unit, "values": list(value.values)}
    raise TypeError(f"{type(value).__name__} has no place in a report")
