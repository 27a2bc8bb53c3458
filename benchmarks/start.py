"""Rows G (at rest) and H: the time from exec to READY and the memory then, beside the imports of the recipe.

python -m benchmarks.start [--runs N] [--json FILE]
"""

import subprocess
import sys
import time

from benchmarks import measure
from benchmarks.daemon import broker, daemon, resident_mb

THEIRS = "importing librosa and torch"
GOALS = {"default": 0.4, "light": 0.25}
# Includes what `import librosa` defers until a function is called.
_IMPORT = "import torch, librosa, librosa.feature, librosa.effects; print('ready', flush=True); input()"


def imports() -> tuple[float, float]:
    """Seconds by the clock and MB of a process that has imported librosa and torch."""
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", _IMPORT], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    elapsed, memory = time.perf_counter() - began, resident_mb(process.pid)
    process.communicate(b"\n")
    return elapsed, memory


def main() -> None:
    options = measure.parser(__doc__).parse_args()
    seconds: dict[str, list[float]] = {name: [] for name in (*GOALS, THEIRS)}
    memory: dict[str, list[float]] = {name: [] for name in seconds}
    spent: dict[str, list[float]] = {name: [] for name in GOALS}
    with broker() as port:
        for _ in range(options.runs):
            for name in GOALS:
                with daemon(port, bundle=name) as started:
                    seconds[name].append(started.ready_s)
                    spent[name].append(started.ready_cpu_s)
                    memory[name].append(started.resident_mb)
            elapsed, megabytes = imports()
            seconds[THEIRS].append(elapsed)
            memory[THEIRS].append(megabytes)
    spreads = {name: measure.Spread(values, "s") for name, values in seconds.items()}
    cpu = {name: measure.Spread(values, "s") for name, values in spent.items()}
    rows = []
    for name, most in GOALS.items():
        ratio = measure.ratios(spreads, name)[THEIRS]
        rows.append(
            measure.Row(
                "H",
                f"start to READY, `{name}`",
                f"{spreads[name]}, of it {measure.plain(cpu[name].median)} s of CPU",
                f"{THEIRS}: {spreads[THEIRS]}, {ratio:.1f} x",
                [measure.Goal(f"≤ {most:g} s", spreads[name].median, most)],
                {f"{name}: {THEIRS}": ratio},
            )
        )
    resident = {name: measure.Spread(values, "MB") for name, values in memory.items()}
    measure.report(rows, {"seconds": spreads, "cpu": cpu, "memory at READY": resident}, options.json)


if __name__ == "__main__":
    main()
