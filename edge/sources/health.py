"""The health of a source: whether it carries a signal, in real time, that anything can be told from."""

import collections
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from edge.audio import BLOCK_SAMPLES, BLOCK_SECONDS, FULL_SCALE
from edge.sources.bandwidth import LOUD, BandwidthMonitor

SLOWEST, FASTEST = 0.75, 1.25  # of real time; the clocks of sound cards differ by far less
PAUSE_S = 1.0  # a longer gap is an interruption, and what comes after it is measured anew
BURST_S = 1.5  # that a source may bring at once: more, as it opens, is no real time
_OPENING_S = 10.0
_DITHER = 1  # peak to peak: what a converter without a signal plays at most
_OFFSET = 0.15 * FULL_SCALE
_HUM = 0.05 * FULL_SCALE  # root mean square
_PERIODS = (320, 267)  # samples: of 50 and 60 Hz, and of all their harmonics
_UNLIKE = 0.1  # from one period to the next, a hum changes by less of its power; speech, by more
_RAIL = int(FULL_SCALE) - 2
_CLIPPED = 0.05  # of the samples; shouting too near gives 0.01
_EVERY = 4  # blocks, of which one is looked at for what lasts


@dataclass(frozen=True)
class Problem:
    """What is wrong with a source: its ``name`` in diagnostics, and what to do about it.

    Nothing is told from sound that is not ``usable``.
    """

    name: str
    advice: str
    usable: bool = False


NO_SIGNAL = Problem("no signal", "unmute the microphone with alsamixer (F4), or see that it is plugged in")
TOO_SLOW = Problem("too slow", "sound comes slower than real time: see that source.rate is the device's")
TOO_FAST = Problem("too fast", "sound comes faster than real time: see that source.rate and channels are the device's")
CLIPPING = Problem("clipping", "it is too loud for the converter: lower the capture level with alsamixer (F4)")
OFFSET = Problem("offset", "the converter is far off its zero: replug the microphone, or replace it")
HUM = Problem("hum", "mains hum drowns everything: use another power supply, cable or socket")
STALLED = Problem("no sound", "nothing comes any more: see that it is plugged in")
LOST = Problem("lost", "it is opened again and again: see that it is plugged in, and that no other program holds it")
NARROW_BAND = Problem(
    "narrow-band", "nothing above 4 kHz, as on a telephone: emotions are told less surely", usable=True
)


class RateMonitor:
    """Measures blocks against the monotonic clock over a window of ``seconds``."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._slow = ceil(seconds * SLOWEST / BLOCK_SECONDS)
        fast = ceil((seconds * FASTEST + BURST_S) / BLOCK_SECONDS)
        self._arrivals: collections.deque[float] = collections.deque(maxlen=fast)
        self._began: float | None = None
        self._count = 0

    def push(self, now: float, blocks: int = 1) -> Problem | None:
        """Take the time at which the next ``blocks`` came; return TOO_SLOW or TOO_FAST where they did."""
        if self._began is None:
            self._began = now
        arrivals = self._arrivals
        if arrivals and now - arrivals[-1] > PAUSE_S:
            arrivals.clear()
        arrivals.extend([now] * blocks)
        self._count += blocks
        if len(arrivals) >= self._slow and now - arrivals[-self._slow] > self._seconds:
            return TOO_SLOW
        if len(arrivals) == arrivals.maxlen and now - arrivals[0] < self._seconds:
            return TOO_FAST
        lasted = now - self._began
        if lasted < min(self._seconds, _OPENING_S) and self._count * BLOCK_SECONDS - lasted > BURST_S:
            return TOO_FAST  # known before the first utterance is over, or not for long
        return None


class SignalMonitor:
    """Looks at the samples: no signal, clipping, offset, hum, narrow band, once for ``seconds`` or most of them."""

    def __init__(self, seconds: float) -> None:
        self._limit = ceil(seconds / BLOCK_SECONDS)
        self._flat = 0
        self._unseen = 0
        self._steady = {problem: _Majority(self._limit) for problem in (CLIPPING, OFFSET, HUM)}
        self._bandwidth = BandwidthMonitor()
        self._speaks = False  # the block that was looked at latest was no hum and the like

    def push(self, samples: NDArray[np.int16]) -> Problem | None:
        """Take the next blocks, int16 [n * 512]; return what is wrong by now."""
        blocks = len(samples) // BLOCK_SAMPLES
        low, high = int(samples.min()), int(samples.max())
        self._flat = self._flat + blocks if high - low <= _DITHER else 0
        self._unseen += blocks
        if self._unseen >= _EVERY:
            block = samples[-BLOCK_SAMPLES:]
            loud = max(high, -low) >= min(_OFFSET, 2 * _HUM)
            found = _faults(block) if loud else []
            for problem, majority in self._steady.items():
                majority.push(self._unseen, holds=problem in found)
            self._speaks = not found
            self._unseen = 0
        if self._speaks and high - low >= LOUD:
            for block in samples.reshape(-1, BLOCK_SAMPLES):
                self._bandwidth.push(block)
        if self._flat >= self._limit:
            return NO_SIGNAL
        for problem, majority in self._steady.items():
            if majority.holds:
                return problem
        return NARROW_BAND if self._bandwidth.narrow else None


class Health:
    """Both monitors over one opening of a source; the rate matters only where sound comes in real time (``live``)."""

    def __init__(self, seconds: float, *, live: bool) -> None:
        self._rate = RateMonitor(seconds) if live else None
        self._signal = SignalMonitor(seconds)

    def push(self, samples: NDArray[np.int16], now: float) -> Problem | None:
        """Take the next blocks, int16 [n * 512], as they came at ``now`` (monotonic); return what is wrong, if so."""
        signal = self._signal.push(samples)
        rate = self._rate.push(now, len(samples) // BLOCK_SAMPLES) if self._rate else None
        return signal if rate is None or signal is NO_SIGNAL else rate


class _Majority:
    """Whether something holds for most of the time: on after ``limit`` blocks of it, off once it is mended."""

    def __init__(self, limit: int) -> None:
        self._on, self._off = 0.8 * limit, 0.3 * limit
        self._count = 0.0
        self._most = float(limit)
        self.holds = False

    def push(self, blocks: int, *, holds: bool) -> None:
        """Take the next ``blocks``, for which it holds or not."""
        self._count = min(max(self._count + (blocks if holds else -blocks), 0), self._most)
        self.holds = self._count >= (self._off if self.holds else self._on)


def _faults(block: NDArray[np.int16]) -> list[Problem]:
    """What is wrong with a loud block [512], taken alone."""
    found = []
    samples = block.astype(np.float32)
    if np.count_nonzero(np.abs(samples) >= _RAIL) > _CLIPPED * BLOCK_SAMPLES:
        found.append(CLIPPING)
    mean = float(samples.mean())
    if abs(mean) > _OFFSET:
        found.append(OFFSET)
    samples -= mean
    if float(samples.dot(samples)) > _HUM**2 * BLOCK_SAMPLES and any(_repeats(samples, lag) for lag in _PERIODS):
        found.append(HUM)
    return found


def _repeats(samples: NDArray[np.float32], lag: int) -> bool:
    """Whether they are nearly the same again ``lag`` samples later."""
    earlier, later = samples[:-lag], samples[lag:]
    change = later - earlier
    return float(change.dot(change)) < _UNLIKE * float(earlier.dot(earlier) + later.dot(later)) / 2
