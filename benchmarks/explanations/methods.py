"""Methods that attribute a prediction to its inputs, all from masks alone: ours, LIME, Kernel SHAP, and chance.

Each takes ``values``, which maps masks [rows, players] to log-odds [rows], and returns scores [players].
"""

import logging
import warnings
from collections.abc import Callable

import numpy as np
import shap
from sklearn.linear_model import Ridge

from edge.explain import shapley

ValueFunction = Callable[[np.ndarray], np.ndarray]

LIME_WIDTH = 0.25  # of the kernel over cosine distance, as in the lime package

logging.getLogger("shap").setLevel(logging.ERROR)


def occlusion(values: ValueFunction, players: int) -> np.ndarray:
    """The loss without each single player: players + 1 evaluations."""
    found = values(np.concatenate([np.ones((1, players)), 1 - np.eye(players)]))
    return found[0] - found[1:]


def exact(values: ValueFunction, players: int) -> np.ndarray:
    """Exact Shapley values: 2**players evaluations."""
    return shapley.values(values(shapley.coalitions(players)))


def lime(values: ValueFunction, players: int, evaluations: int, seed: int = 0) -> np.ndarray:
    """LIME (Ribeiro et al., 2016): ridge regression on random masks, weighted by their cosine distance to all ones."""
    masks = np.random.default_rng(seed).integers(0, 2, (evaluations, players))
    masks[0] = 1
    distance = 1 - np.sqrt(masks.mean(axis=1))
    weights = np.sqrt(np.exp(-(distance**2) / LIME_WIDTH**2))
    return Ridge(alpha=1.0).fit(masks, values(masks), sample_weight=weights).coef_


def kernel_shap(values: ValueFunction, players: int, evaluations: int | str) -> np.ndarray:
    """Kernel SHAP (Lundberg and Lee, 2017), the ``shap`` package with its defaults."""
    np.random.seed(0)  # noqa: NPY002 (the package draws from the global generator)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        explainer = shap.KernelExplainer(values, np.zeros((1, players)))
        return explainer.shap_values(np.ones(players), nsamples=evaluations, silent=True)


def chance(players: int, seed: int) -> np.ndarray:
    """A random order."""
    return np.random.default_rng(seed).permutation(players).astype(float)
