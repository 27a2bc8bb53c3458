"""Proof that the exported graphs compute what the network computes."""

import itertools

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edge.errors import BundleError
from edge.features import FeatureSet
from edge.features.log_mel import BANDS
from edge.model.runtime import Session, attempt
from train.network import EmotionNetwork, PooledNetwork
from train.speech import Speech

TOLERANCE = 1e-4  # in logits and attention weights
BATCHES = (1, 2, 32)
LENGTHS = (5, 48, 188, 401)  # frames: 80 ms to 6.4 s
SPECTRA = (1, 2, 7, 300, 1500)  # frames of log-mel: 10 ms to 15 s
MASKED_ROWS = 32


def model(network: EmotionNetwork, session: Session) -> float:
    """The largest difference between the network and its graph over several batches, lengths and histories."""
    generator = torch.Generator().manual_seed(0)
    inputs = network.settings.inputs
    worst = 0.0
    if isinstance(network, PooledNetwork):
        for batch in BATCHES:
            values = torch.randn(batch, inputs, generator=generator)
            with torch.inference_mode():
                worst = _largest(
                    worst, _worst(session, {"logits": network(values.unsqueeze(1))[0]}, {"pooled": values})
                )
        return _checked(worst, "The graph")
    for batch, length in itertools.product(BATCHES, LENGTHS):
        values, usual = torch.randn(batch, length, inputs, generator=generator), _usual(network, generator)
        with torch.inference_mode():
            cold, warm = _named(network(values)), _named(network(values, usual))
        worst = _largest(worst, _worst(session, cold, {"frames": values}))
        worst = _largest(worst, _worst(session, warm, {"frames": values, "usual": usual}))
    return _checked(worst, "The graph")


def coalitions(network: EmotionNetwork, chosen: FeatureSet, session: Session) -> float:
    """The largest difference between the network on masked copies and the graph that shares their first layer."""
    generator = torch.Generator().manual_seed(1)
    places = list(chosen.places.values())
    families = torch.zeros(len(places), network.settings.inputs)
    for family, place in zip(families, places, strict=True):
        family[place] = 1
    worst = 0.0
    for length in LENGTHS:
        frames = torch.randn(1, length, network.settings.inputs, generator=generator)
        masks = (torch.rand(MASKED_ROWS, len(families), generator=generator) < 0.5).float()
        usual = _usual(network, generator)
        with torch.inference_mode():
            wanted = _named(network(frames * (masks @ families)[:, None], usual))
        del wanted["attention"]
        worst = _largest(worst, _worst(session, wanted, {"frames": frames, "masks": masks, "usual": usual}))
    return _checked(worst, "The graph of coalitions")


def encoder(speech: Speech, session: Session) -> float:
    """The largest difference between the encoder and its graph over several batches and lengths."""
    generator = torch.Generator().manual_seed(2)
    worst = 0.0
    for batch, length in itertools.product((1, 2), SPECTRA):
        spectrum = torch.rand(batch, BANDS, length, generator=generator) * 2 - 1
        with torch.inference_mode():
            worst = _largest(worst, _worst(session, {"speech": speech(spectrum)}, {"log_mel": spectrum}))
    return worst


def _usual(network: EmotionNetwork, generator: torch.Generator) -> Tensor:
    """Some source's shift and scale."""
    drawn = torch.rand(2, network.embedding, generator=generator)
    return torch.stack([drawn[0] - 0.5, drawn[1] + 0.5])


def _named(outputs: tuple[Tensor, Tensor, Tensor]) -> dict[str, Tensor]:
    return dict(zip(("logits", "attention", "embedding"), outputs, strict=True))


def _largest(*differences: float) -> float:
    """The largest, or not a number where one is none."""
    return float(np.max(differences))


def _worst(session: Session, wanted: dict[str, Tensor], feed: dict[str, Tensor]) -> float:
    """The largest difference of any output."""
    values = {name: value.numpy() for name, value in feed.items()}
    found = {name: attempt(session, name, values, "The graph") for name in wanted}
    return _largest(*(_difference(value.numpy(), found[name]) for name, value in wanted.items()))


def _difference(wanted: NDArray[np.float32], found: NDArray[np.float32]) -> float:
    return float(np.abs(wanted - found).max())


def _checked(worst: float, what: str) -> float:
    if not worst <= TOLERANCE:
        raise BundleError(
            f"{what} differs from the network by {worst:.2g}, more than {TOLERANCE:g}: nothing was written; "
            "look for a weight that is not finite, or another release of onnxruntime"
        )
    return worst
