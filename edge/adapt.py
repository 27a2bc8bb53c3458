"""The adapter: what this source's voice is usually like, learnt without labels, and taken out of its frames.

Between the scaler and the network stands a running mean and mean square of each scaled feature over the utterances that
one source has heard, blended with the training statistics (0 and 1) by a prior worth a few utterances. Each utterance
counts once, however long, and the oldest fade: the device follows a new person in minutes, and one outburst moves it by
one utterance's weight. It holds no audio, no label and no identity.
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

FORMAT = 1


@dataclass(frozen=True)
class AdapterSettings:
    """How fast the adapter learns and forgets, in utterances."""

    prior: float = 6.0
    """Utterances that the training statistics are worth."""
    memory: float = 30.0
    """Utterances after which the oldest fade."""


def statistics(scaled: Floats) -> tuple[Floats, Floats]:
    """Mean and mean square over time of one utterance's scaled frames [time, features]."""
    return scaled.mean(axis=0), np.square(scaled).mean(axis=0)


def normalisation(weight: Floats, mean: Floats, square: Floats, prior: float) -> tuple[Floats, Floats]:
    """Shift and scale [..., features] of a history worth ``weight`` [..., 1] utterances, blended with (0, 1)."""
    trust = weight / (weight + prior)
    shift = trust * mean
    variance = trust * square + (1 - trust) - np.square(shift)
    return shift, np.sqrt(np.maximum(variance, 0.01))


class Adapter:
    """The history of one source."""

    def __init__(self, features: int, settings: AdapterSettings | None = None) -> None:
        self.settings = settings or AdapterSettings()
        self.features = features
        self.forget()

    def forget(self) -> None:
        """Empties the history."""
        self.mean = np.zeros(self.features, np.float32)
        self.square = np.ones(self.features, np.float32)
        self.weight = 0.0
        """Utterances that the history is worth, at most ``settings.memory``."""
        self.utterances = 0
        """Utterances that it has heard in all."""

    def observe(self, scaled: Floats) -> None:
        """Learns from one utterance's scaled frames [time, features]; call it after ``apply``."""
        mean, square = statistics(scaled)
        self.weight = min(self.weight + 1, self.settings.memory)
        self.mean += (mean - self.mean) / self.weight
        self.square += (square - self.square) / self.weight
        self.utterances += 1

    def apply(self, scaled: Floats) -> Floats:
        """One utterance's scaled frames [time, features] as deviations from this source's usual voice."""
        return self.snapshot()(scaled)

    def snapshot(self) -> Callable[[Floats], Floats]:
        """``apply`` as it is now, whatever is learnt later: a verdict is explained as it was reached."""
        shift, scale = normalisation(np.full(1, self.weight, np.float32), self.mean, self.square, self.settings.prior)
        return lambda scaled: ((scaled - shift) / scale).astype(np.float32)

    def save(self, path: Path, bundle: str) -> None:
        """Writes the history as JSON with the ``bundle``'s hash, whole or not at all."""
        state = {
            "format": FORMAT,
            "bundle": bundle,
            "utterances": self.utterances,
            "weight": self.weight,
            "mean": [round(float(value), 6) for value in self.mean],
            "square": [round(float(value), 6) for value in self.square],
        }
        partial = path.with_suffix(path.suffix + ".partial")
        with partial.open("w", encoding="utf-8") as file:
            json.dump(state, file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)

    def load(self, path: Path, bundle: str) -> bool:
        """Takes up a saved history; ``False``, and a fresh start, where it is absent, damaged or another bundle's."""
        self.forget()
        try:
            state = json.loads(path.read_text(encoding="utf-8"))
            mean = np.asarray(state["mean"], np.float32)
            square = np.asarray(state["square"], np.float32)
            weight, utterances = float(state["weight"]), int(state["utterances"])
            fits = state["format"] == FORMAT and state["bundle"] == bundle
        except (OSError, ValueError, TypeError, KeyError):
            return False
        sound = mean.shape == square.shape == self.mean.shape and np.isfinite([*mean, *square, weight]).all()
        if not (fits and sound and weight >= 0):
            return False
        self.mean, self.square, self.utterances = mean, square, utterances
        self.weight = min(weight, self.settings.memory)
        return True
