"""Calibration on speakers that training never saw: how sure the network may be, by what a device can measure.

One temperature (Guo et al., 2017) is right on average, and so too sure of a voice across a noisy room. Here its inverse
is a soft-plus of a few measures of the sound and of the network's embedding, each linear.
"""

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit, log_softmax

from edge.model.calibration import MEASURES, Calibration

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Integers = NDArray[np.int64]

RIDGE = 0.01  # what the square of a coefficient costs, in nats


def constant(temperature: float) -> Calibration:
    """The same temperature for every utterance."""
    return Calibration(bias=float(np.log(np.expm1(1 / temperature))))


def fit_calibration(logits: Floats, meant: Integers, measured: Floats, weights: Doubles | None = None) -> Calibration:
    """The calibration that makes logits [clips, classes] likeliest; measures that never change are left out."""
    weights = np.ones(len(meant)) if weights is None else weights
    shares, values = weights / weights.sum(), measured.astype(np.float64)
    mean = shares @ values
    scale = np.sqrt(shares @ np.square(values - mean))
    names = tuple(name for name, spread in zip(MEASURES, scale, strict=True) if spread > 1e-3)
    places = [MEASURES.index(name) for name in names]
    blank = constant(fit_temperature(logits, meant, weights))
    known = msgspec.structs.replace(
        blank, measures=names, mean=tuple(mean[places].tolist()), scale=tuple(scale[places].tolist())
    )
    standard, true = known.standard(measured), logits[np.arange(len(meant)), meant].astype(np.float64)

    def loss(values: Doubles) -> tuple[float, Doubles]:
        slope = values[0] + standard @ values[1:]
        inverse = np.logaddexp(0, slope)
        logarithms = log_softmax(logits * inverse[:, None], axis=1)
        likelihoods = logarithms[np.arange(len(meant)), meant]
        change = ((np.exp(logarithms) * logits).sum(axis=1) - true) * expit(slope) * shares
        ridge = np.concatenate([[0.0], values[1:]])
        gradient = np.concatenate([[change.sum()], change @ standard]) + 2 * RIDGE * ridge
        return -float(shares @ likelihoods) + RIDGE * float(ridge @ ridge), gradient

    start = np.concatenate([[blank.bias], np.zeros(len(names))])
    found = minimize(loss, start, jac=True, method="L-BFGS-B").x
    return msgspec.structs.replace(known, bias=float(found[0]), coefficients=tuple(found[1:].tolist()))


def fit_temperature(logits: Floats, meant: Integers, weights: NDArray[np.float64] | None = None) -> float:
    """The one temperature that makes ``logits`` [clips, classes] likeliest."""

    def loss(logarithm: float) -> float:
        likelihoods = log_softmax(logits / np.exp(logarithm), axis=1)[np.arange(len(meant)), meant]
        return -float(np.average(likelihoods, weights=weights))

    return float(np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x))


def threshold_for(confidences: NDArray[np.float64], coverage: float) -> float:
    """The confidence that a share ``coverage`` of the clips reaches."""
    return float(np.quantile(confidences, 1 - coverage))
