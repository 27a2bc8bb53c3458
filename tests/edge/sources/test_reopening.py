"""A source that is opened again."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from edge.errors import SourceError
from edge.sources.reopening import Reopening


class Absent:
    """A microphone that is not there."""

    name = "absent"
    endless = True
    always_on = False
    lost_s = 0.0
    drains = None

    def arrived(self) -> int | None:
        return None

    def blocks(self) -> Iterator[NDArray[np.int16]]:
        raise SourceError("absent is not there")
        yield np.empty(0, np.int16)

    def close(self) -> None:
        """Nothing is open."""


def test_it_gives_signs_of_life_in_a_pause() -> None:
    """One pause may be longer than a worker may be silent, and an opening takes its time as well."""
    beats = 0

    def beat() -> None:
        nonlocal beats
        beats += 1
        if beats == 4:  # before the first opening, and in the pause after it
            reopening.close()

    told: list[str] = []
    reopening = Reopening(Absent(), lambda _online, reason: told.append(reason), 30.0, beat=beat)
    assert list(reopening.blocks()) == []
    assert told == ["absent is not there"]
