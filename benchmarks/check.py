"""Guards the costs: fails if a ratio to an alternative is more than 25 % worse than the committed one.

python -m benchmarks.check [NAME ...]
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import measure
from benchmarks.measure import RESULTS, rows

QUICK = ("utterance", "features", "coalitions", "size")  # two minutes; others on request
ALLOWED = 0.75  # of the committed ratio


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.check", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", default=QUICK)
    names = parser.parse_args().names
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            command = [sys.executable, "-m", f"benchmarks.{name}", "--json", f"{folder}/{name}.json"]
            subprocess.run(command, cwd=measure.ROOT, check=True, stdout=subprocess.DEVNULL)
        measured = ratios(Path(folder))
    committed, worse = ratios(RESULTS), []
    print("| what | committed | now |\n|---|---|---|")
    for name, now in measured.items():
        if (then := committed.get(name)) is None:
            print(f"| {name} | - | {now:.2f} |")
            continue
        print(f"| {name} | {then:.2f} | {now:.2f} |")
        if now < ALLOWED * then:
            worse.append(f"{name}: {then:.1f} times ours before, {now:.1f} now")
    if worse:
        raise SystemExit("dearer by more than 25 %:\n" + "\n".join(worse))


def ratios(folder: Path) -> dict[str, float]:
    """How many times ours the others need, for every row and contender of the results in a folder."""
    return {f"{row.letter}, {name}": ratio for row in rows(folder) for name, ratio in row.ratios.items()}


if __name__ == "__main__":
    main()
