import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edge import features
from edge.explain.occlusion import WINDOW_FRAMES, curve, hidden, strongest, windows


@given(st.integers(WINDOW_FRAMES, 2000))
def test_windows_reach_from_the_first_frame_to_the_last(frames):
    found = windows(frames)
    assert found.weights.shape == (len(found.starts), frames)
    assert (found.weights.max(axis=0) > 0.5).all()
    assert found.weights[:, 0].max() == found.weights[:, -1].max() == 1
    steps = np.diff(found.starts) / features.FRAME_RATE
    assert len(steps) == 0 or 0.1 < steps.min() <= steps.max() < 0.3


def test_hidden_window_is_the_mean_frame_and_the_rest_untouched():
    values = np.random.default_rng(0).normal(size=(100, 3)).astype(np.float32)
    found = windows(100)
    for row, weights in zip(hidden(values, found.weights), found.weights, strict=True):
        np.testing.assert_array_equal(row[weights == 0], values[weights == 0])
        np.testing.assert_allclose(
            row[weights == 1], np.broadcast_to(values.mean(axis=0), (100, 3))[weights == 1], atol=1e-6
        )


def test_curve_of_equal_effects_is_flat():
    weights = windows(300).weights
    np.testing.assert_allclose(curve(weights, np.full(len(weights), 0.7)), 0.7)


def test_strongest_stretch_holds_the_bump():
    bumpy = np.zeros(100)
    bumpy[40:60] = 1
    assert strongest(bumpy) == (40, 60)


def test_strongest_stretch_of_a_flat_curve_is_all_of_it():
    assert strongest(np.full(50, 2.0)) == (0, 50)


@given(arrays(np.float64, st.integers(1, 40), elements=st.floats(-10, 10)))
def test_strongest_stretch_has_the_largest_sum_above_the_median(values):
    heights = values - np.median(values)
    start, end = strongest(values)
    if not heights.max() > 1e-9:
        assert (start, end) == (0, len(values))
        return
    sums = [heights[i:j].sum() for i in range(len(values)) for j in range(i + 1, len(values) + 1)]
    assert heights[start:end].sum() == pytest.approx(max(sums), abs=1e-6)
