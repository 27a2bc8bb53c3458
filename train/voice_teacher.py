"""What the whole of CAM++ says of recordings, for a smaller network to learn."""

import hashlib
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from edge.audio import SAMPLE_RATE
from edge.errors import UsageError
from train.recordings import Front
from train.voice_network import LOWEST, VoiceNetwork, load_published

Floats = NDArray[np.float32]

WINDOW, HOP, POINTS, BANDS = 400, 160, 512, 80  # samples, samples, of the transform, mel bands
PREEMPHASIS = 0.97
LONGEST = 5 * SAMPLE_RATE
"""Samples that the teacher hears of a recording, from its middle, to say whose it is."""
FRAMED = 6 * SAMPLE_RATE
"""Samples of which it says what it knows of every frame, from the beginning."""


def kaldi_log_mel(samples: Floats) -> Floats:
    """Samples [n] at 16 kHz -> float32 [80, time] as Kaldi's ``compute-fbank-feats`` has it, without dither."""
    padded = np.pad(samples.astype(np.float64), (0, max(0, WINDOW - len(samples))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    frames = frames - frames.mean(axis=1, keepdims=True)
    before = np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / (WINDOW - 1))) ** 0.85  # Povey's
    power = np.square(np.abs(np.fft.rfft((frames - PREEMPHASIS * before) * window, POINTS)))
    level = np.log(np.maximum(power @ _bank(), np.finfo(np.float32).eps))
    return np.ascontiguousarray(level.T, np.float32)


@lru_cache(maxsize=1)
def _bank() -> NDArray[np.float64]:
    """Triangles [257, 80], even on the mel scale between 20 Hz and 8 kHz."""

    def mel(hertz: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(1127 * np.log1p(hertz / 700), np.float64)

    first, last = mel(np.array([LOWEST, SAMPLE_RATE / 2]))
    edges = np.linspace(first, last, BANDS + 2)
    places = mel(np.arange(POINTS // 2 + 1) * SAMPLE_RATE / POINTS)[:, None]
    rise = (places - edges[:-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[2:] - places) / (edges[2:] - edges[1:-1])
    return np.asarray(np.maximum(0, np.minimum(rise, fall)), np.float64)


def words(path: Path) -> Front:
    """What the teacher in a file of CAM++'s weights says of a recording, kept: float32 [1, 192], of unit length."""
    return Front(f"teacher-{_digest(path)}", partial(_said, path=path))


def frames(path: Path) -> Front:
    """What it knows of every 20 ms of the first seconds, before and behind its first block: float16 [time', 384]."""
    return Front(f"teacher-frames-{_digest(path)}", partial(_known, path=path))


def _digest(path: Path) -> str:
    if not path.is_file():
        raise UsageError(f"{path}: is not there; name CAM++'s campplus_cn_en_common.pt with --weights.")
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


@torch.inference_mode()
def _said(samples: Floats, path: Path) -> Floats:
    start = max(0, (len(samples) - LONGEST) // 2)
    spectrum = torch.from_numpy(kaldi_log_mel(samples[start : start + LONGEST]))
    return np.asarray(_whole(path)(spectrum[None]).numpy(), np.float32)


@torch.inference_mode()
def _known(samples: Floats, path: Path) -> NDArray[np.float16]:
    found = _whole(path).frames(torch.from_numpy(kaldi_log_mel(samples[:FRAMED]))[None])
    return torch.cat(found, dim=1)[0].T.numpy().astype(np.float16)


@lru_cache(maxsize=1)
def _whole(path: Path) -> VoiceNetwork:
    torch.set_num_threads(1)  # each of several processes hears recordings of its own
    return load_published(path, paired=False).eval()
