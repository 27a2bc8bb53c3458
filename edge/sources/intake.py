"""Sound on its way from a source to the inbox: gathered into batches, judged, and filtered."""

import time

import numpy as np
from numpy.typing import NDArray

from edge.audio import BLOCK_SAMPLES, BLOCK_SECONDS
from edge.sources.health import Health, Problem
from edge.sources.highpass import HighPass
from edge.sources.inbox import Block, Inbox


class Intake:
    """Of one source. Sound in which nothing can be told goes no further than here.

    ``live``: sound that comes in real time and cannot wait, as a microphone's.
    """

    def __init__(self, inbox: Inbox, silence_s: float, *, live: bool) -> None:
        self._inbox = inbox
        self._silence_s = silence_s
        self._live = live
        self._give = inbox.offer if live else inbox.put
        self._high_pass = HighPass()
        self._health = Health(silence_s, live=live)
        self._gathered: list[NDArray[np.int16]] = []
        self._usable = True

    def add(self, block: NDArray[np.int16]) -> None:
        """Gather the next block, int16 [512]."""
        self._gathered.append(block)

    def flush(self, now: float) -> Problem | None:
        """Send what is gathered, which came at ``now`` (monotonic), on its way; return what is wrong with it, if so."""
        blocks = self._gathered
        if not blocks:
            return None
        self._gathered = []
        samples = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
        problem = self._health.push(samples, now)
        if problem is None or problem.usable:
            self._usable = True
            filtered = self._high_pass.push(samples).reshape(-1, BLOCK_SAMPLES)
            latest = time.time() + BLOCK_SECONDS
            self._give(
                [Block(block, latest - (len(filtered) - at) * BLOCK_SECONDS) for at, block in enumerate(filtered)]
            )
        elif self._usable:
            self._usable = False
            self._high_pass.wipe()
            self._inbox.end(sound=False)
        return problem

    def end(self) -> None:
        """The stream ends here, and what comes next is another."""
        self.flush(time.monotonic())
        self.reset()
        self._inbox.end()

    def reset(self) -> None:
        """Forget all that has come, in place; what comes next is another stream."""
        self._gathered = []
        self._high_pass.wipe()
        self._health = Health(self._silence_s, live=self._live)
        self._usable = True
