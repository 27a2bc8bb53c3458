"""Row J: the speed of `affectd analyse` over recordings on two cores, beside the recipe clip by clip.

Without recordings, the demonstration recording is repeated.

python -m benchmarks.throughput [--runs N] [--clips N] [--data FOLDER] [--json FILE]
"""

import os
import random
import resource
import subprocess
import sys
import time
from pathlib import Path

import soundfile

from benchmarks import measure
from benchmarks.recipe import Recipe
from edge.audio import SAMPLE_RATE
from edge.sources.conversion import read_audio

CORES = 2
RECIPE = "librosa and torch"
GOALS = {"default": 250, "light": 450}
RECIPE_CLIPS = 3  # in each run


def analyse(paths: list[Path], options: list[str]) -> tuple[float, float]:
    """Seconds by the clock and of CPU, for one process a core; the processes share the files."""
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "edge", "analyse", *options, *map(str, paths[core::CORES])],
            stdout=subprocess.DEVNULL, cwd=measure.ROOT,
        )
        for core in range(CORES)
    ]  # fmt: skip
    if any(process.wait() for process in processes):
        raise SystemExit("affectd analyse failed")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - began, spent


def main() -> None:
    parser = measure.parser(__doc__)
    parser.add_argument("--clips", type=int, default=400, help="in each run (default: %(default)s)")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("AFFECTD_DATA", "../shared/data")))
    options = parser.parse_args()
    found = sorted(options.data.glob("*/*.opus"))
    paths = random.Random(0).sample(found, min(options.clips, len(found))) or [measure.DEMO] * 40
    seconds = {path: soundfile.info(path).duration for path in set(paths)}
    total = sum(seconds[path] for path in paths)
    recipe = Recipe()
    recipe.analyse(read_audio(measure.DEMO)[: 3 * SAMPLE_RATE])  # compiles
    kinds = {
        f"analyse{extra} --bundle {bundle}": [*extra.split(), "--bundle", bundle]
        for bundle in GOALS
        for extra in ("", " --whole")
    }
    cpu: dict[str, list[float]] = {name: [] for name in (*kinds, RECIPE)}
    wall: dict[str, list[float]] = {name: [] for name in kinds}
    for run in range(options.runs):
        for name, extra in kinds.items():
            elapsed, spent = analyse(paths, extra)
            wall[name].append(total / elapsed)
            cpu[name].append(CORES * total / spent)
        clips = random.Random(run).sample(paths, RECIPE_CLIPS)
        began = time.process_time()
        for clip in clips:
            recipe.analyse(read_audio(clip))
        cpu[RECIPE].append(CORES * sum(seconds[clip] for clip in clips) / (time.process_time() - began))
    spreads = {name: measure.Spread(values, "x real time") for name, values in cpu.items()}
    clock = {name: measure.Spread(values, "x real time") for name, values in wall.items()}
    ratio = {name: spreads[name].median / spreads[RECIPE].median for name in kinds}
    rows = [
        measure.Row(
            "J",
            f"`affectd {name}` of {len(paths)} recordings, two cores, by CPU time",
            f"{spreads[name]}; by the clock of a machine at load {os.getloadavg()[0]:.0f}: "
            f"{measure.plain(clock[name].median)} x",
            f"{RECIPE}: {measure.plain(spreads[RECIPE].median)} x real time, {ratio[name]:.0f} x",
            [measure.Goal(f"≥ {GOALS[extra[-1]]} x", spreads[name].median, GOALS[extra[-1]], least=True)],
            {f"{name}: {RECIPE}": ratio[name]},
        )
        for name, extra in kinds.items()
    ]
    measure.report(rows, {"by CPU": spreads, "by the clock": clock, "seconds of sound": total}, options.json)


if __name__ == "__main__":
    main()
