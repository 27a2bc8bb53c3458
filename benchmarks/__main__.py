"""Measure everything, or the parts named: tables to the terminal, JSON to results/, tables to docs/performance.md.

python -m benchmarks [--runs N] [--quick] [NAME ...]
"""

import argparse
import subprocess
import sys

from benchmarks import measure, pages
from benchmarks.measure import RESULTS

NAMES = (
    "utterance", "features", "coalitions", "listening", "memory", "start", "latency", "throughput", "size", "training",
    "hotspots", "growth",
)  # fmt: skip
ONCE = {"memory", "size"}  # measured once: memory takes long, and sizes do not vary
QUICK = {
    "features": ["--clips", "20"],
    "listening": ["--seconds", "20"],
    "memory": ["--hours", "0.6"],
    "latency": ["--utterances", "4"],
    "throughput": ["--clips", "60"],
}
PLOT = ["--plot", "docs/cost.svg"]


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
    pages.main()


if __name__ == "__main__":
    main()
