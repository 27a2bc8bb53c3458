"""The latest predictions, in memory alone, for whoever asks why after the event. Features, never audio."""

import collections

from edge.errors import ExplanationError
from edge.model.classifier import Prediction

KEPT = 32  # utterances; 12 s of frames are 0.3 MB
KEPT_S = 60.0


class RecentUtterances:
    """The predictions of the last ``KEPT_S`` seconds, at most ``KEPT``, by event id. Belongs to one thread.

    ``now`` is monotonic seconds. What is dropped is overwritten first.
    """

    def __init__(self) -> None:
        self._kept: collections.OrderedDict[str, tuple[float, Prediction]] = collections.OrderedDict()

    @property
    def empty(self) -> bool:
        """Whether none is remembered."""
        return not self._kept

    def keep(self, event_id: str, prediction: Prediction, now: float) -> None:
        """Remember the prediction of an event."""
        self._kept[event_id] = now, prediction
        self._drop(max(0, len(self._kept) - KEPT))

    def find(self, event_id: str) -> Prediction:
        """The prediction of an event; ExplanationError for one that is not, or no longer, remembered."""
        if event_id not in self._kept:
            raise ExplanationError(
                f"{event_id} is not among the events of the last {KEPT_S:.0f} s: "
                "features are kept no longer, so ask sooner"
            )
        return self._kept[event_id][1]

    def expire(self, now: float) -> bool:
        """Drop what is older than ``KEPT_S``; returns whether there was any."""
        old = 0
        for since, _ in self._kept.values():
            if now - since < KEPT_S:
                break
            old += 1
        return self._drop(old)

    def clear(self) -> bool:
        """Drop all; returns whether there was any."""
        return self._drop(len(self._kept))

    def _drop(self, count: int) -> bool:
        """Overwrite and drop the oldest."""
        for _ in range(count):
            _, (_, prediction) = self._kept.popitem(last=False)
            prediction.frames.fill(0)
        return count > 0
