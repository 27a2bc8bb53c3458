"""Power spectra of overlapping windows, in double precision, a block of frames at a time.

In single precision the FFT's rounding noise, 140 dB below the loudest bin, would fill the valleys between harmonics.
"""

import threading
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Samples = NDArray[np.floating] | NDArray[np.int16]

WINDOW_SAMPLES = 1024  # 64 ms at 16 kHz: bins are 15.6 Hz apart, a semitone from about 260 Hz on
HOP_SAMPLES = 256  # 16 ms: every sample is in four windows
BINS = WINDOW_SAMPLES // 2 + 1
WINDOW = 0.5 - 0.5 * np.cos(2 * np.pi / WINDOW_SAMPLES * np.arange(WINDOW_SAMPLES))  # periodic Hann

BLOCK_FRAMES = 64  # at a time: 1.4 MB fit into the cache, and no product starts a second thread
FULL_SCALE = 32768  # of int16


class _Buffers(threading.local):
    """One set for each thread, reused: fresh memory would cost a page fault for every 4 kB."""

    def __init__(self) -> None:
        self.samples = np.empty((BLOCK_FRAMES - 1) * HOP_SAMPLES + WINDOW_SAMPLES)
        self.windows = np.lib.stride_tricks.sliding_window_view(self.samples, WINDOW_SAMPLES)[::HOP_SAMPLES]
        self.windowed = np.empty((BLOCK_FRAMES, WINDOW_SAMPLES))
        self.bins = np.empty((BLOCK_FRAMES, BINS), np.complex128)
        self.power = np.empty((BLOCK_FRAMES, BINS))


_buffers = _Buffers()


def power_spectra(samples: Samples, begin: int, count: int) -> Iterator[Array]:
    """The power of ``count`` frames, the first from sample ``begin`` on, float64 [up to BLOCK_FRAMES, BINS] at a time.

    ``samples`` [n] are floating point in -1..1, or int16; outside of them there is silence. Each result is a buffer of
    this thread, valid until the next one.
    """
    for start in range(0, count, BLOCK_FRAMES):
        _load(samples, begin + start * HOP_SAMPLES)
        yield _power(min(BLOCK_FRAMES, count - start))


def wipe() -> None:
    """Overwrite what this thread's buffers still hold: the last second of the last clip."""
    for buffer in (_buffers.samples, _buffers.windowed, _buffers.bins, _buffers.power):
        buffer.fill(0)


def full_scale(samples: Samples) -> float:
    """The factor that takes samples of this type to a full scale of 1."""
    return 1 / FULL_SCALE if samples.dtype == np.int16 else 1.0


def _load(samples: Samples, begin: int) -> None:
    """Fills this thread's buffer with the samples from ``begin`` on, at a full scale of 1."""
    buffer = _buffers.samples
    first, last = max(0, -begin), max(0, min(len(buffer), len(samples) - begin))
    buffer[:first] = 0
    np.multiply(samples[begin + first : begin + last], full_scale(samples), out=buffer[first:last])
    buffer[last:] = 0


def _power(count: int) -> Array:
    """Power spectra of the first ``count`` windows in this thread's buffer: [count, 513], valid until the next call."""
    windowed = np.multiply(_buffers.windows[:count], WINDOW, out=_buffers.windowed[:count])
    squares = np.fft.rfft(windowed, axis=1, out=_buffers.bins[:count]).view(np.float64)
    np.square(squares, out=squares)
    return np.add(squares[:, 0::2], squares[:, 1::2], out=_buffers.power[:count])
