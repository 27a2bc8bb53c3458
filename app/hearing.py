"""Recordings through the daemon's pipeline: which utterances, and what each sounds like."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from app.recording import Recording
from edge.audio import SAMPLE_RATE
from edge.cli.analyse import analyse_chunks
from edge.config import GateSettings
from edge.daemon.pipeline import Analysis, AnalysisSettings, analyse
from edge.errors import AudioError
from edge.explain.explainer import PARTS
from edge.model.classifier import Classifier
from edge.vad.gate import Utterance

LONGEST_S = 60  # that may be taken as one utterance: as long as the gate may be told to make one


def utterances(
    recording: Recording, classifier: Classifier, *, whole: bool, on_progress: Callable[[float], None] | None = None
) -> Iterator[Analysis]:
    """Every utterance, explained by family, as ``affectd analyse`` finds them; ``whole``: all as one.

    Raises AudioError, perhaps after some utterances.
    """
    chunks = recording.chunks(on_progress)
    if whole:
        chunks = _short(chunks, recording.name)
    return analyse_chunks(chunks, GateSettings(), classifier, AnalysisSettings(), whole=whole)


def explained(samples: NDArray[np.int16], found: Analysis, classifier: Classifier, against: str | None) -> Analysis:
    """The utterance ``found``, of these samples, with all of its explanation, ``against`` a label if not None."""
    return analyse(Utterance(found.start, samples, found.snr_db), classifier, AnalysisSettings(PARTS, against))


def _short(chunks: Iterator[NDArray[np.int16]], name: str) -> Iterator[NDArray[np.int16]]:
    """The same sound; AudioError once it is too long for one utterance, since all of it is understood at once."""
    count = 0
    for chunk in chunks:
        count += len(chunk)
        if count > LONGEST_S * SAMPLE_RATE:
            raise AudioError(
                f"{name} is longer than {LONGEST_S} s, too long for one utterance: let utterances be cut out of it"
            )
        yield chunk
