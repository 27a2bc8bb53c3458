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
RANGE = 8.0  # powers of ten below the loudest bin of the utterance, under which all is the same

SPECIFICATION: dict[str, object] = {
    "window": "hann",
    "window_samples": WINDOW_SAMPLES,
    "hop_samples": HOP_SAMPLES,
    "bands": BANDS,
    "scale": "slaney",
    "floor": FLOOR,
    "range": RANGE,
}
"""What an encoder was trained on, as JSON values."""

# Single precision is enough: the noise of its FFT lies 60 dB below the lowest level that is told apart.
_WINDOW = (0.5 - 0.5 * np.cos(2 * np.pi / WINDOW_SAMPLES * np.arange(WINDOW_SAMPLES))).astype(
    np.float32
)  # periodic Hann
_BANK = filters.mel_bank(SAMPLE_RATE, WINDOW_SAMPLES, BANDS, 0.0, SAMPLE_RATE / 2).astype(np.float32)


def log_mel(samples: Samples) -> NDArray[np.float32]:
    """Samples at 16 kHz [n], in -1..1 or int16 -> float32 [80, n // 160], at least one frame.

    Power in 80 Slaney bands up to 8 kHz of windows centred on every 160th sample, reflected at both ends; its decimal
    logarithm, no lower than 8 below the loudest; plus 4, over 4.
    """
    half = WINDOW_SAMPLES // 2
    count = max(1, len(samples) // HOP_SAMPLES)
    scaled = samples.astype(np.float32) * np.float32(full_scale(samples))
    padded = np.pad(scaled, half, mode="reflect" if len(samples) > half else "constant")
    padded = np.pad(padded, (0, max(0, (count - 1) * HOP_SAMPLES + WINDOW_SAMPLES - len(padded))))
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW_SAMPLES)[::HOP_SAMPLES][:count]
    spectrum = np.fft.rfft(windows * _WINDOW, axis=1)
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    level = np.log10(np.maximum(power @ _BANK, np.float32(FLOOR)))
    level = np.maximum(level, level.max() - np.float32(RANGE))
    return np.ascontiguousarray(((level + 4) / 4).T, dtype=np.float32)
