"""The high-pass that all sound passes first, so that neither an offset nor mains hum reaches the gate or the features.

An elliptic filter of the seventh order, ``scipy.signal.ellip(7, 0.001, 40, 85, "high", fs=16000)``: nothing of an
offset is left, at most a hundredth of the amplitude up to 60 Hz, and all of it but 0.001 dB from 85 Hz on.

Its partial fractions are four recursions, one for each pole p that is not another's conjugate: s[n] = p s[n - 1] + x[n]
and y[n] = d x[n] + the real part of the sum of all c s[n]. Within pieces of 32 samples they are products with two fixed
matrices; from piece to piece, a running sum of states, each first divided by the power of p that it is multiplied with
afterwards. Each piece takes the same steps whatever is pushed with it, so that the result does not depend on how many
blocks come at a time.

A stream's products are in single precision, which costs a fifth less: of an utterance a few samples are then rounded to
the other side. A whole recording's are in double, so that whatever else computes it rounds alike (export/waveform).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias, TypeVar

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
_SECTIONS = 1 + len(_POLES)
_STATE = 2 * _SECTIONS  # numbers: the real and the imaginary part of each
_PIECE = 32  # samples
_PIECES = BLOCK_SAMPLES // _PIECE
_BATCH = 16  # blocks that are filtered at once
_SIZE = _BATCH * BLOCK_SAMPLES
Sample = TypeVar("Sample", np.int16, np.float32)
Precision: TypeAlias = type[np.float32] | type[np.float64]
_LOUDEST, _LOWEST = FULL_SCALE - 1, -FULL_SCALE
_QUIET = 1e9  # energy of samples of which none can be clipped: their sum of squares is less than full scale's square


class HighPass:
    """Filters a stream. It begins as if the first sample had always been, so that an offset makes no click."""

    def __init__(self, precision: Precision = np.float32) -> None:
        self._precision = precision
        self._begun = False
        self._batches: dict[int, _Batch] = {}
        self._state = np.zeros(_SECTIONS, np.complex128)

    def push(self, samples: NDArray[np.int16]) -> NDArray[np.int16]:
        """Filter the next blocks, int16 [n * 512]; returns as many samples, clipped to what int16 holds."""
        rounded = np.empty(len(samples), np.int16)
        for first, filtered in self._filtered(samples):
            if not filtered.dot(filtered) < _QUIET:
                filtered.clip(_LOWEST, _LOUDEST, out=filtered)
            np.rint(filtered, out=rounded[first : first + len(filtered)], casting="unsafe")
        return rounded

    def filter(self, samples: NDArray[np.float32] | NDArray[np.int16]) -> NDArray[np.float32]:
        """``push`` in floating point, of any scale: float32 [n * 512]."""
        whole = np.empty(len(samples), np.float32)
        for first, filtered in self._filtered(samples):
            whole[first : first + len(filtered)] = filtered
        return whole

    def wipe(self) -> None:
        """Forget the stream: nothing of it stays in memory, and what is pushed next begins another one."""
        self._begun = False
        self._state.fill(0)
        for batch in self._batches.values():
            batch.wipe()

    def _filtered(self, samples: NDArray[np.float32] | NDArray[np.int16]) -> Iterator[tuple[int, NDArray[Any]]]:
        """Where each batch begins, and what comes out of it, which the next batch overwrites."""
        if not len(samples) or len(samples) % BLOCK_SAMPLES:
            raise ValueError(f"whole blocks of {BLOCK_SAMPLES} samples are filtered, not {len(samples)} samples")
        if not self._begun:
            self._begun = True
            self._state[:] = _matrices().at_rest * float(samples[0])
        for first in range(0, len(samples), _SIZE):
            part = samples[first : first + _SIZE]
            count = len(part) // BLOCK_SAMPLES
            batch = self._batches.get(count) or self._batches.setdefault(count, _Batch(count, self._precision))
            yield first, batch.filter(part, self._state)


class _Batch:
    """So many blocks that are filtered at once: the memory that this takes, and views of it, which are not cheap."""

    def __init__(self, count: int, precision: Precision) -> None:
        matrices = _matrices()
        complex_precision = np.result_type(precision, np.complex64)
        states = (count, _PIECES, _SECTIONS)
        last = count * _PIECES
        self._pieces = np.zeros((count, _PIECES, _PIECE + _STATE), precision)  # each followed by the state before it
        self._sound = self._pieces[:, :, :_PIECE]
        self._before = self._pieces[:, :, _PIECE:].view(complex_precision)
        self._after = np.zeros((count, _PIECES, _STATE), precision)  # states, as if each piece were the first
        self._complex_after = self._after.view(complex_precision)
        self._sums = np.zeros((last + 1, _SECTIONS), np.complex128)  # the first: the state before the batch
        self._sums_before, self._sums_after = self._sums[:-1].reshape(states), self._sums[1:].reshape(states)
        self._first, self._last = self._sums[0], self._sums[-1]
        self._filtered = np.zeros((count, _PIECES, _PIECE), precision)
        self._flat = self._filtered.reshape(-1)
        self._to_after, self._to_output = matrices.after.astype(precision), matrices.output.astype(precision)
        decay = matrices.poles ** (
            _PIECE * np.arange(last + 1)[:, None]
        )  # what is left of a state after so many pieces
        self._decay, self._growth = decay[:-1].reshape(states), (1 / decay[1:]).reshape(states)
        self._whole_decay = decay[-1]

    def filter(self, samples: NDArray[np.float32] | NDArray[np.int16], state: NDArray[np.complex128]) -> NDArray[Any]:
        """Of [count * 512] samples; the state, complex [4], is carried on."""
        self._sound[...] = samples.reshape(self._sound.shape)
        np.matmul(self._sound, self._to_after, out=self._after)
        self._first[...] = state
        np.multiply(self._complex_after, self._growth, out=self._sums_after)
        np.add.accumulate(self._sums, out=self._sums)
        np.multiply(self._sums_before, self._decay, out=self._before)
        np.multiply(self._last, self._whole_decay, out=state)
        np.matmul(self._pieces, self._to_output, out=self._filtered)
        return self._flat

    def wipe(self) -> None:
        """Nothing of what was filtered stays in memory."""
        for scratch in (self._pieces, self._after, self._sums, self._filtered):
            scratch.fill(0)


def high_passed(samples: NDArray[np.int16]) -> NDArray[np.int16]:
    """A whole recording, int16 [n] at 16 kHz, filtered."""
    return HighPass(np.float64).push(_whole_blocks(samples))[: len(samples)] if len(samples) else samples


def high_passed_float(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """A whole recording, float32 [n] of any scale at 16 kHz, filtered."""
    return HighPass(np.float64).filter(_whole_blocks(samples))[: len(samples)] if len(samples) else samples


def _whole_blocks(samples: NDArray[Sample]) -> NDArray[Sample]:
    return np.concatenate([samples, np.zeros(-len(samples) % BLOCK_SAMPLES, samples.dtype)])


@dataclass(frozen=True, eq=False)
class _Matrices:
    """The filter unrolled; a state is a row of four complex numbers, or of their eight real and imaginary parts."""

    poles: NDArray[np.complex128]
    """[4]: what each sample leaves of a state."""
    at_rest: NDArray[np.complex128]
    """[4]: the state after a constant 1 for ever."""
    after: NDArray[np.float64]
    """[32, 8]: from a piece to the state after it."""
    output: NDArray[np.float64]
    """[32 + 8, 32]: from a piece and the state before it to the output."""


@cache
def _matrices() -> _Matrices:
    poles, weights, direct = sections()
    powers = poles ** np.arange(_PIECE + 1)[:, None]
    response = (powers[:_PIECE] @ weights).real
    response[0] += direct
    convolution = np.zeros((_PIECE, _PIECE))
    for sample in range(_PIECE):
        convolution[sample, sample:] = response[: _PIECE - sample]
    return _Matrices(
        poles=poles,
        at_rest=1 / (1 - poles),
        after=powers[_PIECE - 1 :: -1].copy().view(np.float64),
        output=np.vstack([convolution, (powers[1:] * weights).conj().view(np.float64).T]),
    )


def sections() -> tuple[NDArray[np.complex128], NDArray[np.complex128], float]:
    """Poles [4], weights [4] and what passes directly: a sum of first-order sections, the filter's partial fractions.

    The section of a conjugate adds the same real part again.
    """
    poles = np.array([_REAL_POLE, *_POLES, *_POLES.conj()])
    weights = np.array([_residue(pole, poles) for pole in poles[:_SECTIONS]]) * [1, 2, 2, 2]
    return poles[:_SECTIONS], weights, float((_GAIN * np.prod(_ZEROS) / np.prod(poles)).real)


def _residue(pole: complex, poles: NDArray[np.complex128]) -> complex:
    """Of the section 1 / (1 - pole / z)."""
    return complex(_GAIN * np.prod(1 - _ZEROS / pole) / np.prod(1 - poles[poles != pole] / pole))
