"""Proof that the exported graphs compute what the network computes."""

import numpy as np
import torch
from numpy.typing import NDArray

from edge.errors import BundleError
from edge.features import FAMILIES
from edge.runtime import Session, attempt
from train.network import EmotionNetwork, PooledNetwork

TOLERANCE = 1e-4  # in logits and attention weights
BATCHES = (1, 2, 32)
LENGTHS = (5, 48, 188, 401)  # frames: 80 ms to 6.4 s
MASKED_ROWS = 32


def model(network: EmotionNetwork | PooledNetwork, session: Session) -> float:
    """The largest difference between the network and its graph over several batches and lengths."""
    generator = torch.Generator().manual_seed(0)
    inputs = network.settings.inputs
    if isinstance(network, PooledNetwork):
        shapes: list[tuple[int, ...]] = [(batch, inputs) for batch in BATCHES]
    else:
        shapes = [(batch, length, inputs) for batch in BATCHES for length in LENGTHS]
    name = "pooled" if isinstance(network, PooledNetwork) else "frames"
    worst = 0.0
    for shape in shapes:
        values = torch.randn(shape, generator=generator)
        with torch.inference_mode():
            outputs = network(values)
        expected = dict(
            zip(("logits", "attention"), outputs if isinstance(outputs, tuple) else (outputs,), strict=False)
        )
        for output, wanted in expected.items():
            found = attempt(session, output, {name: values.numpy()}, "The graph")
            worst = max(worst, _difference(wanted.numpy(), found))
    return _checked(worst, "The graph")


def coalitions(network: EmotionNetwork, session: Session) -> float:
    """The largest difference between the network on masked copies and the graph that shares their first layer."""
    generator = torch.Generator().manual_seed(1)
    families = torch.zeros(len(FAMILIES), network.settings.inputs)
    for family, place in zip(families, FAMILIES.values(), strict=True):
        family[place] = 1
    worst = 0.0
    for length in LENGTHS:
        frames = torch.randn(1, length, network.settings.inputs, generator=generator)
        masks = (torch.rand(MASKED_ROWS, len(families), generator=generator) < 0.5).float()
        with torch.inference_mode():
            wanted = network(frames * (masks @ families)[:, None])[0].numpy()
        feed = {"frames": frames.numpy(), "masks": masks.numpy()}
        found = attempt(session, "logits", feed, "The graph of coalitions")
        worst = max(worst, _difference(wanted, found))
    return _checked(worst, "The graph of coalitions")


def _difference(wanted: NDArray[np.float32], found: NDArray[np.float32]) -> float:
    return float(np.abs(wanted - found).max())


def _checked(worst: float, what: str) -> float:
    if not worst <= TOLERANCE:
        raise BundleError(
            f"{what} differs from the network by {worst:.2g}, more than {TOLERANCE:g}: nothing was written; "
            "look for a weight that is not finite, or another release of onnxruntime"
        )
    return worst
