"""Silero VAD 5 in numpy: a network so small that a runtime for graphs spends most of its time on other things.

The graph that Silero publishes rearranges its recurrent weights at every run and decides between 8 and 16 kHz; its
arithmetic is a short-time Fourier transform, four convolutions, one LSTM cell and a sum.
"""

import zipfile
from collections.abc import Mapping
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from edge.audio import BLOCK_SAMPLES
from edge.errors import AffectdError

Floats = NDArray[np.float32]

FILE = Path(__file__).with_name("silero.npz")  # made by `python -m export.silero`
LAYERS = 4  # convolutions
TENSORS = (
    *(f"encoder.{layer}.reparam_conv.{kind}" for layer in range(LAYERS) for kind in ("weight", "bias")),
    *(f"decoder.rnn.{kind}_{of}" for of in ("ih", "hh") for kind in ("weight", "bias")),
    *(f"decoder.decoder.2.{kind}" for kind in ("weight", "bias")),
)
"""The tensors that the network consists of, by the names that Silero gives them."""

WINDOW, HOP = 256, 128
CONTEXT = 64  # samples of the block before, which are read again
REFLECTED = 64  # samples after the block, which mirror its end
STEPS = 1 + (CONTEXT + BLOCK_SAMPLES + REFLECTED - WINDOW) // HOP  # of the transform in a block: four
UNITS = 128
CHANNELS = (WINDOW // 2 + 1, 128, 64, 64, UNITS)  # from the spectrum through the four convolutions


class Weights:
    """The network's numbers, arranged for products of matrices; shared by all who listen."""

    @classmethod
    def load(cls, path: Path = FILE) -> Self:
        """Read the file that affectd brings. Raises AffectdError where it is not there or damaged (a CRC tells)."""
        try:
            with np.load(path, allow_pickle=False) as stored:
                return cls({name: stored[name] for name in TENSORS})
        except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise AffectdError(
                f"the voice detector's weights {path} cannot be read ({error}): install affectd again"
            ) from None

    def __init__(self, stored: Mapping[str, Floats]) -> None:
        """``stored`` holds ``TENSORS`` of any shape. Raises AffectdError where they are of another network."""
        try:
            # [out, in, tap] as rows of taps, each of all channels: what a flattened stretch of time is multiplied with.
            first, second, third, fourth = (
                stored[f"encoder.{index}.reparam_conv.weight"].reshape(after, before, 3).transpose(2, 1, 0)
                for index, (before, after) in enumerate(pairwise(CHANNELS))
            )
            self.biases = [stored[f"encoder.{index}.reparam_conv.bias"].astype(np.float32) for index in range(LAYERS)]
            recurrent = [stored[f"decoder.rnn.weight_{of}"].reshape(4 * UNITS, UNITS).T for of in ("ih", "hh")]
            bias = stored["decoder.rnn.bias_ih"] + stored["decoder.rnn.bias_hh"]
            self.last = stored["decoder.decoder.2.weight"].reshape(UNITS).astype(np.float32)
            self.last_bias = float(stored["decoder.decoder.2.bias"][0])
        except (KeyError, ValueError) as error:
            raise AffectdError(
                f"the voice detector's weights are not those of Silero VAD 5 ({error}): install affectd again"
            ) from None
        halves = np.repeat(np.array([0.5, 0.5, 1.0, 0.5], np.float32), UNITS)  # sigmoid(2 z) = (1 + tanh(z)) / 2
        self.recurrent = np.ascontiguousarray(np.concatenate(recurrent) * halves)
        self.recurrent_bias = bias * halves
        self.first, self.second = first.reshape(-1, CHANNELS[1]).copy(), second.reshape(-1, CHANNELS[2]).copy()
        self.third = third[1:].reshape(-1, CHANNELS[3]).copy()  # its first tap, and two of the last
        self.fourth = fourth[1].copy()  # convolution's, only ever meet padding
        self.hann = (0.5 - 0.5 * np.cos(2 * np.pi / WINDOW * np.arange(WINDOW))).astype(np.float32)

    @cached_property
    def transform(self) -> Floats:
        """The windowed Fourier transform as a matrix [256, 258]: for many blocks BLAS is faster than an FFT."""
        angles = 2 * np.pi / WINDOW * np.outer(np.arange(WINDOW), np.arange(CHANNELS[0]))
        matrix: Floats = np.concatenate([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
        matrix *= self.hann[:, None]
        return matrix

    def encoded(self, blocks: Floats, before: Floats) -> Floats:
        """All that comes before memory: what ``blocks`` [n, 512], full scale 1, give to the LSTM's gates, [n, 512].

        ``before`` [64] are the samples before the first block. At once they cost a third.
        """
        count, three = len(blocks), np.lib.stride_tricks.sliding_window_view
        samples = np.empty((count, CONTEXT + BLOCK_SAMPLES + REFLECTED), np.float32)
        end = CONTEXT + BLOCK_SAMPLES
        samples[:, CONTEXT:end] = blocks
        samples[0, :CONTEXT], samples[1:, :CONTEXT] = before, blocks[:-1, -CONTEXT:]
        samples[:, end:] = samples[:, end - 2 : end - 2 - REFLECTED : -1]
        parts = three(samples, WINDOW, axis=1)[:, ::HOP].reshape(-1, WINDOW) @ self.transform
        np.square(parts, out=parts)
        power = parts[:, : CHANNELS[0]] + parts[:, CHANNELS[0] :]
        spectra = np.zeros((count, STEPS + 2, CHANNELS[0]), np.float32)
        np.sqrt(power.reshape(count, STEPS, -1), out=spectra[:, 1:-1])
        hidden = np.zeros((count, STEPS + 1, CHANNELS[1]), np.float32)
        seen = three(spectra, 3, axis=1).transpose(0, 1, 3, 2).reshape(count * STEPS, -1)
        hidden[:, 1:] = _rectified(seen @ self.first, self.biases[0]).reshape(count, STEPS, -1)
        seen = three(hidden, 3, axis=1)[:, ::2].transpose(0, 1, 3, 2).reshape(count * STEPS // 2, -1)
        third = _rectified(seen @ self.second, self.biases[1]).reshape(count, -1)
        fourth = _rectified(third @ self.third, self.biases[2])
        inputs = _rectified(fourth @ self.fourth, self.biases[3])
        gates: Floats = inputs @ self.recurrent[:UNITS] + self.recurrent_bias
        return gates


def _rectified(values: Floats, bias: Floats) -> Floats:
    """A convolution's output, in place: its bias added, nothing below zero."""
    values += bias
    return np.maximum(values, 0, out=values)


class Silero:
    """How likely each block of a stream continues or begins speech."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._samples = np.zeros(CONTEXT + BLOCK_SAMPLES + REFLECTED, np.float32)
        self._windows = np.lib.stride_tricks.sliding_window_view(self._samples, WINDOW)[::HOP]
        self._windowed = np.empty((STEPS, WINDOW), np.float32)
        # Time with one step of padding, and the three steps that each output of a convolution sees.
        self._spectra = np.zeros((STEPS + 2, CHANNELS[0]), np.float32)
        self._hidden = np.zeros((STEPS + 1, CHANNELS[1]), np.float32)
        three = np.lib.stride_tricks.sliding_window_view
        self._seen_first = three(self._spectra, 3, axis=0).transpose(0, 2, 1)
        self._seen_second = three(self._hidden, 3, axis=0)[::2].transpose(0, 2, 1)
        self._input_and_state = np.zeros(2 * UNITS, np.float32)
        self._cell = np.zeros(UNITS, np.float32)
        self._fresh = True

    def reset(self) -> None:
        """Forget everything heard so far."""
        self._samples.fill(0)
        self._input_and_state.fill(0)
        self._cell.fill(0)
        self._fresh = True

    def probability(self, block: Floats, encoded: Floats | None = None) -> float:
        """Of speech in ``block`` float32 [512], full scale 1, after all blocks since ``reset``: 0..1.

        ``encoded`` is its row of ``Weights.encoded``; the first block after ``reset`` has none, for it has no context.
        """
        self._load(block)
        gates = self._gates() if encoded is None or self._fresh else self._remembered(encoded)
        self._fresh = False
        state = self._step(gates)
        score = float(np.maximum(state, 0) @ self._weights.last) + self._weights.last_bias
        return 1 / (1 + float(np.exp(-score)))

    def _remembered(self, encoded: Floats) -> Floats:
        gates: Floats = self._input_and_state[UNITS:] @ self._weights.recurrent[UNITS:]
        gates += encoded
        return gates

    def _gates(self) -> Floats:
        """What the block just loaded, and the state, give to the LSTM's gates [512]."""
        weights = self._weights
        np.multiply(self._windows, weights.hann, out=self._windowed)
        np.abs(np.fft.rfft(self._windowed), out=self._spectra[1:-1])
        hidden = self._seen_first.reshape(STEPS, -1) @ weights.first
        hidden += weights.biases[0]
        np.maximum(hidden, 0, out=self._hidden[1:])
        hidden = self._seen_second.reshape(STEPS // 2, -1) @ weights.second
        hidden += weights.biases[1]
        hidden = np.maximum(hidden, 0).reshape(-1) @ weights.third
        hidden += weights.biases[2]
        hidden = np.maximum(hidden, 0) @ weights.fourth
        hidden += weights.biases[3]
        np.maximum(hidden, 0, out=self._input_and_state[:UNITS])
        gates: Floats = self._input_and_state @ weights.recurrent
        gates += weights.recurrent_bias
        return gates

    def _load(self, block: Floats) -> None:
        samples, end = self._samples, CONTEXT + BLOCK_SAMPLES
        samples[:CONTEXT] = samples[BLOCK_SAMPLES:end]
        samples[CONTEXT:end] = block
        samples[end:] = samples[end - 2 : end - 2 - REFLECTED : -1]

    def _step(self, gates: Floats) -> Floats:
        """One step of the LSTM (gates in PyTorch's order: input, forget, cell, output); the new hidden state [128]."""
        np.tanh(gates, out=gates)
        take, keep, new, show = gates.reshape(4, UNITS)
        cell = self._cell
        cell += keep * cell  # c (1 + f) / 2 + g (1 + i) / 2
        cell += new
        take *= new
        cell += take
        cell *= 0.5
        state = self._input_and_state[UNITS:]
        show += 1
        np.multiply(show, np.tanh(cell), out=state)
        state *= 0.5
        return state
