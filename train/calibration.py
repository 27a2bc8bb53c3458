"""Calibration on speakers that training never saw: how sure the network may be, by what a device can measure.

One temperature (Guo et al., 2017) is right on average, and so too sure of a voice across a noisy room. Here its inverse
is a soft-plus of a few measures of the sound and of the network's embedding, each linear.
"""

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit, log_softmax, softmax

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Integers = NDArray[np.int64]

MEASURES = ("seconds", "level", "range", "high", "modulation", "distance", "history")
"""What ``measures`` gives, in order."""
MIDDLE, HIGH = slice(8, 24), slice(32, 40)  # mel bands of about 0.6 to 2.7 kHz, and from 4.3 kHz on
LIMIT = 3.0  # standard deviations from the mean that a measure counts no further than
RIDGE = 0.01  # what the square of a coefficient costs, in nats


def measures(levels: Floats, embedding: Floats | None, heard: float, frame_rate: float) -> Floats:
    """What the confidence depends on, float32 [len(MEASURES)], of one utterance.

    ``levels`` [time, 40] is its raw log-mel in dB, ``embedding`` what the network makes of it, ``heard`` how many
    utterances the adapter's history is worth. In order: the binary logarithm of its length in seconds; its mean power,
    dB; how far the 95th percentile of its frames' power is above the 10th, dB (speech over noise); the power above
    4.3 kHz against that about 1 kHz, dB (bandwidth); the mean standard deviation over time of the middle bands, dB
    (what a room smears); the logarithm of the embedding's mean square, 0 on the training side (distance from it); the
    logarithm of 1 plus the history.
    """
    power = np.power(10.0, levels.astype(np.float64) / 10)
    frames, bands = _decibels(power.sum(axis=1)), _decibels(power.mean(axis=0))
    spread = np.percentile(frames, 95) - np.percentile(frames, 10)
    square = 1.0 if embedding is None else float(np.mean(np.square(embedding, dtype=np.float64)))
    return np.array(
        [
            np.log2(len(levels) / frame_rate),
            _decibels(power.sum(axis=1).mean()),
            spread,
            bands[HIGH].mean() - bands[MIDDLE].mean(),
            levels[:, MIDDLE].std(axis=0, dtype=np.float64).mean(),
            np.log(square + 1e-9),
            np.log1p(heard),
        ],
        np.float32,
    )


def _decibels(power: Doubles) -> Doubles:
    return np.asarray(10 * np.log10(np.maximum(power, 1e-10)))


class Calibration(msgspec.Struct, frozen=True):
    """The inverse temperature as ``softplus(bias + coefficients . clip((measures - mean) / scale, -limit, limit))``."""

    measures: tuple[str, ...] = ()
    mean: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()
    coefficients: tuple[float, ...] = ()
    bias: float = float(np.log(np.e - 1))
    limit: float = LIMIT

    @property
    def temperature(self) -> float:
        """That of an utterance whose measures are the mean."""
        return 1 / float(np.logaddexp(0, self.bias))

    def probabilities(self, logits: Floats, measured: Floats) -> Doubles:
        """Of logits [clips, classes] of clips with these measures [clips, len(MEASURES)]."""
        inverse = np.full((len(logits), 1), 1 / self.temperature)
        if self.measures:
            inverse = np.logaddexp(0, self.bias + self._standard(measured) @ np.array(self.coefficients))[:, None]
        return np.asarray(softmax(logits.astype(np.float64) * inverse, axis=1))

    def _standard(self, measured: Floats) -> Doubles:
        places = [MEASURES.index(name) for name in self.measures]
        standard = (measured[:, places].astype(np.float64) - self.mean) / self.scale
        return np.asarray(np.clip(standard, -self.limit, self.limit))


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
    standard, true = known._standard(measured), logits[np.arange(len(meant)), meant].astype(np.float64)

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
