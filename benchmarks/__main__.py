"""Measure everything, or what is named: tables to the terminal, JSON beside, the table of costs into the README.

python -m benchmarks [--runs N] [--quick] [NAME ...]
"""

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

from benchmarks import measure

RESULTS = Path(__file__).parent / "results"
NAMES = (
    "utterance", "features", "coalitions", "listening", "memory", "start", "latency", "throughput", "size", "training",
    "hotspots", "growth",
)  # fmt: skip
ONCE = {"memory", "size"}  # measured once: one is long, and files do not change
QUICK = {
    "features": ["--clips", "20"],
    "listening": ["--seconds", "20"],
    "memory": ["--hours", "0.5"],
    "latency": ["--utterances", "10"],
    "throughput": ["--clips", "60"],
}
PLOT = ["--plot", "docs/cost.svg"]
PAGES = ("README.md", "docs/performance.md")
MARK = "<!-- cost -->"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of {', '.join(NAMES)}")
    parser.add_argument("--runs", type=int, help="how often each is measured (default: each script's own)")
    parser.add_argument("--quick", action="store_true", help="short runs, to see that everything works")
    options = parser.parse_args()
    for name in options.names or NAMES:
        print(f"\n## {name}\n", flush=True)
        command = [sys.executable, "-m", f"benchmarks.{name}", "--json", str(RESULTS / f"{name}.json")]
        command += ["--runs", str(options.runs)] if options.runs and name not in ONCE else []
        command += QUICK.get(name, []) if options.quick else []
        command += PLOT if name == "growth" else []
        if subprocess.run(command, cwd=measure.ROOT, check=False).returncode:
            raise SystemExit(f"benchmarks.{name} has failed")
    insert(measure.table(rows()))


def rows(folder: Path = RESULTS) -> list[measure.Row]:
    """The rows of all results that there are, in the order of their letters."""
    stored = [row for path in sorted(folder.glob("*.json")) for row in json.loads(path.read_text())["rows"]]
    found = [measure.Row(**row | {"goals": [measure.Goal(**goal) for goal in row["goals"]]}) for row in stored]
    return sorted(found, key=lambda row: row.letter)


def insert(table: str) -> None:
    """Put the table between its marks wherever a page has them."""
    for name in PAGES:
        page = measure.ROOT / name
        if page.exists():
            text = page.read_text()
            page.write_text(re.sub(f"{MARK}.*?{MARK}", lambda _: f"{MARK}\n{table}\n{MARK}", text, flags=re.DOTALL))


if __name__ == "__main__":
    main()
