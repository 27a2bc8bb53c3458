"""What waits for the listener: sound, the oldest of which is dropped when there is too much, and questions."""

import collections
import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Job = Callable[[], None]


@dataclass(frozen=True, eq=False)
class Block:
    """Sound int16 [512], and the wall clock at its end, seconds since the epoch."""

    samples: NDArray[np.int16]
    heard_at: float


@dataclass(frozen=True)
class Gap:
    """Sound is missing here: what came before and what comes now are not one stream."""


class Inbox:
    """A bounded queue of blocks, and jobs that go before them; one thread takes, others give."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._blocks: collections.deque[Block | Gap] = collections.deque()
        self._jobs: collections.deque[Job] = collections.deque()
        self._changed = threading.Condition()
        self._closed = False
        self._torn = False  # sound is missing before the first block that waits
        self._ended = False  # a gap is the last thing that was given
        self.dropped = 0  # blocks

    def offer(self, block: Block, *, wake: bool = True) -> None:
        """Sound that cannot wait: where there is no room, the oldest makes it. ``wake`` whoever waits for some."""
        with self._changed:
            if len(self._blocks) >= self._capacity:
                self.dropped += isinstance(self._blocks.popleft(), Block)
                self._torn = True
            self._append(block, wake)

    def put(self, block: Block, *, wake: bool = True) -> None:
        """Sound that can wait: returns once there is room."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._blocks) < self._capacity or self._closed)
            self._append(block, wake)

    def _append(self, block: Block, wake: bool) -> None:
        self._blocks.append(block)
        self._ended = False
        if wake or len(self._blocks) >= self._capacity:
            self._changed.notify_all()

    def end(self) -> None:
        """The stream ends here, and whatever comes next is another one; said twice, it counts once."""
        with self._changed:
            if not self._ended:
                self._ended = True
                self._blocks.append(Gap())
                self._changed.notify_all()

    def ask(self, job: Job) -> None:
        """Something for the listener's thread to do, before the sound that waits."""
        with self._changed:
            self._jobs.append(job)
            self._changed.notify_all()

    def clear(self) -> None:
        """Forget the sound that waits."""
        with self._changed:
            self._blocks.clear()
            self._torn = True
            self._changed.notify_all()

    def close(self) -> None:
        """Nothing more will come."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def get(self, timeout_s: float) -> Block | Gap | Job | None:
        """The next thing; None when nothing came in time, or nothing more will (see ``exhausted``)."""
        with self._changed:
            self._changed.wait_for(lambda: self._jobs or self._blocks or self._closed, timeout_s)
            if self._jobs:
                return self._jobs.popleft()
            if not self._blocks:
                return None
            if self._torn:
                self._torn = False
                return Gap()
            block = self._blocks.popleft()
            self._changed.notify_all()
            return block

    @property
    def exhausted(self) -> bool:
        """Closed, and all taken."""
        with self._changed:
            return self._closed and not self._blocks and not self._jobs

    @property
    def waiting(self) -> int:
        """Blocks that wait, gaps among them."""
        return len(self._blocks)
