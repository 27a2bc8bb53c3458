"""Row G: the daemon's memory during six hours of sound, a quarter of it speech, as fast as it can be heard.

python -m benchmarks.memory [--hours H] [--json FILE]
"""

import subprocess
import sys
import time

import numpy as np

from benchmarks import measure, scenes
from benchmarks.daemon import Daemon, broker, daemon, play_paced, resident_mb
from edge.audio import BLOCK_SAMPLES

STEP_S = 120  # of sound between two samples of the memory
TALK_S = 30  # of these; the rest is a quiet room
SETTLED_STEPS = 15  # half an hour, after which buffers no longer grow
REST_S = 25.0
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


def at_rest(listening: Daemon) -> float:
    """MB after a while of quiet in real time, when everything is analysed and free memory is returned."""
    play_paced({listening: scenes.room(REST_S)}, REST_S)
    return listening.resident_mb


def main() -> None:
    parser = measure.parser(__doc__, runs=1)
    parser.add_argument("--hours", type=float, default=6, help="of sound (default: %(default)s)")
    options = parser.parse_args()
    step = np.concatenate([scenes.talk(TALK_S), scenes.room(STEP_S - TALK_S)])
    step = step[: len(step) // BLOCK_SAMPLES * BLOCK_SAMPLES]
    seconds, memory = [], []
    with broker() as port, daemon(port) as listening:
        early, began = 0.0, time.monotonic()
        for index in range(round(options.hours * 3600 / STEP_S)):
            listening.hear(step)
            seconds.append(index * STEP_S)
            memory.append(listening.resident_mb)
            if index == SETTLED_STEPS - 1:
                early = at_rest(listening)
        speed = len(memory) * STEP_S / (time.monotonic() - began)
        late = at_rest(listening)
    slope = (late - early) / (options.hours - SETTLED_STEPS * STEP_S / 3600)
    busy = measure.Spread(memory, "MB")
    theirs = recipe_mb()
    ratio = {THEIRS: theirs / late}
    row = measure.Row(
        "G",
        f"memory through {options.hours:g} h of sound at {speed:.0f} x real time",
        f"{late:.0f} MB at rest, {slope:+.2f} MB/h since the first half-hour; {busy} while it computes",
        f"{THEIRS}: {theirs:.0f} MB, {ratio[THEIRS]:.1f} x",
        [measure.Goal("≤ 75 MB", late, 75), measure.Goal("no slope (≤ 0.2 MB/h)", slope, 0.2)],
        ratio,
    )
    details = {
        "seconds": seconds,
        "memory_mb": memory,
        "at_rest_mb": [early, late],
        "slope_mb_per_h": slope,
        "speed": speed,
    }
    measure.report([row], details, options.json)


if __name__ == "__main__":
    main()
