"""When a source is left alone for a moment."""

from itertools import pairwise

import pytest

from edge.audio import BLOCK_SECONDS
from edge.sources.batcher import BLOCKS, LATE_S, REST_S, ROUNDS, Rest


class Ear:
    """A reader of a source that brings a block every ``period_s``; ``batches`` are heard at ``moments``."""

    def __init__(self, period_s: float = BLOCK_SECONDS, asleep: bool = True, work_s: float = 0.0) -> None:
        self.rest, self.now, self.taken = Rest(), 0.0, 0
        self.period_s, self.asleep, self.work_s = period_s, asleep, work_s
        self.batches: list[int] = [0]
        self.moments: list[float] = []

    def hear(self, blocks: int) -> "Ear":
        for _ in range(blocks):
            self.taken += 1
            waited_s = max(0.0, self.taken * self.period_s - self.now)
            self.now += waited_s
            seconds = self.rest.after(waited_s, self.now, self.asleep)
            self.batches[-1] += 1
            self.now += self.work_s
            if seconds is not None:
                self.batches.append(0)
                self.moments.append(self.now)
                self.now += seconds
        return self

    @property
    def behind(self) -> float:
        """Blocks that have come and were not heard."""
        return self.now / self.period_s - self.taken


def test_a_live_source_is_left_alone_once_in_so_many_blocks() -> None:
    assert Ear().hear(21 * BLOCKS).batches[BLOCKS : BLOCKS + 20] == [BLOCKS] * 20


def test_the_reader_wakes_when_the_last_block_has_come_and_waits_for_none() -> None:
    moments = Ear().hear(ROUNDS * BLOCKS).moments[BLOCKS - 1 :]
    assert [later - earlier for earlier, later in pairwise(moments)][1:5] == pytest.approx([REST_S] * 4)
    assert moments[0] % BLOCK_SECONDS == pytest.approx(0, abs=1e-9)
    assert moments[1] - moments[0] == pytest.approx(REST_S + LATE_S)


@pytest.mark.parametrize("drift", [-0.01, -0.001, 0.001, 0.01])
@pytest.mark.parametrize("work_s", [0.0, 1e-3])
def test_clocks_that_differ_leave_no_sound_behind(drift: float, work_s: float) -> None:
    ear = Ear(period_s=BLOCK_SECONDS * (1 + drift), work_s=work_s)
    assert max(ear.hear(1).behind for _ in range(2000 * BLOCKS)) < BLOCKS + 3
    assert len(ear.batches) < 1.5 * 2000


def test_who_slept_too_long_soon_hears_all_that_has_come_and_rests_again() -> None:
    ear = Ear().hear(3 * BLOCKS)
    ear.now += 5.0
    ear.hear(round(5.0 / BLOCK_SECONDS) + (ROUNDS + 3) * BLOCKS)
    assert ear.behind < BLOCKS + 1
    assert ear.hear(4 * BLOCKS).batches[-3:-1] == [BLOCKS, BLOCKS]


def test_a_file_read_as_fast_as_it_can_be_is_never_left_alone() -> None:
    ear = Ear(period_s=1e-4).hear(10 * BLOCKS)
    assert ear.batches == [1] * 10 * BLOCKS + [0]
    assert ear.now == pytest.approx(10 * BLOCKS * 1e-4)


def test_a_source_that_only_began_slowly_is_left_alone_no_more() -> None:
    ear = Ear().hear(BLOCKS)
    ear.period_s = 1e-4
    assert ear.hear((2 * ROUNDS) * BLOCKS).batches[-2 * BLOCKS :] == [*[1] * (2 * BLOCKS - 1), 0]


def test_nobody_rests_while_somebody_speaks() -> None:
    ear = Ear(asleep=False).hear(4 * BLOCKS)
    assert ear.batches == [1] * 4 * BLOCKS + [0]
    assert ear.now == pytest.approx(4 * BLOCKS * BLOCK_SECONDS)
