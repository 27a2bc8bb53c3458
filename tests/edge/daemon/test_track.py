"""Where along an utterance a track looks."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from edge.daemon.track import steps, window_around
from edge.features import FRAME_RATE


@given(st.floats(0, 1000), st.floats(0.05, 30))
def test_steps_cover_the_speech_without_gap_or_overlap(start: float, length: float) -> None:
    found = steps(start, start + length)
    assert found[0][0] == start
    assert found[-1][1] == start + length
    assert all(before[1] == after[0] for before, after in pairwise(found))


@given(st.floats(-1, 40), st.integers(1, 2000))
def test_a_window_lies_within_its_utterance(centre: float, count: int) -> None:
    window = window_around(centre, count)
    assert 0 <= window.start < window.stop <= count
    assert window.stop - window.start == min(count, round(2.5 * FRAME_RATE))
