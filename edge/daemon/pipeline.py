"""From blocks of audio to explained utterances: gate, features, classifier, explainer. The one pipeline of affectd."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge import features
from edge.audio import SAMPLE_RATE
from edge.config import GateSettings
from edge.errors import ExplanationError
from edge.explain.explainer import FAMILIES_ALONE, Explainer, Explanation, Part
from edge.model.adapter import Adapter
from edge.model.classifier import Classifier, Verdict
from edge.vad.gate import Gate, GateItem, SpeechEnded, SpeechStarted, Utterance


@dataclass(frozen=True)
class Analysis:
    """One utterance, understood. ``start`` and ``end`` are samples from the beginning of the stream.

    Without an explanation, ``unexplained`` says why there is none, or is empty where none was asked for.
    """

    start: int
    end: int
    snr_db: float
    verdict: Verdict
    explanation: Explanation | None
    unexplained: str
    frames: NDArray[np.float32]
    """The raw features [time, features], for whoever has further questions."""
    adapted_on: int = 0
    """Utterances that the adapter had heard before."""

    @property
    def start_s(self) -> float:
        return self.start / SAMPLE_RATE

    @property
    def end_s(self) -> float:
        return self.end / SAMPLE_RATE


class Analyst:
    """Names the emotion of a piece of audio and says why; with an adapter, as deviation from what it has heard."""

    def __init__(
        self,
        classifier: Classifier,
        explainer: Explainer | None,
        parts: Collection[Part] = FAMILIES_ALONE,
        against: str | None = None,
        adapter: Adapter | None = None,
    ) -> None:
        self._classifier = classifier
        self._adapter = adapter
        self._explainer = explainer
        self._parts = parts
        self._against = against

    def analyse(self, utterance: Utterance) -> Analysis:
        frames = features.frames(utterance.samples, self._classifier.bundle.features)
        adapted_on = 0
        if self._adapter is not None:
            self._classifier.adapter, adapted_on = self._adapter.snapshot(), self._adapter.utterances
        verdict, explanation, unexplained = None, None, ""
        if self._explainer is not None:
            try:
                verdict, explanation = self._explainer.understand(frames, None, self._parts, self._against)
            except ExplanationError as error:
                unexplained = str(error)
        verdict = verdict or self._classifier.classify(frames)
        if self._adapter is not None:  # after the verdict: it is causal
            self._adapter.observe(self._classifier.scaled(frames), verdict.embedding)
        return Analysis(
            utterance.start, utterance.end, utterance.snr_db, verdict, explanation, unexplained, frames, adapted_on
        )


Heard = SpeechStarted | SpeechEnded | Analysis


class Listener:
    """Blocks in; the start and end of speech, and the analysis of each utterance, out."""

    def __init__(self, gate: GateSettings, analyst: Analyst) -> None:
        self.gate = Gate(gate)
        self._analyst = analyst

    def push(self, block: NDArray[np.int16]) -> Iterator[Heard]:
        """Hear one block int16 [512] at 16 kHz."""
        return self._understand(self.gate.push(block))

    def finish(self) -> Iterator[Heard]:
        """The stream has ended or is torn: what is still in hand. What is pushed next begins another one."""
        return self._understand(self.gate.finish())

    def _understand(self, heard: Iterable[GateItem]) -> Iterator[Heard]:
        for item in heard:
            yield self._analyst.analyse(item) if isinstance(item, Utterance) else item
