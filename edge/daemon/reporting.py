"""From an analysis to the event that tells subscribers about it, kept in the journal and published."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from msgspec import UNSET, UnsetType

from edge import log
from edge.daemon.clock import clock_state
from edge.daemon.pipeline import Analysis, PipelineItem
from edge.events.event import Event, EventExplanation, EventVoice, stamp
from edge.explain.explainer import Explanation
from edge.explain.sentence import sentence
from edge.journal.journal import Journal
from edge.model.voices import Turn
from edge.mqtt.retained import RetainedState
from edge.vad.gate import SpeechEnded, SpeechStarted

_logger = logging.getLogger("affectd")


@dataclass(frozen=True)
class Origin:
    """Who makes the events: the node, its start and its model."""

    node: str
    boot: str
    model: str
    """The bundle's digest."""
    voices: bool = False
    """Whether events say whose voice it is."""


def event_of(analysis: Analysis, origin: Origin, stream_began: float) -> Event:
    """The event, not yet numbered, that tells subscribers about one utterance.

    ``stream_began``: seconds since the epoch.
    """
    prediction = analysis.prediction
    return Event(
        node=origin.node,
        boot=origin.boot,
        event_type=prediction.emotion,
        emotion=prediction.emotion,
        confidence=round(prediction.confidence, 4),
        intensity=UNSET if prediction.intensity is None else round(prediction.intensity, 4),
        probabilities={label: round(value, 4) for label, value in prediction.probabilities.items()},
        start=stamp(stream_began + analysis.start_s),
        end=stamp(stream_began + analysis.end_s),
        duration_s=round(analysis.end_s - analysis.start_s, 3),
        snr_db=round(analysis.snr_db, 1),
        bandwidth_hz=round(analysis.bandwidth_hz),
        explanation=None if analysis.explanation is None else _shortened(analysis.explanation),
        adapted_on=analysis.adapted_on,
        voice=_voice_of(analysis.turn) if origin.voices else UNSET,
        model=origin.model,
        clock=clock_state(),
    )


def _voice_of(turn: Turn) -> EventVoice | UnsetType:
    if turn.voice is None:
        return UNSET
    return EventVoice(id=turn.voice.id, score=round(turn.score, 4), name=turn.voice.name or UNSET)


def _shortened(explanation: Explanation) -> EventExplanation:
    return EventExplanation(
        method=explanation.method,
        target=explanation.target,
        families={family: round(value, 4) for family, value in explanation.families.items()},
        base_value=round(explanation.base_value, 4),
        value=round(explanation.value, 4),
        residual=round(explanation.residual, 6) + 0.0,  # never -0.0
        aspects={name: round(found.effect, 4) for name, found in explanation.aspects.effects.items()}
        if explanation.aspects
        else UNSET,
        sentence=sentence(explanation),
    )


class Reporter:
    """Tells subscribers what the pipeline has found, on the listener's thread.

    ``published`` is called when the journal holds something new for the broker. ``events`` counts the utterances
    reported; any thread may read it.
    """

    def __init__(
        self, origin: Origin, journal: Journal, retained: RetainedState, published: Callable[[], None]
    ) -> None:
        self._origin = origin
        self._journal = journal
        self._retained = retained
        self._published = published
        self.events = 0

    def report(self, item: PipelineItem, stream_began: float) -> Event | None:
        """Report one finding; returns the event of an utterance. ``stream_began`` in seconds since the epoch."""
        match item:
            case SpeechStarted():
                self._retained.speech(True)
            case SpeechEnded():
                self._retained.speech(False)
            case Analysis():
                return self._event(item, stream_began)
        return None

    def _event(self, analysis: Analysis, stream_began: float) -> Event:
        event, durable = self._journal.accept(event_of(analysis, self._origin, stream_began))
        fields = {"seq": event.seq, "id": event.id, "emotion": event.emotion, "confidence": event.confidence}
        _logger.info(log.line("accepted" if durable else "kept in memory", **fields))
        self.events += 1
        self._retained.event(event)
        self._published()
        return event
