"""Up to which frequency sound holds speech: a telephone, or a camera at 8 kHz, gives half of what a microphone does."""

import numpy as np
from numpy.typing import NDArray

from edge.audio import BLOCK_SAMPLES, FULL_SCALE, SAMPLE_RATE

_BAND_HZ = 250.0
_BELOW_PEAK_DB = 65.0  # speech's weakest band lies no further below its strongest
_ABOVE_NOISE_DB = 6.0
_HZ = SAMPLE_RATE / BLOCK_SAMPLES  # of a bin
_TELEPHONE = slice(int(300 / _HZ), int(3400 / _HZ))  # bins
_ABOVE = slice(int(4300 / _HZ), None)
LOUD = 2 * 10 ** (-45 / 20) * FULL_SCALE  # peak to peak, below which rounding to 16 bit is too near
_DARK = 1e-4  # -40 dB: power above 4.3 kHz against that of a telephone's band
_BLOCKS = 32  # loud ones, a second of speech, of which the brightest decides
_REST = 15  # blocks behind a bright one: steady noise, which is always bright, is looked at twice a second
_WINDOW = np.hanning(BLOCK_SAMPLES).astype(np.float32)
_ROUNDING = float((_WINDOW**2).sum()) / 12 * (BLOCK_SAMPLES / 2 + 1 - _ABOVE.start)  # power it leaves above 4.3 kHz
_AUDIBLE = 10 * _ROUNDING / _DARK  # power in a telephone's band, beside which rounding is darker than dark
_RAIL = int(FULL_SCALE) - 2  # what is cut off there rings at all frequencies


class BandwidthMonitor:
    """Watches loud blocks for anything above 4.3 kHz: a hiss, an s, a breath."""

    def __init__(self) -> None:
        self.narrow = False
        self._brightest = 0.0
        self._count = 0
        self._rest = 0  # blocks that need no look, since one was bright

    def push(self, block: NDArray[np.int16]) -> None:
        """Take a block, int16 [512]; those that are not loud, or too loud, tell nothing."""
        if self._rest:
            self._rest -= 1
            return
        low, high = int(block.min()), int(block.max())
        if high - low < LOUD or max(high, -low) >= _RAIL:
            return
        power = np.abs(np.fft.rfft(block * _WINDOW)) ** 2
        telephone = float(power[_TELEPHONE].sum())
        if telephone < _AUDIBLE:
            return
        self._brightest = max(self._brightest, float(power[_ABOVE].sum()) / telephone)
        self._count += 1
        if self._brightest >= _DARK:
            self.narrow, self._brightest, self._count, self._rest = False, 0.0, 0, _REST
        elif self._count >= _BLOCKS:
            self.narrow = True


def bandwidth_hz(samples: NDArray[np.int16]) -> float:
    """The highest frequency, in Hz and in steps of 250, at which an utterance int16 [n] holds speech; 0 without any.

    Speech comes and goes: a band holds some where its loud moments are more than 6 dB above its quiet ones, and less
    than 65 dB below those of the strongest band.
    """
    if len(samples) < BLOCK_SAMPLES:
        return 0.0
    frames = np.lib.stride_tricks.sliding_window_view(samples, BLOCK_SAMPLES)[:: BLOCK_SAMPLES // 2]
    power = np.abs(np.fft.rfft(frames * _WINDOW, axis=1)[:, 1:]) ** 2  # [frames, bins]
    bands = power.reshape(len(frames), -1, round(_BAND_HZ / _HZ)).sum(axis=2)
    levels = 10 * np.log10(bands + 1e-3)
    loud, quiet = np.percentile(levels, (95, 10), axis=0)
    held = np.flatnonzero((loud > loud.max() - _BELOW_PEAK_DB) & (loud > quiet + _ABOVE_NOISE_DB))
    return float((held[-1] + 1) * _BAND_HZ) if len(held) else 0.0
