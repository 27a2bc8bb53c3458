"""From an analysis to the event that tells subscribers about it."""

from edge.daemon.clock import clock_state
from edge.daemon.pipeline import Analysis
from edge.events.event import Event, EventExplanation, stamp
from edge.explain.explainer import Explanation


def event_of(analysis: Analysis, *, node: str, boot: str, stream_began: float, model: str) -> Event:
    """The event, not yet numbered, that tells subscribers about one utterance.

    ``stream_began``: seconds since the epoch.
    """
    verdict = analysis.verdict
    return Event(
        node=node,
        boot=boot,
        event_type=verdict.emotion,
        emotion=verdict.emotion,
        confidence=round(verdict.confidence, 4),
        probabilities={label: round(value, 4) for label, value in verdict.probabilities.items()},
        start=stamp(stream_began + analysis.start_s),
        end=stamp(stream_began + analysis.end_s),
        duration_s=round(analysis.end_s - analysis.start_s, 3),
        snr_db=round(analysis.snr_db, 1),
        explanation=None if analysis.explanation is None else _shortened(analysis.explanation),
        adapted_on=analysis.adapted_on,
        model=model,
        clock=clock_state(),
    )


def _shortened(explanation: Explanation) -> EventExplanation:
    return EventExplanation(
        method=explanation.method,
        target=explanation.target,
        families={family: round(value, 4) for family, value in explanation.families.items()},
        base_value=round(explanation.base_value, 4),
        value=round(explanation.value, 4),
        residual=round(explanation.residual, 6) + 0.0,  # never -0.0
    )
