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

    def blocks(self) -> Iterator[NDArray[np.int16]]:
        """Open it and yield int16 [512], mono 16 kHz; raises SourceError. A further call opens it again."""

    def close(self) -> None:
        """End ``blocks()`` soon, for good; from any thread."""
