"""The adapter: running statistics of the speech of one source, or one voice, learnt without labels and taken out of it.

It works at two places: between the scaler and the network on every scaled feature, and inside the network on the
embedding of the whole utterance. At each it keeps a running mean and mean square over the utterances that one source
has heard, blended with the training statistics (0 and 1) by a prior worth a few utterances. Each utterance counts once,
however long, and the oldest fade: the device follows a new person in minutes, and one outburst moves it by one
utterance's weight. It holds no audio, no label and no identity.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge import files

Floats = NDArray[np.float32]
Values = TypeVar("Values", bound=Any)  # numpy's arrays on the device, torch's tensors in training

FORMAT = 2
SMALLEST_VARIANCE = 0.05  # of the training variance: a voice that never changes is not blown up


Kind = Literal["source", "voice"]
"""Whose speech a history is of: everybody's at a microphone, or one person's."""
_Utterances = Annotated[float, msgspec.Meta(gt=0)]


@dataclass(frozen=True)
class AdapterSettings:
    """How fast the adapter learns and forgets, in utterances."""

    prior: _Utterances = 25.0
    """Utterances that the training statistics are worth."""
    memory: _Utterances = 30.0
    """Utterances after which the oldest fade."""


SETTINGS: dict[Kind, AdapterSettings] = {"source": AdapterSettings(), "voice": AdapterSettings(memory=60.0)}
"""What was chosen on the calibration speakers (docs/training.md). Several people at a microphone have no usual voice in
common, and come and go: their history fades sooner than that of one person."""


def statistics(scaled: Floats) -> tuple[Floats, Floats]:
    """Mean and mean square over time of one utterance's scaled frames [time, features]."""
    return scaled.mean(axis=0), np.square(scaled).mean(axis=0)


def share(weight: Values, prior: Values | float) -> Values:
    """How far a history worth ``weight`` utterances is trusted against the training statistics, 0 to 1."""
    trust: Values = weight / (weight + prior)
    return trust


def normalisation(weight: Values, mean: Values, square: Values, prior: Values | float) -> tuple[Values, Values]:
    """Shift and scale [..., features] of a history worth ``weight`` [..., 1] utterances, blended with (0, 1)."""
    trust = share(weight, prior)
    shift = trust * mean
    variance = trust * square + (1 - trust) - shift**2
    return shift, variance.clip(min=SMALLEST_VARIANCE) ** 0.5


@dataclass(frozen=True)
class Adaptation:
    """An adapter as it was at one moment. A prediction keeps its own, to be explained as it was made."""

    shift: Floats
    """What is subtracted from scaled features [features]."""
    scale: Floats
    """What they are then divided by [features]."""
    embedding_statistics: Floats
    """The same two for the embedding [2, embedding], which the network applies itself."""

    weight: float = 0.0
    """Utterances that the history is worth."""
    trust: float = 0.0
    """Its share in ``shift`` and ``scale``: the rest is that of the training statistics."""

    def __call__(self, scaled: Floats) -> Floats:
        """Scaled frames [time, features] as deviations from this source's mean, float32 of the same shape."""
        return ((scaled - self.shift) / self.scale).astype(np.float32)


class Adapter:
    """The history of one source, over so many ``features`` and so wide an ``embedding``."""

    def __init__(self, features: int, embedding: int = 0, settings: AdapterSettings | None = None) -> None:
        self.settings = settings or AdapterSettings()
        self.features, self.embedding = features, embedding
        self.mean = np.zeros(features + embedding, np.float32)
        self.square = np.ones(features + embedding, np.float32)
        self.weight = 0.0
        """Utterances that the history is worth, at most ``settings.memory``."""
        self.utterances = 0
        """Utterances that it has heard in all."""

    def forget(self) -> None:
        """Empties the history. What was in it is overwritten: freed memory is not cleared."""
        self.mean.fill(0)
        self.square.fill(1)
        self.weight, self.utterances = 0.0, 0

    def observe(self, scaled: Floats, embedding: Floats | None = None) -> None:
        """Learns from one utterance's scaled frames [time, features] and its embedding, after its prediction."""
        mean, square = statistics(scaled)
        if self.embedding:
            if embedding is None or len(embedding) != self.embedding:
                raise ValueError(f"an embedding of {self.embedding} numbers belongs to every utterance")
            mean, square = np.concatenate([mean, embedding]), np.concatenate([square, np.square(embedding)])
        self.weight = min(self.weight + 1, self.settings.memory)
        self.mean += (mean - self.mean) / self.weight
        self.square += (square - self.square) / self.weight
        self.utterances += 1

    def absorb(self, other: "Adapter") -> None:
        """Takes in what another one of the same size has learnt."""
        weight = self.weight + other.weight
        if weight:
            self.mean += (other.mean - self.mean) * (other.weight / weight)
            self.square += (other.square - self.square) * (other.weight / weight)
        self.weight = min(weight, self.settings.memory)
        self.utterances += other.utterances

    def snapshot(self) -> Adaptation:
        """The adapter as it is now, whatever is learnt later."""
        shift, scale = normalisation(np.full(1, self.weight, np.float32), self.mean, self.square, self.settings.prior)
        embedding_statistics = np.stack([shift[self.features :], scale[self.features :]])
        trust = share(self.weight, self.settings.prior)
        return Adaptation(shift[: self.features], scale[: self.features], embedding_statistics, self.weight, trust)

    def apply(self, scaled: Floats) -> Floats:
        """One utterance's scaled frames [time, features] as deviations from this source's mean."""
        return self.snapshot()(scaled)

    def save(self, path: Path, bundle: str) -> None:
        """Writes the history as JSON with the ``bundle``'s hash, whole or not at all. Raises OSError."""
        files.replace(path, json.dumps({"format": FORMAT, "bundle": bundle, **self.state()}).encode(), 0o600)

    def load(self, path: Path, bundle: str) -> bool:
        """Takes up a saved history; ``False``, and a fresh start, where it is absent, damaged or another bundle's."""
        self.forget()
        try:
            state = json.loads(path.read_text(encoding="utf-8"))
            fits = state["format"] == FORMAT and state["bundle"] == bundle
        except (OSError, ValueError, TypeError, KeyError):
            return False
        return fits and self.restore(state)

    def state(self) -> dict[str, object]:
        """The history as JSON values."""
        return {
            "utterances": self.utterances,
            "weight": self.weight,
            "mean": [round(float(value), 6) for value in self.mean],
            "square": [round(float(value), 6) for value in self.square],
        }

    def restore(self, state: Mapping[str, Any]) -> bool:
        """Takes up what ``state`` gave; ``False``, and as it was before, where that is of another size or damaged."""
        try:
            mean = np.asarray(state["mean"], np.float32)
            square = np.asarray(state["square"], np.float32)
            weight, utterances = float(state["weight"]), int(state["utterances"])
        except (ValueError, TypeError, KeyError):
            return False
        sound = mean.shape == square.shape == self.mean.shape and np.isfinite([*mean, *square, weight]).all()
        if not (sound and weight >= 0):
            return False
        self.mean, self.square, self.utterances = mean, square, utterances
        self.weight = min(weight, self.settings.memory)
        return True
