"""The log-mel spectrum that Whisper's encoder takes.

Radford et al., *Robust Speech Recognition via Large-Scale Weak Supervision* (2022); openai/whisper, ``audio.py``. It is
another spectrum than that of the families: shorter windows, twice the bands, no absolute level.
"""

import numpy as np
from numpy.typing import NDArray

from edge.audio import SAMPLE_RATE
from edge.features import filters
from edge.features.spectrum import Samples, full_scale

WINDOW_SAMPLES = 400  # 25 ms at 16 kHz
HOP_SAMPLES = 160  # 10 ms: a hundred frames a second
BANDS = 80
FLOOR = 1e-10  # power that counts as silence
_BLOCK_FRAMES = 64  # at a time: they fit into the cache
RANGE = 8.0  # powers of ten below the loudest bin of the utterance, under which all is the same

SPECIFICATION: dict[str, object] = {
    "sample_rate": SAMPLE_RATE,
    "window": "hann",
    "window_samples": WINDOW_SAMPLES,
    "hop_samples": HOP_SAMPLES,
    "padding": "reflected, centred",
    "mel": {"bands": BANDS, "fmin": 0.0, "fmax": SAMPLE_RATE / 2, "scale": "slaney", "norm": "slaney"},
    "logarithm": {"base": 10, "floor": FLOOR, "range": RANGE, "offset": 4, "divisor": 4},
}
"""What an encoder was trained on, as JSON values."""

# In double precision up to the last rounding, so that whatever computes it gives the same numbers.
WINDOW = 0.5 - 0.5 * np.cos(2 * np.pi / WINDOW_SAMPLES * np.arange(WINDOW_SAMPLES))  # periodic Hann
BANK = filters.mel_bank(SAMPLE_RATE, WINDOW_SAMPLES, BANDS, 0.0, SAMPLE_RATE / 2)


def log_mel(samples: Samples) -> NDArray[np.float32]:
    """Samples at 16 kHz [n], in -1..1 or int16 -> float32 [80, n // 160], at least one frame.

    Power in 80 Slaney bands up to 8 kHz of windows centred on every 160th sample, reflected at both ends; its decimal
    logarithm, no lower than 8 below the loudest; plus 4, over 4.
    """
    windows = _windows(samples)
    blocks = range(0, len(windows), _BLOCK_FRAMES)
    return _levels(np.concatenate([_power(windows[at : at + _BLOCK_FRAMES]) @ BANK for at in blocks]))


def power_of(samples: Samples) -> NDArray[np.float64]:
    """The power spectra of a clip [frames, 201], before they are gathered into bands."""
    return _power(_windows(samples))


def of_power(power: NDArray[np.float64]) -> NDArray[np.float32]:
    """``log_mel`` of power spectra [frames, 201]."""
    return _levels(power @ BANK)


def _windows(samples: Samples) -> NDArray[np.float64]:
    """The stretches [frames, 400] of a clip, reflected at both ends."""
    half = WINDOW_SAMPLES // 2
    count = max(1, len(samples) // HOP_SAMPLES)
    scaled = samples.astype(np.float64) * full_scale(samples)
    padded = np.pad(scaled, half, mode="reflect" if len(samples) > half else "constant")
    padded = np.pad(padded, (0, max(0, (count - 1) * HOP_SAMPLES + WINDOW_SAMPLES - len(padded))))
    return np.lib.stride_tricks.sliding_window_view(padded, WINDOW_SAMPLES)[::HOP_SAMPLES][:count]


def _power(windows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Power spectra [windows, 201] of windows [windows, 400]."""
    spectrum = np.fft.rfft(windows * WINDOW, axis=1)
    return np.square(spectrum.real) + np.square(spectrum.imag)


def _levels(bands: NDArray[np.float64]) -> NDArray[np.float32]:
    """Power in bands [frames, 80] as what the encoder takes, float32 [80, frames]."""
    level = np.log10(np.maximum(bands, FLOOR))
    level = np.maximum(level, level.max() - RANGE)
    return np.ascontiguousarray(((level + 4) / 4).T, dtype=np.float32)
