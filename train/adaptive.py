"""The network as it is trained: each utterance behind those of its group that came before, as behind an adapter."""

from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from edge.model.adapter import normalisation
from edge.model.encoder import nearest
from train.speech import Hearing

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


class AdaptiveNetwork(nn.Module):
    """Frames [groups * utterances, time, features] and their sound -> logits [groups * utterances, classes].

    The hand-made features are adapted beforehand. The encoder's columns, and each embedding, are taken as deviations
    from those before them in their group, with the gradient through these; embeddings are then mixed with a partner's
    by ``shares`` (manifold mixup: Verma et al., 2019). Where ``audible`` is 0 the encoder's family is silenced.
    """

    def __init__(self, hearing: Hearing) -> None:
        super().__init__()
        self.hearing = hearing

    def forward(
        self, frames: Tensor, prior: Tensor, partners: Tensor, shares: Tensor, sound: Tensor, audible: Tensor
    ) -> Tensor:
        network, speech = self.hearing.network, self.hearing.speech
        if speech is not None:
            columns = speech.scaled(sound.float())
            shift, scale = grouped(columns.mean(dim=1), columns.square().mean(dim=1), prior)
            adapted = (columns - shift.unsqueeze(1)) / scale.unsqueeze(1) * audible[:, None, None]
            places = torch.from_numpy(nearest(frames.shape[1], adapted.shape[1])).to(frames.device)
            frames = torch.cat([frames, adapted[:, places]], dim=2)
        embedding = network.embed(network.front(frames.transpose(1, 2)))[0].float()
        shift, scale = grouped(embedding, embedding.square(), prior)
        adapted = (embedding - shift) / scale
        mixed = shares[:, None] * adapted + (1 - shares[:, None]) * adapted[partners]
        logits: Tensor = network.dense(network.dropout(mixed))
        return logits


def grouped(means: Tensor, squares: Tensor, prior: Tensor) -> tuple[Tensor, Tensor]:
    """``before`` for statistics [groups * utterances, features]."""
    shape = (len(prior), -1, means.shape[1])
    shift, scale = before(means.reshape(shape), squares.reshape(shape), prior)
    return shift.flatten(0, 1), scale.flatten(0, 1)
