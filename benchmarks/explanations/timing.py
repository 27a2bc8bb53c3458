"""CPU time of one thread: the wall-clock time on an idle core."""

import time
from collections.abc import Callable

import numpy as np


def milliseconds(*calls: Callable[[], object], runs: int = 40) -> list[tuple[float, float]]:
    """Median and minimum CPU milliseconds of each call; the calls take turns, so that other work slows all equally."""
    for call in calls:
        call()
    times = np.zeros((runs, len(calls)))
    for run in range(runs):
        for index, call in enumerate(calls):
            begin = time.thread_time()
            call()
            times[run, index] = (time.thread_time() - begin) * 1e3
    return list(zip(np.median(times, axis=0).tolist(), times.min(axis=0).tolist(), strict=True))
