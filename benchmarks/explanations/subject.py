"""One utterance under any mask of its features: the outputs of the network."""

from dataclasses import dataclass

import numpy as np

from benchmarks.explanations.clips import Clip
from edge.explain.explainer import Explainer, log_odds, membership
from edge.model.classifier import Classifier, Verdict, softmax


@dataclass(frozen=True)
class Subject:
    """A clip's frames and its predicted class; maps masks to the log-odds and probabilities of that class."""

    explainer: Explainer
    frames: np.ndarray
    inputs: np.ndarray
    verdict: Verdict
    target: int
    groups: np.ndarray
    """Which family each feature belongs to: 0 and 1 [families, features]."""

    @classmethod
    def of(cls, classifier: Classifier, clip: Clip) -> "Subject":
        frames = clip.frames
        verdict = classifier.classify(frames)
        target = classifier.bundle.labels.index(verdict.label)
        groups = membership("frames", classifier.bundle.features)
        return cls(Explainer(classifier), frames, classifier.inputs(frames), verdict, target, groups)

    @property
    def features(self) -> int:
        return self.inputs.shape[-1]

    def logits(self, masks: np.ndarray) -> np.ndarray:
        """Logits [rows, classes] with features masked [rows, features], any weights in 0..1; 128 rows at a time."""
        masks = np.asarray(masks, np.float32)
        parts = [masks[at : at + 128] for at in range(0, len(masks), 128)]
        return np.concatenate([self.explainer.logits_of_features(self.inputs, part) for part in parts])

    def worth(self, masks: np.ndarray) -> np.ndarray:
        """Log-odds [rows] of the predicted class with features masked [rows, features]."""
        return log_odds(self.logits(masks))[:, self.target]

    def worth_of_families(self, masks: np.ndarray) -> np.ndarray:
        """The same with families masked [rows, families], by the plain network."""
        return self.worth(np.asarray(masks, np.float32) @ self.groups)

    def probabilities(self, masks: np.ndarray) -> np.ndarray:
        """Probabilities [rows] of the predicted class: one softmax, no temperature."""
        return softmax(self.logits(masks))[:, self.target]
