"""How sure the network may be, by what a device can measure of an utterance.

One temperature (Guo et al., *On Calibration of Modern Neural Networks*, 2017) is right on average, and so too sure of a
voice across a noisy room. Here its inverse is the soft-plus of a linear function of a few measures.
"""

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.features import FRAME_RATE

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

MEASURES = ("seconds", "level", "range", "high", "modulation", "distance", "history")
"""What ``measures`` gives, in order."""
MIDDLE, HIGH = slice(8, 24), slice(32, 40)  # mel bands of about 0.6 to 2.7 kHz, and from 4.3 kHz on
LIMIT = 3.0  # standard deviations from the mean that a measure counts no further than
FLOOR = 1e-10


def measures(levels: Floats, embedding: Floats | None, history: float) -> Floats:
    """What the confidence depends on, float32 [len(MEASURES)], of one utterance.

    ``levels`` [time, 40] is its raw log-mel in dB, ``embedding`` what the network makes of it, ``history`` how many
    utterances the adapter's history is worth. In order: the binary logarithm of its length in seconds; its mean power,
    dB; how far the 95th percentile of its frames' power is above the 10th, dB (speech over noise); the power above
    4.3 kHz against that about 1 kHz, dB (bandwidth); the mean standard deviation over time of the middle bands, dB
    (what a room smears); the logarithm of the embedding's mean square, 0 on the training side (distance from it); the
    logarithm of 1 plus the history.
    """
    power = np.power(10.0, levels.astype(np.float64) / 10)
    frames, bands = _decibels(power.sum(axis=1)), _decibels(power.mean(axis=0))
    low, high = np.percentile(frames, (10, 95))
    square = 1.0 if embedding is None else float(np.mean(np.square(embedding, dtype=np.float64)))
    return np.array(
        [
            np.log2(len(levels) / FRAME_RATE),
            _decibels(power.sum(axis=1).mean()),
            high - low,
            bands[HIGH].mean() - bands[MIDDLE].mean(),
            levels[:, MIDDLE].std(axis=0, dtype=np.float64).mean(),
            np.log(square + 1e-9),
            np.log1p(history),
        ],
        np.float32,
    )


def _decibels(power: Doubles) -> Doubles:
    return np.asarray(10 * np.log10(np.maximum(power, FLOOR)))


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

    def is_sound(self) -> bool:
        """Whether its numbers are finite, its scales positive, and there is one of each for every known measure."""
        counts = {len(self.measures), len(self.mean), len(self.scale), len(self.coefficients)}
        numbers = [*self.mean, *self.scale, *self.coefficients, self.bias, self.limit]
        known = set(self.measures) <= set(MEASURES)
        return len(counts) == 1 and known and bool(np.isfinite(numbers).all()) and min([1.0, *self.scale]) > 0

    def inverse_temperatures(self, measured: Floats) -> Doubles:
        """What to multiply the logits of utterances with these measures [utterances, len(MEASURES)] by."""
        if not self.measures:
            return np.full(len(measured), 1 / self.temperature)
        return np.asarray(np.logaddexp(0, self.bias + self.standard(measured) @ np.array(self.coefficients)))

    def probabilities(self, logits: Floats, measured: Floats) -> Doubles:
        """Of logits [utterances, classes] of utterances with these measures [utterances, len(MEASURES)]."""
        scaled = logits.astype(np.float64) * self.inverse_temperatures(measured)[:, None]
        powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))

    def standard(self, measured: Floats) -> Doubles:
        """The measures that count, in standard deviations from their mean, within the limit."""
        places = [MEASURES.index(name) for name in self.measures]
        standard = (measured[:, places].astype(np.float64) - self.mean) / self.scale
        return np.asarray(np.clip(standard, -self.limit, self.limit))
