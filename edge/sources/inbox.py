"""The queue between capture and listener: sound, the oldest of which is dropped when there is too much, and jobs."""

import collections
import threading
from collections.abc import Callable, Sequence
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
class Discontinuity:
    """Sound is missing here: what came before and what comes now are not one stream.

    Not ``sound``: what came before is not to be judged either, since it was no usable sound.
    """

    sound: bool = True


class Inbox:
    """A bounded queue of blocks, and jobs that go before them; capture gives, the listener takes.

    The other way, the listener says how closely it listens (``attend``), which capture waits for (``rest``).
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._blocks: collections.deque[Block | Discontinuity] = collections.deque()
        self._jobs: collections.deque[Job] = collections.deque()
        self._changed = threading.Condition()
        self._called = threading.Event()  # back from a rest
        self._attentive = False
        self._closed = False
        self._shut = False
        self._torn: Discontinuity | None = None  # comes before the first block that waits
        self._ended = False  # a discontinuity is the last thing that was given
        self.dropped = 0  # blocks

    def offer(self, blocks: Sequence[Block]) -> None:
        """Sound that cannot wait: where there is no room, the oldest makes it."""
        with self._changed:
            if self._shut:
                return
            for block in blocks:
                if len(self._blocks) >= self._capacity:
                    self.dropped += isinstance(self._blocks.popleft(), Block)
                    self._torn = self._torn or Discontinuity()
                self._append(block)
            self._changed.notify_all()

    def put(self, blocks: Sequence[Block]) -> None:
        """Sound that can wait: returns once there was room for all of it."""
        for block in blocks:
            with self._changed:
                self._changed.wait_for(lambda: len(self._blocks) < self._capacity or self._closed or self._shut)
                if self._shut:
                    return
                self._append(block)
                self._changed.notify_all()

    def _append(self, block: Block) -> None:
        self._blocks.append(block)
        self._ended = False

    def end(self, *, sound: bool = True) -> None:
        """The stream ends here, and whatever comes next is another one; said twice, it counts once.

        Not ``sound``: what is still in hand of it is no usable sound, and is thrown away.
        """
        with self._changed:
            if not self._ended:
                self._ended = True
                self._blocks.append(Discontinuity(sound))
                self._changed.notify_all()

    def ask(self, job: Job) -> None:
        """Something for the listener's thread to do, before the sound that waits."""
        with self._changed:
            self._jobs.append(job)
            self._changed.notify_all()

    def shut(self) -> None:
        """Overwrite the sound that waits, and take none until ``open``."""
        with self._changed:
            self._shut = True
            for block in self._blocks:
                if isinstance(block, Block):
                    block.samples.fill(0)
            self._blocks.clear()
            self._torn = Discontinuity(sound=False)
            self._changed.notify_all()

    def open(self) -> None:
        """Take sound again after ``shut``."""
        with self._changed:
            self._shut = False

    def close(self) -> None:
        """Nothing more will come."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def get(self, timeout_s: float) -> Block | Discontinuity | Job | None:
        """The next thing; None when nothing came in time, or nothing more will (see ``exhausted``)."""
        with self._changed:
            self._changed.wait_for(lambda: self._jobs or self._blocks or self._closed, timeout_s)
            if self._jobs:
                return self._jobs.popleft()
            if not self._blocks:
                return None
            if self._torn is not None:
                torn, self._torn = self._torn, None
                return torn
            block = self._blocks.popleft()
            self._changed.notify_all()
            return block

    def attend(self, *, closely: bool) -> None:
        """Said by the listener: whether it wants each block at once, because somebody may speak."""
        self._attentive = closely
        if closely:
            self.call()

    def call(self) -> None:
        """End a rest; from any thread."""
        if not self._called.is_set():
            self._called.set()

    @property
    def attentive(self) -> bool:
        """What the listener said last."""
        return self._attentive

    def rest(self, seconds: float) -> None:
        """Wait for so long, or until the listener attends closely, or ``call``."""
        self._called.wait(seconds)
        self._called.clear()

    @property
    def exhausted(self) -> bool:
        """Closed, and all taken."""
        with self._changed:
            return self._closed and not self._blocks and not self._jobs

    @property
    def waiting(self) -> int:
        """Blocks that wait, discontinuities among them."""
        return len(self._blocks)
