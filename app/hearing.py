"""Recordings through the daemon's pipeline: which utterances, and what each sounds like."""

from collections.abc import Callable, Iterator

from app.recording import Recording
from edge.analyse import analyse_chunks
from edge.classifier import Classifier
from edge.explain import PARTS, Explainer
from edge.gate import GateSettings, Utterance
from edge.listener import Analysis, Analyst


def utterances(
    recording: Recording, classifier: Classifier, *, whole: bool, on_progress: Callable[[float], None] | None = None
) -> Iterator[Analysis]:
    """Every utterance, explained by family, as ``affectd analyse`` finds them; ``whole``: all as one.

    Raises AudioError, perhaps after some utterances.
    """
    analyst = Analyst(classifier, Explainer(classifier))
    return analyse_chunks(recording.chunks(on_progress), analyst, GateSettings(), whole=whole)


def explained(recording: Recording, found: Analysis, classifier: Classifier, against: str | None) -> Analysis:
    """The same utterance with every part of its explanation, ``against`` one label if not None."""
    analyst = Analyst(classifier, Explainer(classifier), PARTS, against)
    return analyst.analyse(Utterance(found.start, recording.samples(found.start, found.end), found.snr_db))
