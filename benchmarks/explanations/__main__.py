"""Make the tables of docs/explanations.md again, all or those named.

python -m benchmarks.explanations [--bundle DIR] [--print] [TABLE ...]
"""

import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import argparse
import importlib
import re
import time
from pathlib import Path

from edge.model.bundle import DEFAULT, Bundle

DOCUMENT = Path("docs/explanations.md")
TABLES = (
    "cost",
    "network_sizes",
    "kernel_shap",
    "curves",
    "masks",
    "maps",
    "map_checks",
    "over_time",
    "randomisation",
    "stability",
    "planted_feature",
    "planted_time",
    "usual",
    "aspects",
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.explanations", description=__doc__)
    parser.add_argument("tables", nargs="*", metavar="TABLE", help=f"some of {', '.join(TABLES)}")
    parser.add_argument("--bundle", type=Path, default=DEFAULT, metavar="DIR")
    parser.add_argument("--print", action="store_true", help="leave the document as it is")
    options = parser.parse_args()
    bundle = Bundle.load(options.bundle)
    for name in options.tables or TABLES:
        begin = time.monotonic()
        table = importlib.import_module(f"benchmarks.explanations.{name}").table(bundle)
        print(f"\n## {name} ({time.monotonic() - begin:.0f} s)\n\n{table}", flush=True)
        if not options.print:
            insert(name, table)


def insert(name: str, table: str) -> None:
    """Put a table between its marks in the document."""
    text, mark = DOCUMENT.read_text(), f"<!-- {name} -->"
    pattern = re.compile(rf"{mark}.*?{mark}", re.DOTALL)
    if not pattern.search(text):
        raise SystemExit(f"{DOCUMENT} has no place {mark} for this table")
    DOCUMENT.write_text(pattern.sub(lambda _: f"{mark}\n{table}\n{mark}", text))


if __name__ == "__main__":
    main()
