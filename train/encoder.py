"""The first blocks of Whisper's encoder.

Radford et al., *Robust Speech Recognition via Large-Scale Weak Supervision* (2022); openai/whisper, `audio.py` and
`model.py`. One thing differs: an utterance is encoded at its own length and not padded to thirty seconds.
"""

from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from edge.features.log_mel import BANDS
from edge.model.encoder import LONGEST, STRIDE

Floats = NDArray[np.float32]

PEAK = 1.0  # the loudest bin of an utterance, once its level is taken out: that of a close voice


def pieces(sound: NDArray[np.floating], longest: int = LONGEST) -> list[NDArray[np.floating]]:
    """An utterance's frames [time, ..] in as few pieces as are no longer than ``longest``, of even size."""
    count = -(-len(sound) // longest)
    size = STRIDE * -(-len(sound) // (STRIDE * count))
    return [sound[start : start + size] for start in range(0, len(sound), size)]


@dataclass(frozen=True)
class EncoderSettings:
    """Sizes of the encoder: those of tiny, its first two blocks, by default."""

    blocks: int = 2
    states: int = 384
    """Width of a frame."""
    heads: int = 6
    level: bool = True
    """Whether every utterance's loudest bin is moved to ``PEAK`` first: a quiet voice is encoded as a loud one."""
    trained: int = field(default=0, repr=False)
    """Of the blocks the last, which training moves; all in front of them stays as it was pretrained."""


class Attention(nn.Module):
    """Multi-head self-attention over all frames: [batch, time, states] -> the same."""

    def __init__(self, states: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(states, states)
        self.key = nn.Linear(states, states, bias=False)
        self.value = nn.Linear(states, states)
        self.out = nn.Linear(states, states)

    def forward(self, frames: Tensor) -> Tensor:
        query, key, value = (
            part(frames).unflatten(2, (self.heads, -1)).transpose(1, 2) for part in (self.query, self.key, self.value)
        )
        found = functional.scaled_dot_product_attention(query, key, value)
        return self.out(found.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]


class Block(nn.Module):
    """A transformer block with its norms in front: [batch, time, states] -> the same."""

    def __init__(self, states: int, heads: int) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(states)
        self.attention = Attention(states, heads)
        self.dense_norm = nn.LayerNorm(states)
        self.dense = nn.Sequential(nn.Linear(states, 4 * states), nn.GELU(), nn.Linear(4 * states, states))

    def forward(self, frames: Tensor) -> Tensor:
        frames = frames + self.attention(self.attention_norm(frames))
        return frames + self.dense(self.dense_norm(frames))  # type: ignore[no-any-return]


class Encoder(nn.Module):
    """Log-mel float32 [batch, 80, time] -> frames of 20 ms [batch, (time + 1) // 2, states].

    Frame i is centred on sample 320 i.
    """

    def __init__(self, settings: EncoderSettings) -> None:
        super().__init__()
        self.settings = settings
        self.first = nn.Conv1d(BANDS, settings.states, 3, padding=1)
        self.second = nn.Conv1d(settings.states, settings.states, 3, STRIDE, padding=1)
        self.blocks = nn.ModuleList(Block(settings.states, settings.heads) for _ in range(settings.blocks))

    def forward(self, spectrum: Tensor) -> Tensor:
        frames = self.begin(spectrum)
        for block in self.blocks:
            frames = block(frames)
        return frames

    def begin(self, spectrum: Tensor) -> Tensor:
        """What the first block is given [batch, (time + 1) // 2, states]."""
        if self.settings.level:
            spectrum = spectrum - spectrum.amax(dim=(1, 2), keepdim=True) + PEAK
        frames = functional.gelu(self.second(functional.gelu(self.first(spectrum)))).transpose(1, 2)
        return frames + positions(frames)

    @property
    def trained(self) -> nn.ModuleList:
        """The blocks that training moves."""
        return self.blocks[self.settings.blocks - self.settings.trained :]

    def fixed(self) -> "Encoder":
        """What is in front of ``trained``, with the same weights, as an encoder of its own."""
        front = Encoder(replace(self.settings, blocks=self.settings.blocks - self.settings.trained, trained=0))
        known = self.state_dict()
        front.load_state_dict({name: known[name] for name in front.state_dict()})
        return front.eval()

    def finish(self, frames: Tensor) -> Tensor:
        """What ``trained`` makes of the frames [batch, time', states] of ``fixed``."""
        for block in self.trained:
            frames = block(frames)
        return frames


def positions(frames: Tensor) -> Tensor:
    """Where each of the frames [batch, time, states] is, as sines, then cosines, of ever longer periods [time, states].

    Computed and not kept: a table would be a quarter of the shipped graph.
    """
    half = frames.shape[2] // 2
    rates = torch.exp(-np.log(10_000.0) / (half - 1) * torch.arange(half, device=frames.device))
    angles = torch.arange(frames.shape[1], device=frames.device)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)
