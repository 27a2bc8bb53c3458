"""A large speaker network that a small one learns from: CAM++ (Wang et al., Interspeech 2023), as an ONNX file.

3D-Speaker publishes it under Apache-2.0 (speech_campplus_sv_zh_en_16k-common_advanced); its graph takes ``x``, log-mel as
Kaldi computes it, float32 [batch, time, 80], and gives ``embedding`` [batch, 192].
"""

import hashlib
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.audio import SAMPLE_RATE
from edge.errors import UsageError
from train.recordings import Front

Floats = NDArray[np.float32]

WINDOW, HOP, POINTS, BANDS = 400, 160, 512, 80  # samples, samples, of the transform, mel bands
LOWEST = 20.0  # Hz
PREEMPHASIS = 0.97
LONGEST = 5 * SAMPLE_RATE
"""Samples that the teacher hears of a recording, from its middle."""


def kaldi_log_mel(samples: Floats) -> Floats:
    """Samples [n] at 16 kHz -> float32 [time, 80] as Kaldi's ``compute-fbank-feats`` has it without dither, each band's
    mean over time taken out.
    """
    padded = np.pad(samples.astype(np.float64), (0, max(0, WINDOW - len(samples))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    frames = frames - frames.mean(axis=1, keepdims=True)
    before = np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / (WINDOW - 1))) ** 0.85  # Povey's
    power = np.square(np.abs(np.fft.rfft((frames - PREEMPHASIS * before) * window, POINTS)))
    level = np.log(np.maximum(power @ _bank(), np.finfo(np.float32).eps))
    return np.asarray(level - level.mean(axis=0), np.float32)


@lru_cache(maxsize=1)
def _bank() -> NDArray[np.float64]:
    """Triangles [257, 80], even on the mel scale between 20 Hz and 8 kHz."""

    def mel(hertz: NDArray[np.float64] | float) -> NDArray[np.float64]:
        return np.asarray(1127 * np.log1p(np.asarray(hertz) / 700))

    edges = np.linspace(mel(LOWEST), mel(SAMPLE_RATE / 2), BANDS + 2)
    places = mel(np.arange(POINTS // 2 + 1) * SAMPLE_RATE / POINTS)[:, None]
    rise = (places - edges[:-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[2:] - places) / (edges[2:] - edges[1:-1])
    return np.maximum(0, np.minimum(rise, fall))


def teacher(path: Path) -> Front:
    """What the teacher in an ONNX file says of a recording, as a front end whose results are kept: float32 [1, 192]."""
    if not path.is_file():
        raise UsageError(f"{path}: is not there; name the ONNX file of CAM++ with --teacher.")
    return Front(f"teacher-{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}", partial(_said, path=path))


def _said(samples: Floats, path: Path) -> Floats:
    start = max(0, (len(samples) - LONGEST) // 2)
    found = _session(path)(kaldi_log_mel(samples[start : start + LONGEST])[None])
    return np.asarray(found / np.linalg.norm(found), np.float32)


@lru_cache(maxsize=1)
def _session(path: Path) -> Callable[[Floats], Floats]:
    from edge.model.runtime import open_session

    session = open_session(path.read_bytes(), str(path))
    return lambda spectrum: session.run(["embedding"], {"x": spectrum})[0]
