"""The high-pass of a whole utterance, which is a recursion over samples, as products with a few fixed matrices.

A sum of first-order sections, s[n] = p s[n - 1] + x[n] and y[n] = d x[n] + the real part of the sum of all w s[n], as
``edge.sources.highpass`` has it. Samples are cut to pieces of 64, eight to a block. Within a piece the output is a
convolution, to which the state before it adds its share. That state is a sum over the pieces before it in its block and
over the 40 blocks before that, since older ones have faded into the rounding.
"""

import numpy as np
from numpy.typing import NDArray

from edge.sources.highpass import sections
from export.waveform.graph import Value

Matrix = NDArray[np.float64]
Poles = NDArray[np.complex128]

_PIECE = 64  # samples
_PIECES = 8  # to a block
_BLOCKS = 40  # before which nothing is left


def high_passed(samples: Value) -> Value:
    """Samples float64 [n], filtered: the same. It begins as if the first one had always been."""
    graph, count = samples.graph, samples.size()
    poles, weights, direct = sections()
    states = 2 * len(poles)  # numbers: real and imaginary parts
    missing = (count * -1).apply("Mod", _PIECE * _PIECES)
    from_rest = (samples - samples.between(0, 1)).padded(0, missing)  # what is constant leaves nothing
    blocks = from_rest.reshape(-1, _PIECES, _PIECE)
    after = (blocks @ _after(poles)).reshape(-1, _PIECES * states)  # of each piece alone
    ends = after @ _sum(poles, _PIECE, _PIECES)  # of each block alone
    places = graph.count_up(ends.size()).reshape(-1, 1) + graph.integers(*range(_BLOCKS))
    earlier = graph.concat([graph.constant(np.zeros((_BLOCKS, states))), ends]).take(places)
    before = earlier.reshape(-1, _BLOCKS * states) @ _sum(poles, _PIECE * _PIECES, _BLOCKS)
    within = graph.concat([after, before], axis=1) @ _within(poles)
    pieces = graph.concat([blocks, within.reshape(-1, _PIECES, states)], axis=2)
    return (pieces @ _output(poles, weights, direct)).reshape(-1).between(0, count)


def _after(poles: Poles) -> Matrix:
    """From a piece to the state after it: [64, states]."""
    return (poles ** np.arange(_PIECE)[::-1, None]).view(np.float64)


def _output(poles: Poles, weights: Poles, direct: float) -> Matrix:
    """From a piece and the state before it to what comes out: [64 + states, 64]."""
    powers = poles ** np.arange(_PIECE + 1)[:, None]
    response = (powers[:_PIECE] @ weights).real
    response[0] += direct
    convolution = np.zeros((_PIECE, _PIECE))
    for sample in range(_PIECE):
        convolution[sample, sample:] = response[: _PIECE - sample]
    return np.vstack([convolution, (powers[1:] * weights).conj().view(np.float64).T])


def _within(poles: Poles) -> Matrix:
    """From the states that each piece of a block leaves, and that before the block, to those before each piece."""
    later = [_faded(poles, _PIECE * pieces) for pieces in range(_PIECES)]
    nothing = np.zeros_like(later[0])
    rows = [[*[nothing] * (given + 1), *later[: _PIECES - 1 - given]] for given in range(_PIECES)]
    return np.block([*rows, later])


def _sum(poles: Poles, step: int, count: int) -> Matrix:
    """From ``count`` states, ``step`` samples apart, to what is left after the last: [count * states, states]."""
    return np.vstack([_faded(poles, step * later) for later in range(count - 1, -1, -1)])


def _faded(poles: Poles, samples: int) -> Matrix:
    """From a state to what is left of it after so many samples: [states, states]."""
    left = poles**samples
    turned = np.zeros((len(poles), 2, len(poles), 2))
    for place, factor in enumerate(left):
        turned[place, :, place] = [[factor.real, factor.imag], [-factor.imag, factor.real]]
    return turned.reshape(2 * len(poles), -1)
