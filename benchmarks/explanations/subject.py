"""One utterance under any mask of its features: the outputs of the network."""

from dataclasses import dataclass

import numpy as np

from benchmarks.explanations.clips import Clip
from edge.explain import perturbation
from edge.explain.explainer import Explainer
from edge.explain.perturbation import membership
from edge.explain.values import log_odds
from edge.model.bundle import Bundle
from edge.model.classifier import Classifier, Prediction, softmax


@dataclass(frozen=True)
class Subject:
    """A clip's frames and its predicted class; maps masks to the log-odds and probabilities of that class."""

    explainer: Explainer
    inputs: np.ndarray
    prediction: Prediction
    target: int
    groups: np.ndarray
    """Which family each feature belongs to: 0 and 1 [families, features]."""

    @classmethod
    def of(cls, classifier: Classifier, clip: Clip) -> "Subject":
        prediction = classifier.predict(clip.frames)
        target = classifier.bundle.labels.index(prediction.label)
        groups = membership("frames", classifier.bundle.features)
        return cls(Explainer(classifier), classifier.inputs(clip.frames), prediction, target, groups)

    @property
    def bundle(self) -> Bundle:
        return self.explainer.classifier.bundle

    @property
    def features(self) -> int:
        return self.inputs.shape[-1]

    def logits(self, masks: np.ndarray) -> np.ndarray:
        """Logits [rows, classes] with features masked [rows, features], any weights in 0..1."""
        return perturbation.of_features(self.bundle, self.inputs, np.asarray(masks, np.float32))

    def value(self, masks: np.ndarray) -> np.ndarray:
        """Log-odds [rows] of the predicted class with features masked [rows, features]."""
        return log_odds(self.logits(masks))[:, self.target]

    def value_of_families(self, masks: np.ndarray) -> np.ndarray:
        """The same with families masked [rows, families], by the plain network."""
        return self.value(np.asarray(masks, np.float32) @ self.groups)

    def probabilities(self, masks: np.ndarray) -> np.ndarray:
        """Probabilities [rows] of the predicted class: one softmax, no temperature."""
        return softmax(self.logits(masks))[:, self.target]
