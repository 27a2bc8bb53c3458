"""Row G: each shipped bundle's daemon through hours of sound, a quarter of it speech, as fast as it can be heard.

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
ALONE, THEIRS = "default, nobody told apart", "librosa and torch, after one clip"
GOALS = {"default": 105, "light": 85}
_RECIPE = (
    "from benchmarks.recipe import Recipe; from edge.sources.conversion import read_audio;"
    "from benchmarks.measure import DEMO;"
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


def through(bundle: str, hours: float, extra: str = "") -> dict[str, object]:
    """What a daemon holds during so many hours of sound, and at rest half an hour after the start and at the end."""
    step = np.concatenate([scenes.talk(TALK_S), scenes.room(STEP_S - TALK_S)])
    step = step[: len(step) // BLOCK_SAMPLES * BLOCK_SAMPLES]
    seconds, memory = [], []
    with broker() as port, daemon(port, bundle=bundle, extra=extra) as listening:
        early, began = 0.0, time.monotonic()
        for index in range(max(SETTLED_STEPS + 1, round(hours * 3600 / STEP_S))):
            listening.hear(step)
            seconds.append(index * STEP_S)
            memory.append(listening.resident_mb)
            if index == SETTLED_STEPS - 1:
                early = at_rest(listening)
        speed = len(memory) * STEP_S / (time.monotonic() - began)
        late = at_rest(listening)
    slope = (late - early) / ((len(memory) - SETTLED_STEPS) * STEP_S / 3600)
    return {
        "seconds": seconds,
        "memory_mb": memory,
        "at_rest_mb": [early, late],
        "slope_mb_per_h": slope,
        "speed": speed,
    }


def main() -> None:
    parser = measure.parser(__doc__, runs=1)
    parser.add_argument("--hours", type=float, default=1, help="of sound for each bundle (default: %(default)s)")
    options = parser.parse_args()
    found = {name: through(name, options.hours) for name in GOALS}
    found[ALONE] = through("default", 0, "voices: {mode: 'off'}\n")
    theirs = recipe_mb()
    alone = measure.plain(found[ALONE]["at_rest_mb"][-1])
    rows = []
    for name, most in GOALS.items():
        late, slope = found[name]["at_rest_mb"][-1], found[name]["slope_mb_per_h"]
        busy, ratio = measure.Spread(found[name]["memory_mb"], "MB"), {f"{name}: {THEIRS}": theirs / late}
        rows.append(
            measure.Row(
                "G",
                f"memory through {options.hours:g} h of sound at {found[name]['speed']:.0f} x real time, `{name}`",
                f"{late:.0f} MB at rest, {slope:+.2f} MB/h since the first half-hour; {busy} while it computes"
                + (f"; nobody told apart: {alone} MB" if name == "default" else ""),
                f"{THEIRS}: {theirs:.0f} MB, {theirs / late:.1f} x",
                [measure.Goal(f"≤ {most} MB", late, most), measure.Goal("no slope (≤ 0.2 MB/h)", slope, 0.2)],
                ratio,
            )
        )
    measure.report(rows, found, options.json)


if __name__ == "__main__":
    main()
