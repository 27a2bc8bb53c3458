"""The features of the latest utterances, in memory alone, for whoever asks why after the event. Never audio."""

import collections

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.errors import ExplanationError
from edge.explain.explainer import Explainer, Part
from edge.model.adapter import Adaptation
from edge.model.classifier import Classifier, Verdict

Floats = NDArray[np.float32]

KEPT = 32  # utterances; 12 s of frames are 0.3 MB


class Recall:
    """Answers questions about past events, by their id; on the thread that classifies."""

    def __init__(self, classifier: Classifier, explainer: Explainer) -> None:
        self._classifier = classifier
        self._explainer = explainer
        self._kept: collections.OrderedDict[str, tuple[Floats, Verdict, Adaptation | None]] = collections.OrderedDict()

    def keep(self, event_id: str, frames: Floats, verdict: Verdict) -> None:
        """Remember raw frames [time, features], the verdict just given on them, and the adapter's part in it."""
        self._kept[event_id] = frames, verdict, self._classifier.adapter
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)

    def explain(self, event_id: str, parts: tuple[Part, ...]) -> bytes:
        """The explanation as JSON; raises ExplanationError for an event that is not, or no longer, remembered."""
        if event_id not in self._kept:
            raise ExplanationError(f"{event_id} is not among the last {KEPT} events since the start")
        frames, verdict, adapter = self._kept[event_id]
        now, self._classifier.adapter = self._classifier.adapter, adapter
        try:
            return msgspec.json.encode(self._explainer.explain(frames, verdict, parts))
        finally:
            self._classifier.adapter = now
