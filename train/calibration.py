"""Calibration on speakers that neither training nor evaluation saw: one temperature, one threshold."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


def fit_temperature(logits: Floats, meant: Integers, weights: NDArray[np.float64] | None = None) -> float:
    """The temperature that makes ``logits`` [clips, classes] likeliest (Guo et al., 2017)."""

    def loss(logarithm: float) -> float:
        likelihoods = log_softmax(logits / np.exp(logarithm), axis=1)[np.arange(len(meant)), meant]
        return -float(np.average(likelihoods, weights=weights))

    return float(np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x))


def threshold_for(confidences: NDArray[np.float64], coverage: float) -> float:
    """The confidence that a share ``coverage`` of the clips reaches."""
    return float(np.quantile(confidences, 1 - coverage))
