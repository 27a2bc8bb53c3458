"""The decoder of listenable maps: what an encoder hears of an utterance in, a mask over its log-mel out.

After L-MAC (Paissan, Ravanelli, Subakan, *Listenable Maps for Audio Classifiers*, ICML 2024), whose decoder sees the
classifier's hidden frames; this one also sees the log-mel and which verdict it is to explain.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from edge.features.log_mel import BANDS
from edge.model.encoder import STRIDE
from train.encoder import PEAK


@dataclass(frozen=True)
class MapSettings:
    """Sizes of the decoder."""

    speech: int = 64
    """The encoder's columns."""
    classes: int = 7
    width: int = 128
    """Of its hidden frames."""
    inner: int = 320
    """Of each block's dense layers."""
    kernel: int = 7
    """Frames of 20 ms that a block sees at once, further apart in each."""
    dilations: tuple[int, ...] = (1, 2, 4)
    planes: int = 4
    """Channels of the last layers, over bands and time."""


class Block(nn.Module):
    """Frames [batch, time, width] changed by their neighbours, by what all of them are like, and by the verdict."""

    def __init__(self, settings: MapSettings, dilation: int) -> None:
        super().__init__()
        width = settings.width
        reach = settings.kernel // 2 * dilation
        self.time = nn.Conv1d(width, width, settings.kernel, padding=reach, dilation=dilation, groups=width)
        self.norm = nn.LayerNorm(width)
        self.known = nn.Linear(2 * settings.classes + width, 2 * width)
        self.dense = nn.Sequential(nn.Linear(width, settings.inner), nn.GELU(), nn.Linear(settings.inner, width))

    def forward(self, frames: Tensor, verdict: Tensor) -> Tensor:
        known = self.known(torch.cat([verdict, frames.mean(dim=1)], dim=1)).unsqueeze(1)
        gain, offset = known.chunk(2, dim=2)
        seen = self.norm(self.time(frames.transpose(1, 2)).transpose(1, 2))
        return frames + self.dense(seen * (1 + gain) + offset)  # type: ignore[no-any-return]


class MapNetwork(nn.Module):
    """Log-mel [batch, 80, time], the encoder's raw columns [batch, (time + 1) // 2, speech] and the verdict's logits
    [batch, classes] -> the mask [batch, 80, time], 0 to 1.

    Two columns of log-mel lie side by side, as far apart as the encoder's. ``usual`` are the mean and the scale of the
    encoder's columns [2, speech].
    """

    def __init__(self, settings: MapSettings, usual: Tensor | None = None) -> None:
        super().__init__()
        self.settings = settings
        ready = usual if usual is not None else torch.stack([torch.zeros(settings.speech), torch.ones(settings.speech)])
        self.register_buffer("usual", ready)
        self.first = nn.Linear(settings.speech + STRIDE * BANDS, settings.width)
        self.blocks = nn.ModuleList(Block(settings, dilation) for dilation in settings.dilations)
        self.norm = nn.LayerNorm(settings.width)
        self.last = nn.Linear(settings.width, STRIDE * BANDS)
        nn.init.normal_(self.last.weight, std=0.02)  # a mask that is open or shut from the start learns nothing more
        nn.init.zeros_(self.last.bias)
        self.fine = nn.Sequential(
            nn.Conv2d(2, settings.planes, 3, padding=1), nn.GELU(), nn.Conv2d(settings.planes, 1, 3, padding=1)
        )

    def forward(self, spectrum: Tensor, speech: Tensor, logits: Tensor) -> Tensor:
        return torch.sigmoid(self.heights(spectrum, speech, logits))

    def heights(self, spectrum: Tensor, speech: Tensor, logits: Tensor) -> Tensor:
        """What becomes the mask: the logarithm of its odds."""
        spectrum = spectrum - spectrum.amax(dim=(1, 2), keepdim=True) + PEAK  # whatever the level
        pairs = torch.cat([spectrum, spectrum[:, :, -1:]], dim=2)[:, :, : STRIDE * speech.shape[1]]
        pairs = pairs.transpose(1, 2).reshape(spectrum.shape[0], -1, STRIDE * BANDS)
        scaled = (speech - self.usual[0]) / self.usual[1]  # type: ignore[index]
        frames = self.first(torch.cat([scaled, pairs], dim=2))
        probabilities = torch.softmax(logits, dim=1)
        chosen = (logits >= logits.amax(dim=1, keepdim=True)).to(logits.dtype)
        verdict = torch.cat([probabilities, chosen], dim=1)
        for block in self.blocks:
            frames = block(frames, verdict)
        coarse = self.last(self.norm(frames)).reshape(spectrum.shape[0], -1, BANDS).transpose(1, 2)
        coarse = coarse[:, :, : spectrum.shape[2]]
        fine = self.fine(torch.stack([coarse, spectrum], dim=1))[:, 0]
        heights: Tensor = coarse + fine
        return heights
