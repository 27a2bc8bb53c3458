"""CPU time of one thread: what the wall clock would show on a core of one's own."""

import time
from collections.abc import Callable

import numpy as np


def milliseconds(*calls: Callable[[], object], runs: int = 40) -> list[tuple[float, float]]:
    """Median and minimum CPU milliseconds of each call, taken in turns so that all meet the same machine."""
    for call in calls:
        call()
    times = np.zeros((runs, len(calls)))
    for run in range(runs):
        for index, call in enumerate(calls):
            begin = time.thread_time()
            call()
            times[run, index] = (time.thread_time() - begin) * 1e3
    return list(zip(np.median(times, axis=0).tolist(), times.min(axis=0).tolist(), strict=True))
