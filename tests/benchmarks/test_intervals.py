"""Bootstrap intervals of UAR."""

import numpy as np

from benchmarks.accuracy.intervals import uar_interval

FOLD = np.array([[30, 10], [20, 20]])  # recalls 0.75 and 0.5


def test_the_interval_holds_the_mean_and_is_the_same_every_time() -> None:
    interval = uar_interval([[FOLD]])
    assert interval.low < 0.625 < interval.high
    assert interval == uar_interval([[FOLD]])


def test_more_clips_narrow_the_interval_and_more_seeds_do_not() -> None:
    one, many, seeds = (uar_interval([[FOLD]]), uar_interval([[FOLD * 100]]), uar_interval([[FOLD, FOLD, FOLD]]))
    assert many.high - many.low < (one.high - one.low) / 5
    assert seeds == one


def test_folds_that_differ_widen_the_interval() -> None:
    alike, apart = [[FOLD * 100]] * 4, [[np.diag([1000, 1000])], [FOLD * 100]] * 2
    assert np.ptp([*_bounds(apart)]) > 5 * np.ptp([*_bounds(alike)])


def test_an_emotion_without_clips_does_not_count() -> None:
    interval = uar_interval([[[[10, 0], [0, 0]]]])
    assert _bounds([[[[10, 0], [0, 0]]]]) == (1.0, 1.0)
    assert interval.low == 1.0


def _bounds(folds: list[object]) -> tuple[float, float]:
    interval = uar_interval(folds)  # type: ignore[arg-type]
    return interval.low, interval.high
