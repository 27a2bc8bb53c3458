"""From frames of features to a prediction: scaler, adapter, network, temperature, threshold."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge import features
from edge.events.event import UNCERTAIN
from edge.model import intensity
from edge.model.adapter import Adaptation
from edge.model.bundle import Bundle
from edge.model.calibration import measures
from edge.model.manifest import STATISTICS_INPUT

Floats = NDArray[np.float32]

_NONE = np.empty(0, np.float32)


@dataclass(frozen=True, eq=False)
class Prediction:
    """What one utterance sounds like, and all that an explanation of it needs.

    ``logits`` [classes] come before the temperature, probabilities after it.
    """

    label: str
    """The most probable class."""
    confidence: float
    probabilities: dict[str, float]
    logits: Floats
    threshold: float
    frames: Floats
    """The raw features [time, features]."""
    adaptation: Adaptation | None = None
    """What was known of the source when the prediction was made."""
    attention: Floats = field(default_factory=lambda: _NONE)
    """Weights over time [time'], adding up to 1; empty for the profile ``pooled``, and where nobody asked for them."""
    intensity: float | None = None
    """How strongly it is expressed, 0 to 1; None where the bundle does not say."""
    embedding: Floats = field(default_factory=lambda: _NONE)
    """What the adapter learns from the utterance, beside its features; empty where the bundle has none."""

    @property
    def uncertain(self) -> bool:
        """Whether the confidence is below the threshold."""
        return self.confidence < self.threshold

    @property
    def emotion(self) -> str:
        """The label, or ``uncertain`` below the threshold."""
        return UNCERTAIN if self.uncertain else self.label


@dataclass(frozen=True)
class Classifier:
    """One bundle at work. It holds no state: equal arguments give equal predictions."""

    bundle: Bundle

    def predict(
        self, frames: Floats, adaptation: Adaptation | None = None, threshold: float | None = None
    ) -> Prediction:
        """The prediction for raw frames float32 [time, features] of one utterance.

        ``adaptation`` is what is known of the source; ``threshold`` the confidence below which the emotion is
        uncertain, the bundle's where None.
        """
        wanted = ["logits"]
        wanted += ["attention"] if self.bundle.profile == "frames" else []
        wanted += ["embedding"] if self.bundle.embedding else []
        feed = {self.bundle.profile: self.inputs(frames, adaptation), **self.statistics(adaptation)}
        outputs = dict(zip(wanted, self.bundle.model.run(wanted, feed), strict=True))
        return self.prediction(frames, adaptation, threshold, **{name: rows[0] for name, rows in outputs.items()})

    def prediction(
        self,
        frames: Floats,
        adaptation: Adaptation | None,
        threshold: float | None,
        logits: Floats,
        attention: Floats = _NONE,
        embedding: Floats = _NONE,
    ) -> Prediction:
        """What the network's ``logits`` [classes] on an utterance amount to; the other arguments as in ``predict``."""
        probabilities = softmax(logits.astype(np.float64) * self._inverse_temperature(frames, adaptation, embedding))
        best = int(np.argmax(probabilities))
        return Prediction(
            label=self.bundle.labels[best],
            confidence=float(probabilities[best]),
            probabilities=dict(zip(self.bundle.labels, probabilities.tolist(), strict=True)),
            logits=logits,
            threshold=self.bundle.threshold if threshold is None else threshold,
            frames=frames,
            adaptation=adaptation,
            attention=attention,
            intensity=self._intensity(frames, adaptation, embedding),
            embedding=embedding,
        )

    def _intensity(self, frames: Floats, adaptation: Adaptation | None, embedding: Floats) -> float | None:
        """How strongly the utterance is expressed, where the bundle has a head for that."""
        head, chosen = self.bundle.intensity, self.bundle.features
        if head is None:
            return None
        return head(intensity.measures(frames, self.bundle.scaler.apply(frames), chosen, embedding, adaptation))

    def _inverse_temperature(self, frames: Floats, adaptation: Adaptation | None, embedding: Floats) -> float:
        """How far the logits are to be believed: by what can be measured, where the bundle says how."""
        calibration, levels = self.bundle.manifest.calibration, self.bundle.features.places.get("mel")
        if calibration is None or levels is None:
            return 1 / self.bundle.temperature
        history = adaptation.weight if adaptation else 0.0
        measured = measures(frames[:, levels], embedding if len(embedding) else None, history)
        return float(calibration.inverse_temperatures(measured[None])[0])

    def scaled(self, frames: Floats) -> Floats:
        """Raw frames [time, features] in the bundle's profile and scale: the same shape, or [1, 180] when pooled."""
        values = frames if self.bundle.profile == "frames" else features.pooled(frames)[None]
        return self.bundle.scaler.apply(values)

    def inputs(self, frames: Floats, adaptation: Adaptation | None = None) -> Floats:
        """What the network is given for raw frames [time, features]: scaled, then adapted, one row deep.

        Float32 [1, time, features], or [1, features] when pooled.
        """
        scaled = self.scaled(frames)
        adapted = adaptation(scaled) if adaptation else scaled
        return adapted[None] if self.bundle.profile == "frames" else adapted

    def statistics(self, adaptation: Adaptation | None = None) -> dict[str, Floats]:
        """The graphs' input for the statistics of the source's embedding [2, e]; empty where they have none."""
        return {STATISTICS_INPUT: adaptation.embedding_statistics} if adaptation and self.bundle.embedding else {}


def softmax(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Probabilities [..., classes] of logits [..., classes]."""
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    shares: NDArray[np.float64] = powers / powers.sum(axis=-1, keepdims=True)
    return shares
