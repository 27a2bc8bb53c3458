"""The features of the latest utterances, in memory alone, for whoever asks why after the event. Never audio."""

import collections

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.classifier import Verdict
from edge.errors import ExplanationError
from edge.explain import Explainer, Part

KEPT = 32  # utterances; 12 s of frames are 0.3 MB


class Recall:
    """Answers questions about past events, by their id."""

    def __init__(self, explainer: Explainer) -> None:
        self._explainer = explainer
        self._kept: collections.OrderedDict[str, tuple[NDArray[np.float32], Verdict]] = collections.OrderedDict()

    def keep(self, event_id: str, frames: NDArray[np.float32], verdict: Verdict) -> None:
        """Remember raw frames [time, 105] and the verdict on them; the oldest are forgotten."""
        self._kept[event_id] = frames, verdict
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)

    def explain(self, event_id: str, parts: tuple[Part, ...]) -> bytes:
        """The explanation as JSON; raises ExplanationError for an event that is not, or no longer, remembered."""
        if event_id not in self._kept:
            raise ExplanationError(f"{event_id} is not among the last {KEPT} events since the start")
        frames, verdict = self._kept[event_id]
        return msgspec.json.encode(self._explainer.explain(frames, verdict, parts))
