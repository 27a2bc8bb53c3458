"""From blocks of audio to explained utterances: gate, voices, features, classifier, explainer: the one pipeline."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.audio import SAMPLE_RATE
from edge.config import GateSettings, ModelSettings
from edge.errors import ExplanationError
from edge.explain import by_aspects
from edge.explain.explainer import FAMILIES_ALONE, Explainer, Explanation, Part
from edge.features import log_mel
from edge.features.spectrum import Samples
from edge.model import encoder, voices
from edge.model.adapter import Adapter
from edge.model.classifier import Classifier, Prediction
from edge.model.voices import NOBODYS, Turn, Voices
from edge.sources.bandwidth import bandwidth_hz
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
    bandwidth_hz: float = 0.0
    """The highest frequency at which the utterance holds speech."""
    adapted_on: int = 0
    """Utterances that the history it was judged by had heard before."""
    turn: Turn = NOBODYS
    """Whose it is."""

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
    aspects: Literal["certain", "all"] | None = None
    """Whether an explanation has the aspects of the voice, too: of predictions that are certain, or of all."""
    threshold: float | None = None
    """Confidence below which the emotion is uncertain; None for the bundle's."""

    @classmethod
    def of(cls, model: ModelSettings) -> Self:
        """What a configuration asks for; its threshold may change while the daemon runs."""
        parts = () if model.explain == "none" else FAMILIES_ALONE
        return cls(parts, aspects="certain" if model.explain == "aspects" else None)


def analyse(
    utterance: Utterance, classifier: Classifier, settings: AnalysisSettings, adapter: Adapter | None = None
) -> Analysis:
    """Predict and explain one utterance. The ``adapter`` learns from it, after the prediction."""
    with encoder.cleaned(utterance.samples) as samples:
        spectrum = log_mel.log_mel(samples) if classifier.bundle.encoder else None
        return _judged(utterance, samples, spectrum, classifier, settings, adapter)


def _analyse_among(
    people: Voices,
    utterance: Utterance,
    classifier: Classifier,
    settings: AnalysisSettings,
    adapter: Adapter | None,
) -> Analysis | None:
    """Predict and explain one utterance of somebody among the ``people``, who learn whose it is.

    None where that voice is ignored: then nothing is judged, and no history learns.
    """
    with encoder.cleaned(utterance.samples) as samples:
        spectrum = log_mel.log_mel(samples)
        turn = _whose(utterance, spectrum, classifier, people)
        if turn.voice and turn.voice.ignored:
            return None
        return _judged(utterance, samples, spectrum, classifier, settings, adapter, turn)


def _judged(
    utterance: Utterance,
    samples: Samples,
    spectrum: NDArray[np.float32] | None,
    classifier: Classifier,
    settings: AnalysisSettings,
    adapter: Adapter | None,
    turn: Turn = NOBODYS,
) -> Analysis:
    """Judged by the history of its voice, where that has one, else by the source's; then they learn from it.

    ``samples`` are its own without hum, of which ``spectrum`` is the log-mel.
    """
    frames = encoder.columns(samples, classifier.bundle, spectrum)
    own = turn.voice.history if turn.voice else None
    history = own if own and own.utterances else adapter
    adaptation, adapted_on = (history.snapshot(), history.utterances) if history else (None, 0)
    prediction, explanation, unexplained = None, None, ""
    if settings.parts:
        try:
            prediction, explanation = Explainer(classifier).predict_and_explain(
                frames, adaptation, settings.threshold, settings.parts, settings.against
            )
        except ExplanationError as error:
            unexplained = str(error)
    if explanation and prediction and (settings.aspects == "all" or (settings.aspects and not prediction.uncertain)):
        explanation = with_aspects(explanation, samples, prediction, classifier, settings.against)
    prediction = prediction or classifier.predict(frames, adaptation, settings.threshold)
    for learner in (adapter, own):
        if learner is not None:
            learner.observe(classifier.scaled(frames), prediction.embedding)
    return Analysis(
        utterance.start,
        utterance.end,
        utterance.snr_db,
        prediction,
        explanation,
        unexplained,
        bandwidth_hz(utterance.samples),
        adapted_on,
        turn,
    )


def with_aspects(
    explanation: Explanation, samples: Samples, prediction: Prediction, classifier: Classifier, against: str | None
) -> Explanation:
    """The explanation of a prediction with its aspects, too, or why it has none; ``samples`` are without hum."""
    try:
        found = by_aspects.explain(samples, prediction, classifier, against)
    except ExplanationError as error:
        return msgspec.structs.replace(explanation, unheard=str(error))
    return msgspec.structs.replace(explanation, aspects=found)


def _whose(utterance: Utterance, spectrum: NDArray[np.float32], classifier: Classifier, people: Voices) -> Turn:
    """Whose voice an utterance with the log-mel ``spectrum`` is. The people learn from it."""
    session = classifier.bundle.voice
    if session is None:
        return NOBODYS
    said = voices.heard(session, spectrum)
    turn = people.hear(said, len(utterance.samples) / SAMPLE_RATE, utterance.snr_db)
    said.fill(0)  # freed memory is not cleared
    return turn


PipelineItem = SpeechStarted | SpeechEnded | Analysis


class Pipeline:
    """Blocks in; the start and end of speech, and the analysis of each utterance, out. Belongs to one thread.

    ``settings`` may be replaced between two blocks.
    """

    def __init__(
        self,
        gate: GateSettings,
        classifier: Classifier,
        settings: AnalysisSettings,
        adapter: Adapter | None = None,
        people: Voices | None = None,
    ) -> None:
        self.gate = Gate(gate)
        self.settings = settings
        self._classifier = classifier
        self._adapter = adapter
        self._people = people

    def push(self, block: NDArray[np.int16]) -> Iterator[PipelineItem]:
        """Process one block int16 [512] at 16 kHz."""
        return self._analysed(self.gate.push(block))

    def finish(self) -> Iterator[PipelineItem]:
        """End the stream: what is still in hand. What is pushed next begins another one."""
        return self._analysed(self.gate.finish())

    def _analysed(self, items: Iterable[GateItem]) -> Iterator[PipelineItem]:
        for item in items:
            if isinstance(item, Utterance):
                found = self._analyse(item)
                item.samples.fill(0)  # freed memory is not cleared
                if found is not None:
                    yield found
            else:
                yield item

    def _analyse(self, utterance: Utterance) -> Analysis | None:
        if self._people is None:
            return analyse(utterance, self._classifier, self.settings, self._adapter)
        return _analyse_among(self._people, utterance, self._classifier, self.settings, self._adapter)
