"""Emotion along a recording: a window over every utterance, moved on by half a second."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.audio import SAMPLE_RATE
from edge.errors import UsageError
from edge.features import FRAME_RATE, log_mel
from edge.model import encoder, voices
from edge.model.adapter import Adapter
from edge.model.classifier import Classifier
from edge.vad.gate import Utterance

STEP_S = 0.5  # between two windows
WINDOW_S = 2.5  # about what the network was trained on
_SLIVER_S = 0.1  # a shorter rest of a step says nothing of its own


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """What a stretch of half a second of speech sounds like; times in seconds from the recording's beginning."""

    start_s: float
    end_s: float
    emotion: str
    confidence: float
    intensity: float | None
    """0 to 1; None where the bundle does not say."""
    voice: str = ""
    """Who speaks; empty where voices are not told apart, and where it is nobody's."""


@dataclass(frozen=True)
class Tracker:
    """Follows utterances: features once for each, then the network alone for every window."""

    classifier: Classifier
    threshold: float | None = None
    adapter: Adapter | None = None

    def voice(self, utterance: Utterance) -> NDArray[np.float32]:
        """The voice [width] of an utterance, by a bundle that tells voices apart."""
        session = self.classifier.bundle.voice
        if session is None:
            raise UsageError(f"the bundle {self.classifier.bundle.name} tells no voices apart")
        with encoder.cleaned(utterance.samples) as samples:
            return voices.heard(session, log_mel.log_mel(samples))

    def points(self, utterance: Utterance) -> Iterator[Point]:
        """The points of one utterance, in order; the adapter learns from it after the last one."""
        frames = encoder.frames(utterance.samples, self.classifier.bundle)
        adaptation = self.adapter.snapshot() if self.adapter else None
        begin, length = utterance.start / SAMPLE_RATE, len(utterance.samples) / SAMPLE_RATE
        for start, end in steps(begin, begin + length):
            window = frames[window_around((start + end) / 2 - begin, len(frames))]
            found = self.classifier.predict(window, adaptation, self.threshold)
            yield Point(
                start_s=round(start, 3),
                end_s=round(end, 3),
                emotion=found.emotion,
                confidence=round(found.confidence, 4),
                intensity=None if found.intensity is None else round(found.intensity, 4),
            )
        if self.adapter is not None:
            whole = self.classifier.predict(frames, adaptation)
            self.adapter.observe(self.classifier.scaled(frames), whole.embedding)


def steps(start: float, end: float) -> list[tuple[float, float]]:
    """The stretches of half a second, on the recording's own grid, that speech from ``start`` to ``end`` covers.

    Seconds. The first and the last are cut to the speech; what is left of one that is too short joins its neighbour.
    """
    inner = np.arange(np.floor(start / STEP_S) + 1, np.ceil(end / STEP_S)) * STEP_S
    kept = [float(edge) for edge in inner if edge - start >= _SLIVER_S and end - edge >= _SLIVER_S]
    edges = [start, *kept, end]
    return list(pairwise(edges))


def window_around(centre: float, count: int) -> slice:
    """Which of an utterance's ``count`` frames a window centred at ``centre`` seconds takes.

    It is moved, not cut, at the utterance's ends; a shorter utterance is taken whole.
    """
    width = min(count, round(WINDOW_S * FRAME_RATE))
    first = int(np.clip(round((centre - WINDOW_S / 2) * FRAME_RATE), 0, count - width))
    return slice(first, first + width)
