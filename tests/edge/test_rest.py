"""When a source is left alone for a moment."""

from edge.audio import BLOCK_SECONDS
from edge.rest import BLOCKS, REST_S, Rest


def rests(waits: list[float], asleep: bool = True) -> list[float]:
    rest = Rest()
    return [rest.after(waited, asleep) for waited in waits]


def test_a_live_source_is_left_alone_once_in_so_many_blocks() -> None:
    assert rests([BLOCK_SECONDS] * 2 * BLOCKS) == ([0.0] * (BLOCKS - 1) + [REST_S]) * 2


def test_after_a_rest_one_block_that_is_waited_for_shows_that_the_source_is_still_live() -> None:
    later = [0.0] * (BLOCKS - 1) + [BLOCK_SECONDS / 4]
    assert rests([BLOCK_SECONDS] * BLOCKS + later)[-1] == REST_S
    assert rests(later)[-1] == 0


def test_a_file_read_as_fast_as_it_can_be_is_never_left_alone() -> None:
    assert not any(rests([1e-4] * 10 * BLOCKS))


def test_a_reader_that_has_fallen_behind_catches_up_first() -> None:
    assert not any(rests([BLOCK_SECONDS] + [0.0] * BLOCKS * 4)[BLOCKS:])


def test_of_the_blocks_that_came_meanwhile_all_but_the_last_are_in_the_midst() -> None:
    rest, found = Rest(), []
    for waited in [BLOCK_SECONDS] * BLOCKS + [0.0] * (BLOCKS - 1) + [BLOCK_SECONDS]:
        found.append(rest.midst)
        rest.after(waited, True)
    assert found == [False] * BLOCKS + [True] * (BLOCKS - 1) + [False]


def test_nobody_rests_while_somebody_speaks() -> None:
    assert not any(rests([BLOCK_SECONDS] * 4 * BLOCKS, asleep=False))
