"""The network: CNN -> BiLSTM -> attention -> dense, over frames of acoustic features or over one vector of them."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class NetworkSettings:
    """Sizes of the network; everything else about it is fixed.

    ``channels``, ``strides`` and ``kernels`` hold one entry per convolution. The product of the strides is what the
    time axis shrinks by before the recurrent layer. An explanation pays for the first convolution once and for all
    behind it once per coalition, so width belongs in front (benchmarks/explanations/network_sizes.py).
    """

    inputs: int = 105
    classes: int = 7
    channels: tuple[int, ...] = (128, 64, 64)
    strides: tuple[int, ...] = (4, 3, 2)
    kernels: tuple[int, ...] = (9, 3, 3)
    hidden: int = 64
    dropout: float = 0.3
    speech: int = 0
    """Of the inputs the last: those that a pretrained encoder hears (train.speech)."""
    statistics: bool = False
    """Whether mean and spread over time of the first layer reach the embedding beside those of attention."""


class EmotionNetwork(nn.Module):
    """Frames float32 [batch, time, inputs] -> logits [batch, classes], attention [batch, time'], embedding [batch, e].

    The first convolution is kept apart and without a nonlinearity before it: it is linear in the features, so an
    explanation can compute each feature's share of it once and add shares up per coalition (``front`` and ``tail``).
    The embedding, one vector for the whole utterance, has mean 0 and variance 1 over the training set; what is
    ``usual`` of a source, its shift and scale [2, e], is taken out before the last layer (edge.model.adapter).
    """

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        self.settings = settings
        layers = list(zip(settings.channels, settings.strides, settings.kernels, strict=True))
        first, stride, kernel = layers[0]
        self.front = nn.Conv1d(settings.inputs, first, kernel, stride, kernel // 2)
        self.first_norm = nn.BatchNorm1d(first)
        self.convolutions = nn.ModuleList(
            nn.Sequential(
                nn.Conv1d(before, after, kernel, stride, kernel // 2, bias=False), nn.BatchNorm1d(after), nn.ReLU()
            )
            for before, (after, stride, kernel) in zip(settings.channels, layers[1:], strict=False)
        )
        self.dropout = nn.Dropout(settings.dropout)
        self.recurrent = nn.LSTM(settings.channels[-1], settings.hidden, batch_first=True, bidirectional=True)
        self.attention = nn.Sequential(
            nn.Linear(2 * settings.hidden, settings.hidden), nn.Tanh(), nn.Linear(settings.hidden, 1)
        )
        width = 4 * settings.hidden + (2 * first if settings.statistics else 0)
        self.embedding_norm = nn.BatchNorm1d(width, affine=False)
        self.dense = nn.Linear(width, settings.classes)

    @property
    def embedding(self) -> int:
        """How wide the embedding is."""
        return self.dense.in_features

    def forward(self, frames: Tensor, usual: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        return self.tail(self.front(frames.transpose(1, 2)), usual)

    def tail(self, shares: Tensor, usual: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Everything behind the first convolution, whose output [batch, channels, time'] is given."""
        embedding, weights = self.embed(shares)
        adapted = embedding if usual is None else (embedding - usual[0]) / usual[1]
        return self.dense(self.dropout(adapted)), weights, embedding

    def embed(self, shares: Tensor) -> tuple[Tensor, Tensor]:
        """Embedding and attention for the first convolution's output."""
        hidden = first = torch.relu(self.first_norm(shares))
        for convolution in self.convolutions:
            hidden = convolution(hidden)
        states, _ = self.recurrent(self.dropout(hidden).transpose(1, 2))
        weights = torch.softmax(self.attention(states).squeeze(-1), dim=1)
        mean = torch.einsum("bt,bth->bh", weights, states)
        variance = torch.einsum("bt,bth->bh", weights, (states - mean.unsqueeze(1)).square())
        parts = [mean, torch.sqrt(variance + 1e-5)]
        if self.settings.statistics:
            level = first.mean(dim=2)
            parts += [level, torch.sqrt((first - level.unsqueeze(2)).square().mean(dim=2) + 1e-5)]
        return self.embedding_norm(torch.cat(parts, dim=1)), weights


class PooledNetwork(EmotionNetwork):
    """The same layers over pooled statistics float32 [batch, 1, inputs], read as a sequence of single numbers.

    CNN, BiLSTM and attention run along the vector: the design that was asked for from the start.
    """

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__(replace(settings, inputs=1))
        self.settings = settings
        self.front = AlongVector(1, settings.channels[0], settings.kernels[0], settings.strides[0])


class AlongVector(nn.Conv1d):
    """A convolution along vectors [batch, inputs, 1], given as one frame of so many features."""

    def __init__(self, before: int, after: int, kernel: int, stride: int) -> None:
        super().__init__(before, after, kernel, stride, kernel // 2)

    def forward(self, vectors: Tensor) -> Tensor:
        return super().forward(vectors.transpose(1, 2))


def network_of(profile: str, settings: NetworkSettings) -> EmotionNetwork:
    """The untrained network of an input profile, ``frames`` or ``pooled``."""
    return PooledNetwork(settings) if profile == "pooled" else EmotionNetwork(settings)
