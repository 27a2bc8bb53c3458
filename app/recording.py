"""A recording in memory, uploaded or recorded; never written to disk."""

import hashlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from edge.audio import BLOCK_SAMPLES
from edge.errors import AudioError
from edge.sources.conversion import decode_open, into_blocks
from edge.sources.highpass import HighPass


@dataclass(frozen=True)
class Recording:
    """An audio file's name and content, in any format that libsndfile reads."""

    name: str
    content: bytes

    @cached_property
    def digest(self) -> str:
        """Names the recording by its content."""
        return hashlib.sha256(self.content).hexdigest()

    def chunks(self, on_progress: Callable[[float], None] | None = None) -> Iterator[NDArray[np.int16]]:
        """Blocks of sound, int16 [n], mono 16 kHz; ``on_progress`` gets the share of the bytes read, 0-1.

        Raises AudioError as ``edge.sources.conversion.decode`` does.
        """
        if not self.content:
            raise AudioError(f"{self.name} is empty")
        file = io.BytesIO(self.content)
        for chunk in decode_open(file, self.name):
            yield chunk
            if on_progress:
                on_progress(file.tell() / len(self.content))

    def samples(self, start: int, end: int) -> NDArray[np.int16]:
        """Samples ``start`` to ``end``, as in the blocks of the gate, int16 [end - start]; ``start`` begins a block.

        Decodes from the beginning, so that hours of audio need not be held beside their file.
        """
        high_pass = HighPass()
        blocks = (high_pass.push(block) for block in into_blocks(self.chunks()))
        return np.concatenate(list(islice(blocks, start // BLOCK_SAMPLES, -(-end // BLOCK_SAMPLES))))[: end - start]
