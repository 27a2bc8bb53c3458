"""The high-pass that all sound passes first, so that neither an offset nor mains hum reaches the gate or the features.

An elliptic filter of the seventh order, ``scipy.signal.ellip(7, 0.001, 40, 85, "high", fs=16000)``: nothing of an
offset is left, at most a hundredth of the amplitude up to 60 Hz, and all of it but 0.001 dB from 85 Hz on.

With a state s of seven numbers, s[n] = A s[n - 1] + b x[n] and y[n] = c s[n] + d x[n], the recursion becomes a few
products with fixed matrices: within pieces of 64 samples, over the 8 pieces of a block, and over up to 16 blocks. Each
piece takes the same steps whatever is pushed with it, all in double precision, so that the result depends neither on
how many blocks come at a time nor on whose products of matrices they are.
"""

from dataclasses import dataclass
from functools import cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from edge.audio import BLOCK_SAMPLES, FULL_SCALE

SPECIFICATION = "elliptic, order 7, 0.001 dB, 40 dB, 85 Hz"
"""Names the filter, so that features of another one are not taken for those of this one."""
PASSED_HZ = 85.0  # from here on, nothing changes by more than 0.001 dB
_GAIN = 0.9554823623445451
_ZERO_ANGLES = np.array(
    [0.013043111647972153, 0.021492715178579543, 0.025094546109851297]
)  # radians a sample: 33, 55 and 64 Hz
_ZEROS = np.exp(1j * np.array([0.0, *_ZERO_ANGLES, *-_ZERO_ANGLES]))
_REAL_POLE = 0.9693482329047747
_POLES = np.array(
    [
        0.9798824040242846 + 0.022470066053057014j,
        0.991697728180681 + 0.028435914078539546j,
        0.9975823968253725 + 0.02933073009745981j,
    ]
)  # and their conjugates
ORDER = len(_ZEROS)
PIECE = 64  # samples
PIECES = BLOCK_SAMPLES // PIECE
_BLOCK_STATES = (PIECES + 1) * ORDER
_BATCH = 16  # blocks that are filtered at once
_SIZE = _BATCH * BLOCK_SAMPLES
Sample = TypeVar("Sample", np.int16, np.float32)
_LOUDEST = np.float32(FULL_SCALE - 1)
_LOWEST = np.float32(-FULL_SCALE)


class HighPass:
    """Filters a stream. It begins as if the first sample had always been, so that an offset makes no click."""

    def __init__(self) -> None:
        self._matrices = unrolled()
        self._begun = False
        self._pieces = np.zeros((_BATCH, PIECES, PIECE + ORDER))  # each followed by the state before it
        self._after = np.zeros((_BATCH, _BLOCK_STATES))  # a block's states after each piece, then that before it
        self._ends = np.zeros((_BATCH + 1) * ORDER)  # the state before a batch, then those after each block

    def push(self, samples: NDArray[np.int16]) -> NDArray[np.int16]:
        """Filter the next blocks, int16 [n * 512]; returns as many samples, clipped to what int16 holds."""
        filtered = self.filter(samples)
        np.rint(filtered, out=filtered)
        return filtered.clip(_LOWEST, _LOUDEST, out=filtered).astype(np.int16)

    def filter(self, samples: NDArray[np.float32] | NDArray[np.int16]) -> NDArray[np.float32]:
        """``push`` in floating point, of any scale: float32 [n * 512]."""
        if not len(samples) or len(samples) % BLOCK_SAMPLES:
            raise ValueError(f"whole blocks of {BLOCK_SAMPLES} samples are filtered, not {len(samples)} samples")
        if not self._begun:
            self._begun = True
            self._ends[:ORDER] = self._matrices.at_rest * float(samples[0])
        parts = [self._filter(samples[first : first + _SIZE]) for first in range(0, len(samples), _SIZE)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def wipe(self) -> None:
        """Forget the stream: nothing of it stays in memory, and what is pushed next begins another one."""
        self._begun = False
        for scratch in (self._pieces, self._after, self._ends):
            scratch.fill(0)

    def _filter(self, samples: NDArray[np.float32] | NDArray[np.int16]) -> NDArray[np.float32]:
        """At most a batch. States are first taken as if at rest before: piece, block, batch; then from what was."""
        matrices = self._matrices
        count = len(samples) // BLOCK_SAMPLES
        span = (count + 1) * ORDER
        pieces, after = self._pieces[:count], self._after[:count]
        pieces[:, :, :PIECE] = samples.reshape(count, PIECES, PIECE)
        after[:, :-ORDER] = (pieces[:, :, :PIECE] @ matrices.after).reshape(count, -1)
        self._ends[ORDER:span] = (after[:, :-ORDER] @ matrices.end).reshape(-1)
        states = self._ends[:span] @ matrices.between[:span, :span]
        self._ends[:ORDER] = states[-ORDER:]
        after[:, -ORDER:] = states[:-ORDER].reshape(count, ORDER)
        pieces[:, :, PIECE:] = (after @ matrices.within).reshape(count, PIECES, ORDER)
        return (pieces @ matrices.output).reshape(-1).astype(np.float32)


def high_passed(samples: NDArray[np.int16]) -> NDArray[np.int16]:
    """A whole recording, int16 [n] at 16 kHz, filtered."""
    return HighPass().push(_whole_blocks(samples))[: len(samples)] if len(samples) else samples


def high_passed_float(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """A whole recording, float32 [n] of any scale at 16 kHz, filtered."""
    return HighPass().filter(_whole_blocks(samples))[: len(samples)] if len(samples) else samples


def _whole_blocks(samples: NDArray[Sample]) -> NDArray[Sample]:
    return np.concatenate([samples, np.zeros(-len(samples) % BLOCK_SAMPLES, samples.dtype)])


@dataclass(frozen=True, eq=False)
class Matrices:
    """The filter unrolled; a state is a row of seven, and several stand side by side."""

    at_rest: NDArray[np.float64]
    """[7]: the state after a constant 1 for ever."""
    after: NDArray[np.float64]
    """[64, 7]: from a piece to the state after it."""
    end: NDArray[np.float64]
    """[8 * 7, 7]: from the states after each piece to that after the block."""
    between: NDArray[np.float64]
    """[17 * 7, 17 * 7]: from the state before a batch and those after each block to the true ones."""
    within: NDArray[np.float64]
    """[9 * 7, 8 * 7]: from the states after each piece and that before the block to those before each piece."""
    output: NDArray[np.float64]
    """[64 + 7, 64]: from a piece and the state before it to the output."""


@cache
def unrolled() -> Matrices:
    """The filter's matrices."""
    a, b, c, d = _state_space()
    powers = [np.linalg.matrix_power(a, exponent) for exponent in range(PIECE + 1)]
    response = np.array([d + c @ b, *(c @ power @ b for power in powers[1:PIECE])])
    convolution = np.zeros((PIECE, PIECE))
    for sample in range(PIECE):
        convolution[sample, sample:] = response[: PIECE - sample]
    from_state = np.stack([c @ power for power in powers[1:]], axis=1)
    within = _carried(powers[PIECE], PIECES)
    return Matrices(
        at_rest=np.linalg.solve(np.eye(ORDER) - a, b).astype(np.float64),
        after=np.stack([power @ b for power in powers[PIECE - 1 :: -1]]),
        end=within[ORDER:, -ORDER:].copy(),
        between=_carried(np.linalg.matrix_power(a, BLOCK_SAMPLES), _BATCH),
        within=np.roll(within, -ORDER, axis=0)[:, :-ORDER].copy(),
        output=np.vstack([convolution, from_state]),
    )


def _carried(step: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Adds up a first state and ``count`` more, one after each step: s[j] = s[j - 1] step + more[j]."""
    powers = [np.linalg.matrix_power(step, exponent).T for exponent in range(count + 1)]
    nothing = np.zeros_like(step)
    return np.block([[*[nothing] * given, *powers[: count + 1 - given]] for given in range(count + 1)])


def _state_space() -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], float]:
    """A [7, 7], b [7], c [7] and d: a sum of first-order sections, one for each pole (its partial fractions)."""
    poles = np.array([_REAL_POLE, *_POLES, *_POLES.conj()])
    sections = np.array([_residue(pole, poles) for pole in poles[:4]])
    weights = sections * np.array([1, 2, 2, 2])  # the section of a conjugate adds the same real part again
    a = np.diag([_REAL_POLE, *_POLES.real, *_POLES.real])
    real, imaginary = np.arange(1, 4), np.arange(4, 7)
    a[real, imaginary], a[imaginary, real] = -_POLES.imag, _POLES.imag
    b = np.array([1.0] * 4 + [0.0] * 3)
    c = np.array([*weights.real, *-weights.imag[1:]])
    return a, b, c, float((_GAIN * np.prod(_ZEROS) / np.prod(poles)).real)


def _residue(pole: complex, poles: NDArray[np.complex128]) -> complex:
    """Of the section 1 / (1 - pole / z)."""
    return complex(_GAIN * np.prod(1 - _ZEROS / pole) / np.prod(1 - poles[poles != pole] / pole))
