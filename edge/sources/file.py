"""An audio file, in real time or as fast as it can be read."""

import threading
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import numpy as np
from numpy.typing import NDArray

from edge.audio import BLOCK_SECONDS
from edge.errors import AudioError, SourceError
from edge.sources.conversion import decode, into_blocks


class FileSource:
    """What libsndfile reads, as blocks; ``paced`` in real time, ``repeat`` from its beginning again for ever."""

    always_on = False
    lost_s = 0.0
    drains = None

    def __init__(self, path: Path, *, paced: bool = False, repeat: bool = False) -> None:
        self.name = str(path)
        self.endless = repeat
        self._path = path
        self._paced = paced
        self._closed = threading.Event()

    def arrived(self) -> None:
        """They are not counted."""

    def blocks(self) -> Iterator[NDArray[np.int16]]:
        """Read it from its beginning, as int16 [512], mono 16 kHz. Raises SourceError where it cannot be decoded."""
        start = monotonic()
        for count, block in enumerate(self._decoded(), start=1):
            # Deadlines count from the start, so that late blocks are made up for; a block is there once it is over.
            if self._paced:
                self._closed.wait(start + count * BLOCK_SECONDS - monotonic())
            if self._closed.is_set():
                return
            yield block

    def close(self) -> None:
        """End ``blocks()`` soon, for good; from any thread."""
        self._closed.set()

    def _decoded(self) -> Iterator[NDArray[np.int16]]:
        try:
            yield from into_blocks(decode(self._path))
            while self.endless:
                yield from into_blocks(decode(self._path))
        except AudioError as error:
            raise SourceError(str(error)) from error
