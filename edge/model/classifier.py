"""From frames of features to a verdict: scaler, adapter, network, temperature, threshold."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge import features
from edge.events.event import UNCERTAIN
from edge.model.adapter import Adaptation
from edge.model.bundle import Bundle

Floats = NDArray[np.float32]

_NONE = np.empty(0, np.float32)


@dataclass(frozen=True)
class Verdict:
    """What one utterance sounds like. ``logits`` [classes] come before the temperature, probabilities after it."""

    label: str
    """The most probable class."""
    confidence: float
    probabilities: dict[str, float]
    logits: Floats
    attention: Floats
    """Weights over time [time'], adding up to 1; empty for the profile ``pooled``, and where nobody asked for them."""
    threshold: float
    adapter: Adaptation | None = None
    """What this source is usually like, as far as it was known, for explaining the verdict later."""
    embedding: Floats = field(default_factory=lambda: _NONE)
    """What the adapter learns from the utterance, beside its features; empty where the bundle has none."""

    @property
    def uncertain(self) -> bool:
        return self.confidence < self.threshold

    @property
    def emotion(self) -> str:
        """The label, or ``uncertain`` below the threshold."""
        return UNCERTAIN if self.uncertain else self.label


class Classifier:
    """One bundle at work; with an ``adapter``, on what is not usual of its source."""

    def __init__(self, bundle: Bundle, threshold: float | None = None, adapter: Adaptation | None = None) -> None:
        self.bundle = bundle
        self.threshold = bundle.threshold if threshold is None else threshold
        self.adapter = adapter

    def scaled(self, frames: Floats) -> Floats:
        """Raw frames [time, features] in the bundle's profile and scale: the same shape, or [1, 180] when pooled."""
        values = frames if self.bundle.profile == "frames" else features.pooled(frames)[None]
        return self.bundle.scaler.apply(values)

    def inputs(self, frames: Floats, verdict: Verdict | None = None) -> Floats:
        """What the network is given for raw frames [time, features]: scaled, then adapted, one row deep.

        With a ``verdict``, as it was for that one.
        """
        scaled = self.scaled(frames)
        adapter = verdict.adapter if verdict else self.adapter
        adapted = adapter(scaled) if adapter else scaled
        return adapted[None] if self.bundle.profile == "frames" else adapted

    def usual(self, verdict: Verdict | None = None) -> dict[str, Floats]:
        """What the graphs want beside the inputs, where they adapt their embedding; with a ``verdict``, as then."""
        adapter = verdict.adapter if verdict else self.adapter
        return {"usual": adapter.usual} if adapter and self.bundle.embedding else {}

    def classify(self, frames: Floats) -> Verdict:
        """The verdict on raw frames float32 [time, features] of one utterance."""
        wanted = ["logits"]
        wanted += ["attention"] if self.bundle.profile == "frames" else []
        wanted += ["embedding"] if self.bundle.embedding else []
        feed = {self.bundle.profile: self.inputs(frames), **self.usual()}
        outputs = dict(zip(wanted, self.bundle.model.run(wanted, feed), strict=True))
        return self.verdict(**{name: rows[0] for name, rows in outputs.items()})

    def verdict(self, logits: Floats, attention: Floats = _NONE, embedding: Floats = _NONE) -> Verdict:
        """What the network's logits [classes] on one utterance amount to."""
        probabilities = softmax(logits.astype(np.float64) / self.bundle.temperature)
        best = int(np.argmax(probabilities))
        return Verdict(
            label=self.bundle.labels[best],
            confidence=float(probabilities[best]),
            probabilities=dict(zip(self.bundle.labels, probabilities.tolist(), strict=True)),
            logits=logits,
            attention=attention,
            threshold=self.threshold,
            adapter=self.adapter,
            embedding=embedding,
        )


def softmax(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Probabilities [..., classes] of logits [..., classes]."""
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    shares: NDArray[np.float64] = powers / powers.sum(axis=-1, keepdims=True)
    return shares
