"""A recording as the gate is given it."""

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from edge.audio import BLOCK_SAMPLES
from edge.sources.conversion import into_blocks
from edge.sources.highpass import HighPass
from edge.vad.gate import Gate

_STRETCH = 64  # blocks that the gate may look ahead in a file: two seconds


def foreseen(chunks: Iterable[NDArray[np.int16]], gate: Gate) -> Iterator[NDArray[np.int16]]:
    """Blocks int16 [512] behind the high-pass, for ``gate``, which has looked at each before it comes.

    ``chunks`` are int16 [n] each, mono 16 kHz.
    """
    high_pass, blocks = HighPass(), into_blocks(chunks)
    while stretch := list(islice(blocks, _STRETCH)):
        filtered = high_pass.push(np.concatenate(stretch)).reshape(-1, BLOCK_SAMPLES)
        gate.prefetch(filtered)
        yield from filtered
