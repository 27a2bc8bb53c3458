"""The network that tells voices apart: log-mel in, a direction out that is near for one person's utterances."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from edge.features.log_mel import BANDS


@dataclass(frozen=True)
class VoiceSettings:
    """Sizes of the network."""

    planes: tuple[int, ...] = (16, 32, 32)
    """Channels of the convolutions over bands and time; each halves the bands, the second one time as well."""
    channels: int = 256
    dilations: tuple[int, ...] = (1, 2, 3, 1)
    """Of each block over time; time is halved again in front of them."""
    pooled: int = 320
    """Channels whose mean and deviation over time, weighted by attention, are taken."""
    attention: int = 48
    width: int = 192
    """Numbers in a voice: as many as the teacher's."""


class Block(nn.Module):
    """Mixes channels, then time in each channel, then channels: [batch, channels, time] -> the same."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.mix = nn.Sequential(nn.Conv1d(channels, channels, 1, bias=False), nn.BatchNorm1d(channels), nn.ReLU())
        self.time = nn.Sequential(
            nn.Conv1d(channels, channels, 5, padding=2 * dilation, dilation=dilation, groups=channels, bias=False),
            nn.BatchNorm1d(channels),
            nn.ReLU(),
        )
        self.out = nn.Sequential(nn.Conv1d(channels, channels, 1, bias=False), nn.BatchNorm1d(channels))

    def forward(self, frames: Tensor) -> Tensor:
        return functional.relu(frames + self.out(self.time(self.mix(frames))))


class VoiceNetwork(nn.Module):
    """Log-mel float32 [batch, 80, time], as the encoder is given it, -> voices [batch, width] of unit length.

    Each band's mean over time is taken out first, and with it the level and most of the microphone. Statistics pooling
    with attention: Okabe, Koshinaka, Shinoda, Interspeech 2018.
    """

    def __init__(self, settings: VoiceSettings | None = None) -> None:
        super().__init__()
        self.settings = found = settings or VoiceSettings()
        planes: list[nn.Module] = []
        before, bands = 1, BANDS
        for place, after in enumerate(found.planes):
            stride = (2, 2 if place == 1 else 1)
            planes += [nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
            before, bands = after, (bands + 1) // 2
        self.planes = nn.Sequential(*planes)
        wide = found.channels
        self.front = nn.Sequential(
            nn.Conv1d(before * bands, wide, 3, 2, 1, bias=False), nn.BatchNorm1d(wide), nn.ReLU()
        )
        self.blocks = nn.ModuleList(Block(wide, dilation) for dilation in found.dilations)
        joined = wide * len(found.dilations)
        self.join = nn.Sequential(
            nn.Conv1d(joined, found.pooled, 1, bias=False), nn.BatchNorm1d(found.pooled), nn.ReLU()
        )
        self.attention = nn.Sequential(
            nn.Conv1d(found.pooled, found.attention, 1), nn.Tanh(), nn.Conv1d(found.attention, found.pooled, 1)
        )
        self.out = nn.Sequential(nn.BatchNorm1d(2 * found.pooled), nn.Linear(2 * found.pooled, found.width))

    def forward(self, spectrum: Tensor) -> Tensor:
        level = spectrum - spectrum.mean(dim=2, keepdim=True)
        frames = self.front(self.planes(level.unsqueeze(1)).flatten(1, 2))
        heard = []
        for block in self.blocks:
            frames = block(frames)
            heard.append(frames)
        frames = self.join(torch.cat(heard, dim=1))
        weights = torch.softmax(self.attention(frames), dim=2)
        mean = (weights * frames).sum(dim=2)
        deviation = ((weights * frames.square()).sum(dim=2) - mean.square()).clamp(min=1e-4).sqrt()
        return functional.normalize(self.out(torch.cat([mean, deviation], dim=1)), dim=1)
