"""Recordings through the daemon's pipeline: their utterances, with emotion and explanation."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from app.recording import Recording
from edge.audio import SAMPLE_RATE
from edge.cli.analyse import analyse_chunks
from edge.config import GateSettings
from edge.daemon.pipeline import Analysis, AnalysisSettings, analyse
from edge.errors import AudioError, ExplanationError
from edge.explain import listening
from edge.explain.explainer import PARTS
from edge.explain.listening import Listening
from edge.model.classifier import Classifier, Prediction
from edge.vad.gate import Utterance

LONGEST_S = 60  # of a recording taken as one utterance: the gate's largest max_utterance_s


def utterances(
    recording: Recording, classifier: Classifier, *, whole: bool, on_progress: Callable[[float], None] | None = None
) -> Iterator[Analysis]:
    """Every utterance, explained by family, as in ``affectd analyse``; ``whole``: the recording as one utterance.

    Raises AudioError, possibly after some utterances.
    """
    chunks = recording.chunks(on_progress)
    if whole:
        chunks = _short(chunks, recording.name)
    return analyse_chunks(chunks, GateSettings(), classifier, AnalysisSettings(), whole=whole)


def explained(samples: NDArray[np.int16], found: Analysis, classifier: Classifier, against: str | None) -> Analysis:
    """The utterance ``found``, of these samples, with all of its explanation, ``against`` a label if not None."""
    return analyse(Utterance(found.start, samples, found.snr_db), classifier, AnalysisSettings(PARTS, against, "all"))


def parted(samples: NDArray[np.int16], prediction: Prediction, classifier: Classifier) -> Listening | str:
    """What of an utterance its verdict rests on, and the rest; one sentence where that cannot be said."""
    try:
        return listening.listen(classifier, samples, prediction)
    except ExplanationError as error:
        return str(error)


def _short(chunks: Iterator[NDArray[np.int16]], name: str) -> Iterator[NDArray[np.int16]]:
    """The same blocks; AudioError if they are too long for one utterance, which is analysed in one piece."""
    count = 0
    for chunk in chunks:
        count += len(chunk)
        if count > LONGEST_S * SAMPLE_RATE:
            raise AudioError(
                f"{name} is longer than {LONGEST_S} s, too long for one utterance: let utterances be cut out of it"
            )
        yield chunk
