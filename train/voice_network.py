"""The network that tells voices apart: log-mel in, a direction out that is near for one person's utterances.

CAM++ (Wang et al., *CAM++: A Fast and Efficient Network for Speaker Verification Using Context-Aware Masking*,
Interspeech 2023), as it was published, or in a form for the device.
"""

from collections.abc import Iterator
from pathlib import Path
from pickle import UnpicklingError

import librosa
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from edge.errors import UsageError
from edge.features.log_mel import BANDS

Floats = NDArray[np.float32]

PLANES, FRONT, GROWTH, MIXED = 32, 128, 32, 128
"""Channels: over bands and time, behind them over time alone, what each layer adds, and what it looks at."""
WIDTH = 192
"""Numbers in a voice."""
LAYERS = (12, 24, 16)
"""Of each block of CAM++."""
DILATIONS = (1, 2, 2)
GROUPS = 2
"""Of residual blocks over bands and time."""
SEGMENT = 100
"""Frames whose mean a layer of CAM++ is told beside the mean over all; in the device's form an utterance is one."""
LOWEST = 20.0
"""Hz at which its bands begin: 80, even on the mel scale up to 8 kHz, as Kaldi computes them."""


def _normed(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.BatchNorm1d(channels), nn.ReLU())


def _plane(before: int, after: int, size: int, stride: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(before, after, size, (stride, 1), size // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(after))


class Residual(nn.Module):
    """Over bands and time: [batch, planes, bands, time] -> the bands divided by ``stride``."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.first, self.second = _plane(PLANES, PLANES, 3, stride), _plane(PLANES, PLANES, 3)
        self.shortcut = _plane(PLANES, PLANES, 1, stride) if stride > 1 else nn.Identity()

    def forward(self, planes: Tensor) -> Tensor:
        changed = self.second(functional.relu(self.first(planes)))
        return functional.relu(changed + self.shortcut(planes))


class Layer(nn.Module):
    """Adds channels to those over time, each weighted by what the utterance is like: [batch, channels, time]."""

    def __init__(self, channels: int, dilation: int, segment: int | None) -> None:
        super().__init__()
        self.mix = nn.Sequential(_normed(channels), nn.Conv1d(channels, MIXED, 1, bias=False), _normed(MIXED))
        self.time = nn.Conv1d(MIXED, GROWTH, 3, padding=dilation, dilation=dilation, bias=False)
        self.mask = nn.Sequential(
            nn.Conv1d(MIXED, MIXED // 2, 1), nn.ReLU(), nn.Conv1d(MIXED // 2, GROWTH, 1), nn.Sigmoid()
        )
        self.segment = segment

    def forward(self, frames: Tensor) -> Tensor:
        mixed = self.mix(frames)
        whole = mixed.mean(dim=2, keepdim=True)
        context = 2 * whole if self.segment is None else whole + self._means(mixed, self.segment)
        return torch.cat([frames, self.time(mixed) * self.mask(context)], dim=1)

    @staticmethod
    def _means(mixed: Tensor, segment: int) -> Tensor:
        means = functional.avg_pool1d(mixed, segment, segment, ceil_mode=True)
        return means.repeat_interleave(segment, dim=2)[:, :, : mixed.shape[2]]


class VoiceNetwork(nn.Module):
    """Log-mel float32 [batch, 80, time] -> voices [batch, 192] of unit length.

    Each band's mean over time is taken out first, and with it the level and most of the microphone.

    ``paired`` is the device's form. It is given the device's log-mel, where CAM++ is given Kaldi's; sees two frames of
    10 ms side by side where CAM++ sees one after the other; has one residual block over bands and time where CAM++ has
    two; and has every second frame alone behind the first block. The second and third block look at every second frame
    anyway, so there the half is enough.
    """

    def __init__(self, *, paired: bool = True) -> None:
        super().__init__()
        self.paired = paired
        planes: list[nn.Module] = [_plane(2 if paired else 1, PLANES, 3), nn.ReLU()]
        for _ in range(GROUPS):
            planes += [Residual(2)] if paired else [Residual(2), Residual(1)]
        self.planes = nn.Sequential(*planes, _plane(PLANES, PLANES, 3, 2), nn.ReLU())
        front = nn.Conv1d(PLANES * BANDS // 8, FRONT, 5, 1 if paired else 2, 2, bias=False)
        self.front = nn.Sequential(front, _normed(FRONT))
        self.blocks = nn.ModuleList()
        channels = FRONT
        for count, dilation in zip(LAYERS, (1, 1, 1) if paired else DILATIONS, strict=True):
            segment = None if paired else SEGMENT
            layers: list[nn.Module] = [Layer(channels + GROWTH * n, dilation, segment) for n in range(count)]
            channels += GROWTH * count
            layers.append(nn.Sequential(_normed(channels), nn.Conv1d(channels, channels // 2, 1, bias=False)))
            channels //= 2
            self.blocks.append(nn.Sequential(*layers))
        self.last = _normed(channels)
        self.dense = nn.Linear(2 * channels, WIDTH, bias=False)
        self.norm = nn.BatchNorm1d(WIDTH, affine=False)
        self.register_buffer("bands", torch.from_numpy(bands_of_kaldi()), persistent=False)

    def forward(self, spectrum: Tensor) -> Tensor:
        return self.voice(self.frames(spectrum)[1])

    def frames(self, spectrum: Tensor) -> tuple[Tensor, Tensor]:
        """What is known of every 20 ms, in front of the first block [batch, 128, time'] and behind it [.., 256, ..]."""
        if self.paired:
            # Kaldi's first window begins with the recording, ours has its middle there: one of ours is left out.
            spectrum = (self.bands.T @ spectrum[:, :, 1:]) * (4 * np.log(10))  # type: ignore[operator]
        spectrum = spectrum - spectrum.mean(dim=2, keepdim=True)
        if self.paired:
            even = spectrum.shape[2] // 2 * 2
            planes = torch.unflatten(spectrum[:, :, :even], 2, (-1, 2)).permute(0, 3, 1, 2)
        else:
            planes = spectrum.unsqueeze(1)
        front = self.front(self.planes(planes).flatten(1, 2))
        return front, self.blocks[0](front)

    def voice(self, frames: Tensor) -> Tensor:
        """Voices [batch, 192] of what stands behind the first block."""
        if self.paired:
            frames = frames[:, :, ::2]
        for block in list(self.blocks)[1:]:
            frames = block(frames)
        frames = self.last(frames)
        mean = frames.mean(dim=2, keepdim=True)
        variance = (frames - mean).square().mean(dim=2)
        pooled = torch.cat([mean.squeeze(2), (variance + 1e-8).sqrt()], dim=1)
        return functional.normalize(self.norm(self.dense(pooled)), dim=1)


def bands_of_kaldi() -> Floats:
    """[80, 80]: each of Kaldi's bands from the two of the device's between whose centres its own lies."""
    ours = librosa.mel_frequencies(BANDS + 2, fmin=0, fmax=8000)[1:-1]
    first, last = 1127 * np.log1p(np.array([LOWEST, 8000.0]) / 700)
    centres = 700 * np.expm1(np.linspace(first, last, BANDS + 2)[1:-1] / 1127)
    above = np.clip(np.searchsorted(ours, centres), 1, BANDS - 1)
    share = np.clip((centres - ours[above - 1]) / (ours[above] - ours[above - 1]), 0, 1)
    found = np.zeros((BANDS, BANDS), np.float32)
    found[above - 1, np.arange(BANDS)] = 1 - share
    found[above, np.arange(BANDS)] = share
    return found


def load_published(path: Path, *, paired: bool) -> VoiceNetwork:
    """The network in one form or the other, from CAM++'s published file; UsageError where it is none.

    https://modelscope.cn/models/iic/speech_campplus_sv_zh_en_16k-common_advanced, ``campplus_cn_en_common.pt``
    (Apache-2.0).
    """
    network = VoiceNetwork(paired=paired)
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
        for name, value in network.state_dict().items():
            theirs = published_name(name, paired=paired)
            if name == "planes.0.0.weight" and paired:
                value.copy_(_paired(weights[theirs]))
            elif not name.endswith("num_batches_tracked"):  # of no use
                value.copy_(weights[theirs].reshape(value.shape))
    except (OSError, EOFError, RuntimeError, LookupError, AttributeError, ValueError, UnpicklingError) as error:
        reason = " ".join(str(error).split())[:160]
        raise UsageError(f"{path}: is no file of CAM++'s weights ({reason}); name campplus_cn_en_common.pt.") from error
    return network


def _paired(kernel: Tensor) -> Tensor:
    """A first kernel [planes, 1, bands, 3] for two frames side by side: the same at each first one of two."""
    found = torch.zeros(kernel.shape[0], 2, *kernel.shape[2:])
    found[:, 1, :, 0] = kernel[:, 0, :, 0]
    found[:, :, :, 1] = kernel[:, 0, :, 1:].permute(0, 2, 1)
    return found


def published_name(name: str, *, paired: bool) -> str:
    """What the published file calls one of the network's tensors."""
    module, _, parameter = name.rpartition(".")
    return f"{dict(_modules(paired))[module]}.{parameter}"


def _modules(paired: bool) -> Iterator[tuple[str, str]]:
    """The modules that hold tensors, by their names here and there."""
    yield from _convolution("planes.0", "head.conv1", "head.bn1")
    place = 2
    for group in range(1, GROUPS + 1):
        for number in range(1 if paired else 2):
            here, there = f"planes.{place}", f"head.layer{group}.{number}"
            yield from _convolution(f"{here}.first", f"{there}.conv1", f"{there}.bn1")
            yield from _convolution(f"{here}.second", f"{there}.conv2", f"{there}.bn2")
            if number == 0:
                yield from _convolution(f"{here}.shortcut", f"{there}.shortcut.0", f"{there}.shortcut.1")
            place += 1
    yield from _convolution(f"planes.{place}", "head.conv2", "head.bn2")
    yield "front.0", "xvector.tdnn.linear"
    yield "front.1.0", "xvector.tdnn.nonlinear.batchnorm"
    for block, count in enumerate(LAYERS):
        for number in range(count):
            here, there = f"blocks.{block}.{number}", f"xvector.block{block + 1}.tdnnd{number + 1}"
            yield f"{here}.mix.0.0", f"{there}.nonlinear1.batchnorm"
            yield f"{here}.mix.1", f"{there}.linear1"
            yield f"{here}.mix.2.0", f"{there}.nonlinear2.batchnorm"
            yield f"{here}.time", f"{there}.cam_layer.linear_local"
            yield f"{here}.mask.0", f"{there}.cam_layer.linear1"
            yield f"{here}.mask.2", f"{there}.cam_layer.linear2"
        yield f"blocks.{block}.{count}.0.0", f"xvector.transit{block + 1}.nonlinear.batchnorm"
        yield f"blocks.{block}.{count}.1", f"xvector.transit{block + 1}.linear"
    yield "last.0", "xvector.out_nonlinear.batchnorm"
    yield "dense", "xvector.dense.linear"
    yield "norm", "xvector.dense.nonlinear.batchnorm"


def _convolution(here: str, convolution: str, norm: str) -> Iterator[tuple[str, str]]:
    yield f"{here}.0", convolution
    yield f"{here}.1", norm
