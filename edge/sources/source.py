"""What every source of sound is to the rest of affectd."""

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Source(Protocol):
    """Sound as blocks. One thread reads; another may close."""

    @property
    def name(self) -> str:
        """What logs call it."""

    @property
    def endless(self) -> bool:
        """Whether its end is a fault, as with a microphone, and not with a file."""

    @property
    def always_on(self) -> bool:
        """Whether sound arrives though the source is closed, as in a pipe: it is then read while muted too."""

    @property
    def lost_s(self) -> float:
        """Seconds of sound lost so far; where it has grown, the latest block does not follow on the one before it."""

    @property
    def drains(self) -> int | None:
        """How often all that had come was read, so that what comes next is new; None where nothing ever waits."""

    def arrived(self) -> int | None:
        """Blocks that have come since it was opened, read or not, the last perhaps in part; from any thread.

        None where they cannot be counted.
        """

    def blocks(self) -> Iterator[NDArray[np.int16]]:
        """Open it and yield int16 [512], mono 16 kHz; raises SourceError. A further call opens it again."""

    def close(self) -> None:
        """End ``blocks()`` soon, for good; from any thread."""
