"""Rows G (at rest) and H: the time from exec to READY and the memory then, beside the imports of the recipe.

python -m benchmarks.start [--runs N] [--json FILE]
"""

import subprocess
import sys
import time

from benchmarks import measure
from benchmarks.daemon import broker, daemon, resident_mb

OURS, THEIRS = "affectd", "importing librosa and torch"
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
    ours, ours_cpu, theirs, memory, their_memory = [], [], [], [], []
    with broker() as port:
        for _ in range(options.runs):
            with daemon(port) as started:
                ours.append(started.ready_s)
                ours_cpu.append(started.ready_cpu_s)
                memory.append(started.resident_mb)
            elapsed, megabytes = imports()
            theirs.append(elapsed)
            their_memory.append(megabytes)
    spreads = {OURS: measure.Spread(ours, "s"), THEIRS: measure.Spread(theirs, "s")}
    ratio = measure.ratios(spreads, OURS)
    row = measure.Row(
        "H",
        "start to READY",
        f"{spreads[OURS]}, of it {measure.plain(measure.Spread(ours_cpu, 's').median)} s of CPU",
        f"{THEIRS}: {spreads[THEIRS]}, {ratio[THEIRS]:.1f} x",
        [measure.Goal("≤ 1 s", spreads[OURS].median, 1.0)],
        ratio,
    )
    details = {
        "seconds": spreads,
        "cpu": measure.Spread(ours_cpu, "s"),
        "memory at READY": {OURS: measure.Spread(memory, "MB"), THEIRS: measure.Spread(their_memory, "MB")},
    }
    measure.report([row], details, options.json)


if __name__ == "__main__":
    main()
