"""When a source is left alone for a moment."""

from edge.audio import BLOCK_SECONDS
from edge.rest import BLOCKS, REST_S, Rest

LIVE = [BLOCK_SECONDS] * BLOCKS
BATCH = [0.0] * (BLOCKS - 1) + [BLOCK_SECONDS / 4]  # what has come after a rest, and the one that is still to come


def rests(waits: list[float], asleep: bool = True) -> list[float]:
    rest = Rest()
    return [rest.after(waited, asleep) for waited in waits]


def test_a_live_source_is_left_alone_once_in_so_many_blocks() -> None:
    assert rests(LIVE + BATCH + BATCH) == ([0.0] * (BLOCKS - 1) + [REST_S]) * 3


def test_who_slept_too_long_hears_all_that_has_come_and_rests_again() -> None:
    assert rests([*LIVE, 0.0, 0.0, 0.0, *BATCH])[-1] == REST_S


def test_a_file_read_as_fast_as_it_can_be_is_never_left_alone() -> None:
    assert not any(rests([1e-4] * 10 * BLOCKS))


def test_a_source_that_only_began_slowly_is_left_alone_no_more() -> None:
    assert not any(rests(LIVE + [0.0] * 2 * BLOCKS + [1e-2, 0.0] * BLOCKS)[BLOCKS:])


def test_of_a_batch_only_the_last_block_wakes_the_listener() -> None:
    rest, found = Rest(), []
    for waited in LIVE + BATCH:
        found.append(rest.last(waited))
        rest.after(waited, True)
    assert found == [True] * BLOCKS + [False] * (BLOCKS - 1) + [True]


def test_nobody_rests_while_somebody_speaks() -> None:
    assert not any(rests([BLOCK_SECONDS] * 4 * BLOCKS, asleep=False))
