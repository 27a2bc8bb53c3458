"""From blocks of audio to explained utterances: gate, features, classifier, explainer. The one pipeline of affectd."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.audio import SAMPLE_RATE
from edge.config import GateSettings
from edge.errors import ExplanationError
from edge.explain.explainer import FAMILIES_ALONE, Explainer, Explanation, Part
from edge.model import encoder
from edge.model.adapter import Adapter
from edge.model.classifier import Classifier, Prediction
from edge.vad.gate import Gate, GateItem, SpeechEnded, SpeechStarted, Utterance


@dataclass(frozen=True, eq=False)
class Analysis:
    """One utterance, its prediction and the explanation. ``start`` and ``end`` are samples of the stream.

    Without an explanation, ``unexplained`` says why there is none, or is empty where none was asked for.
    """

    start: int
    end: int
    snr_db: float
    prediction: Prediction
    explanation: Explanation | None
    unexplained: str
    adapted_on: int = 0
    """Utterances that the adapter had heard before."""

    @property
    def start_s(self) -> float:
        """Seconds from the beginning of the stream."""
        return self.start / SAMPLE_RATE

    @property
    def end_s(self) -> float:
        """Seconds from the beginning of the stream."""
        return self.end / SAMPLE_RATE


@dataclass(frozen=True)
class AnalysisSettings:
    """What is asked of every utterance."""

    parts: Collection[Part] = FAMILIES_ALONE
    """The parts of the explanation; empty for no explanation."""
    against: str | None = None
    """A label that the prediction is compared with, in place of all others."""
    threshold: float | None = None
    """Confidence below which the emotion is uncertain; None for the bundle's."""


def analyse(
    utterance: Utterance, classifier: Classifier, settings: AnalysisSettings, adapter: Adapter | None = None
) -> Analysis:
    """Predict and explain one utterance.

    The ``adapter`` is the one thing that changes: it learns from the utterance, after the prediction.
    """
    frames = encoder.frames(utterance.samples, classifier.bundle)
    adaptation, adapted_on = (adapter.snapshot(), adapter.utterances) if adapter else (None, 0)
    prediction, explanation, unexplained = None, None, ""
    if settings.parts:
        try:
            prediction, explanation = Explainer(classifier).predict_and_explain(
                frames, adaptation, settings.threshold, settings.parts, settings.against
            )
        except ExplanationError as error:
            unexplained = str(error)
    prediction = prediction or classifier.predict(frames, adaptation, settings.threshold)
    if adapter is not None:
        adapter.observe(classifier.scaled(frames), prediction.embedding)
    return Analysis(utterance.start, utterance.end, utterance.snr_db, prediction, explanation, unexplained, adapted_on)


PipelineItem = SpeechStarted | SpeechEnded | Analysis


class Pipeline:
    """Blocks in; the start and end of speech, and the analysis of each utterance, out. Belongs to one thread.

    ``settings`` may be replaced between two blocks.
    """

    def __init__(
        self, gate: GateSettings, classifier: Classifier, settings: AnalysisSettings, adapter: Adapter | None = None
    ) -> None:
        self.gate = Gate(gate)
        self.settings = settings
        self._classifier = classifier
        self._adapter = adapter

    def push(self, block: NDArray[np.int16]) -> Iterator[PipelineItem]:
        """Process one block int16 [512] at 16 kHz."""
        return self._analysed(self.gate.push(block))

    def finish(self) -> Iterator[PipelineItem]:
        """End the stream: what is still in hand. What is pushed next begins another one."""
        return self._analysed(self.gate.finish())

    def _analysed(self, items: Iterable[GateItem]) -> Iterator[PipelineItem]:
        for item in items:
            if isinstance(item, Utterance):
                yield analyse(item, self._classifier, self.settings, self._adapter)
                item.samples.fill(0)  # freed memory is not cleared
            else:
                yield item
