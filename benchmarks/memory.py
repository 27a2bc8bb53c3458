"""Row G: the daemon's memory through six hours of sound, a quarter of it speech, played as fast as it listens.

python -m benchmarks.memory [--hours H] [--json FILE]
"""

import subprocess
import sys
import time

import numpy as np

from benchmarks import measure, scenes
from benchmarks.daemon import broker, daemon, resident_mb
from edge.audio import BLOCK_SAMPLES, SAMPLE_RATE

STEP_S = 120  # of sound between two looks at the memory
TALK_S = 30  # of these; the rest is a quiet room
SETTLED = 0.25  # of the time, after which buffers have their size
OURS, THEIRS = "affectd", "librosa and torch, after one clip"
_RECIPE = (
    "from benchmarks.recipe import Recipe; from edge.audio import read_audio; from benchmarks.measure import DEMO;"
    "Recipe().analyse(read_audio(DEMO)[:48000]); print('done', flush=True); input()"
)


def recipe_mb() -> float:
    process = subprocess.Popen(
        [sys.executable, "-c", _RECIPE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=measure.ROOT
    )
    assert process.stdout is not None
    process.stdout.readline()
    memory = resident_mb(process.pid)
    process.communicate(b"\n")
    return memory


def main() -> None:
    parser = measure.parser(__doc__, runs=1)
    parser.add_argument("--hours", type=float, default=6, help="of sound (default: %(default)s)")
    options = parser.parse_args()
    step = np.concatenate([scenes.talk(TALK_S), scenes.room(STEP_S - TALK_S)])
    step = step[: len(step) // BLOCK_SAMPLES * BLOCK_SAMPLES]
    seconds, memory = [], []
    with broker() as port, daemon(port) as listening:
        began = time.monotonic()
        for index in range(round(options.hours * 3600 / STEP_S)):
            listening.hear(step)
            seconds.append(index * STEP_S)
            memory.append(listening.resident_mb)
        speed = len(memory) * STEP_S / (time.monotonic() - began)
    settled = round(SETTLED * len(memory))
    slope = float(np.polyfit(np.array(seconds[settled:]) / 3600, memory[settled:], 1)[0])
    steady = measure.Spread(memory[settled:], "MB")
    theirs = recipe_mb()
    ratio = {THEIRS: theirs / steady.median}
    row = measure.Row(
        "G",
        f"memory through {options.hours:g} h of sound at {speed:.0f} x real time",
        f"{steady}, slope {slope:+.2f} MB/h",
        f"{THEIRS}: {theirs:.0f} MB, {ratio[THEIRS]:.1f} x",
        [measure.Goal("≤ 75 MB", steady.median, 75), measure.Goal("no slope (≤ 0.2 MB/h)", slope, 0.2)],
        ratio,
    )
    details = {
        "seconds": seconds,
        "memory_mb": memory,
        "slope_mb_per_h": slope,
        "speed": speed,
        "sample_rate": SAMPLE_RATE,
    }
    measure.report([row], details, options.json)


if __name__ == "__main__":
    main()
