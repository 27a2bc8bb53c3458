"""The network as it is trained: each utterance behind those of its group that came before, as behind an adapter."""

from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from edge.model.adapter import normalisation
from train.network import EmotionNetwork

Values = TypeVar("Values", bound=Any)


def before(means: Values, squares: Values, prior: Values) -> tuple[Values, Values]:
    """Shift and scale for every utterance of some groups, from those before it in its group.

    ``means`` and ``squares`` [groups, utterances, features] are what an adapter learns from each, ``prior``
    [groups, 1, 1] is how many utterances the training statistics are worth: infinite where nothing is remembered.
    NumPy's arrays or torch's tensors.
    """
    heard: Any = np.arange(means.shape[1], dtype=np.float32)[None, :, None]
    if isinstance(means, Tensor):
        heard = torch.from_numpy(heard).to(means.device)
    count = heard.clip(min=1)
    return normalisation(heard, (means.cumsum(1) - means) / count, (squares.cumsum(1) - squares) / count, prior)


class Rehearsal(nn.Module):
    """Frames [groups * utterances, time, inputs] -> logits [groups * utterances, classes].

    Each embedding is taken as a deviation from those before it in its group, with the gradient through them, then mixed
    with a partner's by ``shares`` (manifold mixup: Verma et al., 2019).
    """

    def __init__(self, network: EmotionNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, frames: Tensor, prior: Tensor, partners: Tensor, shares: Tensor) -> Tensor:
        network = self.network
        embedding = network.embed(network.front(frames.transpose(1, 2)))[0].float()
        groups = embedding.reshape(len(prior), -1, embedding.shape[1])
        shift, scale = before(groups, groups**2, prior)
        adapted = ((groups - shift) / scale).flatten(0, 1)
        mixed = shares[:, None] * adapted + (1 - shares[:, None]) * adapted[partners]
        logits: Tensor = network.dense(network.dropout(mixed))
        return logits
