"""From frames of features to a verdict: scaler, adapter, network, temperature, threshold."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge import features
from edge.bundle import Bundle

Floats = NDArray[np.float32]

UNCERTAIN = "uncertain"

_NO_ATTENTION = np.empty(0, np.float32)


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
    adapter: Callable[[Floats], Floats] | None = None
    """What the scaled features went through, for explaining the verdict later."""

    @property
    def uncertain(self) -> bool:
        return self.confidence < self.threshold

    @property
    def emotion(self) -> str:
        """The label, or ``uncertain`` below the threshold."""
        return UNCERTAIN if self.uncertain else self.label


class Classifier:
    """One bundle at work. ``adapter`` maps scaled features [time, features] to what the network sees."""

    def __init__(
        self, bundle: Bundle, threshold: float | None = None, adapter: Callable[[Floats], Floats] | None = None
    ) -> None:
        self.bundle = bundle
        self.threshold = bundle.threshold if threshold is None else threshold
        self.adapter = adapter

    def scaled(self, frames: Floats) -> Floats:
        """Raw frames [time, 105] in the bundle's profile and scale: [time, 105], or [1, 180] when pooled."""
        values = frames if self.bundle.profile == "frames" else features.pooled(frames)[None]
        return self.bundle.scaler.apply(values)

    def inputs(self, frames: Floats, verdict: Verdict | None = None) -> Floats:
        """What the network is given for raw frames [time, 105]: scaled, then adapted, one row deep.

        With a ``verdict``, as it was for that one.
        """
        scaled = self.scaled(frames)
        adapter = verdict.adapter if verdict else self.adapter
        adapted = adapter(scaled) if adapter else scaled
        return adapted[None] if self.bundle.profile == "frames" else adapted

    def classify(self, frames: Floats) -> Verdict:
        """The verdict on raw frames float32 [time, 105] of one utterance."""
        outputs = self.bundle.model.run(None, {self.bundle.profile: self.inputs(frames)})
        return self.verdict(outputs[0][0], outputs[1][0] if len(outputs) > 1 else _NO_ATTENTION)

    def verdict(self, logits: Floats, attention: Floats = _NO_ATTENTION) -> Verdict:
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
        )


def softmax(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Probabilities [..., classes] of logits [..., classes]."""
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    shares: NDArray[np.float64] = powers / powers.sum(axis=-1, keepdims=True)
    return shares
