"""What an explanation puts a number on: from the network's logits to one value a row."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

ValueFunction = Callable[[NDArray[np.floating]], NDArray[np.float64]]
"""Logits [rows, classes] to one value a row [rows]."""


def log_odds(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Log-odds [rows, classes] of every class against all others: z_c - logsumexp of the other logits."""
    logits = logits.astype(np.float64)
    others = np.repeat(logits[:, None], logits.shape[1], axis=1)
    others[:, np.arange(logits.shape[1]), np.arange(logits.shape[1])] = -np.inf
    highest = others.max(axis=2)
    odds: NDArray[np.float64] = logits - highest - np.log(np.exp(others - highest[:, :, None]).sum(axis=2))
    return odds


def value_function(labels: Sequence[str], target: str, against: str | None = None) -> ValueFunction:
    """The log-odds of ``target``; with ``against``, its logit minus that label's."""
    chosen = labels.index(target)
    if against is None:
        return lambda logits: log_odds(logits)[:, chosen]
    other = labels.index(against)
    return lambda logits: logits[:, chosen].astype(np.float64) - logits[:, other].astype(np.float64)
