"""Distillation: trained networks say what they make of every training batch, and one small network learns it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from edge.errors import UsageError
from train.adaptive import AdaptiveNetwork
from train.checkpoint import Checkpoint, read_checkpoint
from train.speech import Hearing


class Teachers(nn.Module):
    """A batch as train.adaptive.AdaptiveNetwork takes it -> the teachers' mean probabilities [utterances, classes].

    ``class_log_prior`` [classes] is the logarithm of how often each emotion is drawn, of which a trained network's last
    layer knows nothing. It is given back, so that the learner meets the frequencies that it is trained on.
    ``temperature`` softens.
    """

    class_log_prior: Tensor

    def __init__(self, teachers: Sequence[Hearing], class_log_prior: Tensor, temperature: float) -> None:
        super().__init__()
        self.networks = nn.ModuleList(AdaptiveNetwork(teacher) for teacher in teachers)
        self.register_buffer("class_log_prior", class_log_prior)
        self.temperature = temperature
        self.requires_grad_(False).eval()

    @torch.no_grad()
    def forward(self, *batch: Tensor) -> Tensor:
        logits = torch.stack([network(*batch).float() for network in self.networks]) + self.class_log_prior
        return torch.softmax(logits / self.temperature, dim=2).mean(dim=0)


def soft_loss(logits: Tensor, probabilities: Tensor, temperature: float) -> Tensor:
    """Cross-entropy [] of softened logits [utterances, classes] and the teachers' probabilities of the same softness.

    Its gradient is as large as that of the plain cross-entropy at any temperature (Hinton et al., 2015).
    """
    log = torch.log_softmax(logits / temperature, dim=1)
    return -(temperature**2) * (probabilities * log).sum(dim=1).mean()


def read_teachers(pattern: str) -> dict[Path, Checkpoint]:
    """The checkpoints whose paths match."""
    anchor = Path(pattern).anchor
    paths = Path(anchor).glob(pattern.removeprefix(anchor))
    found = {path: read_checkpoint(path) for path in sorted(paths)}
    if not found:
        raise UsageError(f"{pattern}: no teacher's checkpoint is there; train some with fit or judge, or name none.")
    return found


def refuse_strangers(known: Mapping[Path, Checkpoint]) -> None:
    """Raises where networks that one is to begin and to learn from differ in anything that a batch is made of."""
    for path, other in known.items():
        place, first = next(iter(known.items()))
        same = other.classes == first.classes and other.features == first.features
        if not same or (other.hand_made.mean != first.hand_made.mean).any():
            raise UsageError(f"{path}: was trained on other clips, emotions or features than {place}.")
