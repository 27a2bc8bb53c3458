"""When a source is left alone for a moment."""

from itertools import pairwise

import pytest

from edge.audio import BLOCK_SECONDS
from edge.sources.batcher import BLOCKS, LATE_S, REST_S, ROUNDS, WakeUpBatcher


class Reader:
    """A reader of a source that brings a block every ``period_s``; ``wake_ups`` are the times at which a rest ended."""

    def __init__(self, period_s: float = BLOCK_SECONDS, *, asleep: bool = True, work_s: float = 0.0) -> None:
        self.batcher, self.now, self.taken = WakeUpBatcher(), 0.0, 0
        self.period_s, self.asleep, self.work_s = period_s, asleep, work_s
        self.wake_ups: list[float] = []

    def read(self, blocks: int) -> "Reader":
        for _ in range(blocks):
            self.taken += 1
            waited_s = max(0.0, self.taken * self.period_s - self.now)
            self.now += waited_s
            rest_s = self.batcher.push(waited_s, self.now, asleep=self.asleep)
            self.now += self.work_s
            if rest_s:
                self.now += rest_s
                self.wake_ups.append(self.now)
        return self

    @property
    def behind(self) -> float:
        """Blocks that have come and were not read."""
        return self.now / self.period_s - self.taken


def test_a_quiet_live_source_wakes_its_reader_twice_a_second() -> None:
    reader = Reader().read(40 * BLOCKS)
    assert len([at for at in reader.wake_ups if 5.0 <= at < 15.0]) == pytest.approx(10 / REST_S, abs=1)


def test_the_reader_wakes_just_after_the_last_block_has_come_and_waits_for_none() -> None:
    wake_ups = Reader().read(ROUNDS * BLOCKS).wake_ups
    assert [later - earlier for earlier, later in pairwise(wake_ups)][:5] == pytest.approx([REST_S] * 5)
    assert wake_ups[0] % BLOCK_SECONDS == pytest.approx(LATE_S)


@pytest.mark.parametrize("drift", [-0.01, -0.001, 0.001, 0.01])
@pytest.mark.parametrize("work_s", [0.0, 1e-3])
def test_clocks_that_differ_leave_no_sound_behind(drift: float, work_s: float) -> None:
    reader = Reader(period_s=BLOCK_SECONDS * (1 + drift), work_s=work_s)
    assert max(reader.read(1).behind for _ in range(2000 * BLOCKS)) < BLOCKS + 3
    assert len(reader.wake_ups) < 1.5 * 2000


def test_a_reader_that_overslept_soon_has_all_that_came_and_rests_again() -> None:
    reader = Reader().read(3 * BLOCKS)
    reader.now += 5.0
    reader.read(round(5.0 / BLOCK_SECONDS) + (ROUNDS + 3) * BLOCKS)
    assert reader.behind < BLOCKS + 1
    rests = len(reader.wake_ups)
    reader.read(4 * BLOCKS)
    assert len(reader.wake_ups) - rests <= 4


def test_a_file_read_as_fast_as_it_can_be_is_never_left_alone() -> None:
    reader = Reader(period_s=1e-4).read(10 * BLOCKS)
    assert reader.wake_ups == []
    assert reader.now == pytest.approx(10 * BLOCKS * 1e-4)


def test_a_source_that_only_began_slowly_is_left_alone_no_more() -> None:
    reader = Reader().read(BLOCKS)
    reader.period_s = 1e-4
    rests = len(reader.read(2 * ROUNDS * BLOCKS).wake_ups)
    assert len(reader.read(20 * BLOCKS).wake_ups) == rests


def test_nobody_rests_while_somebody_speaks() -> None:
    reader = Reader(asleep=False).read(4 * BLOCKS)
    assert reader.wake_ups == []
    assert reader.now == pytest.approx(4 * BLOCKS * BLOCK_SECONDS)
