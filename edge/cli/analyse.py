"""The daemon's pipeline over files: one JSON object a line."""

import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.config import GateSettings
from edge.daemon.pipeline import Analysis, AnalysisSettings, Pipeline, analyse
from edge.errors import AudioError
from edge.explain.explainer import Explainer, Explanation, Part
from edge.model.adapter import Adapter
from edge.model.bundle import Bundle
from edge.model.classifier import Classifier
from edge.sources.conversion import decode, into_blocks
from edge.vad.gate import Utterance

_STRETCH = 64  # blocks that the gate may look ahead in a file: two seconds


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One utterance of a file; times in seconds from its beginning."""

    file: str
    start_s: float
    end_s: float
    emotion: str
    confidence: float
    probabilities: dict[str, float]
    explanation: Explanation | None
    unexplained: str = ""


def analyse_chunks(
    chunks: Iterable[NDArray[np.int16]],
    gate: GateSettings,
    classifier: Classifier,
    settings: AnalysisSettings,
    adapter: Adapter | None = None,
    *,
    whole: bool,
) -> Iterator[Analysis]:
    """The analyses of one recording, of which ``chunks`` are int16 [n] each, mono 16 kHz.

    ``whole`` takes it as a single utterance, without the gate.
    """
    if whole:
        utterance = Utterance(0, np.concatenate(list(chunks)), float(np.nan))
        yield analyse(utterance, classifier, settings, adapter)
        return
    pipeline = Pipeline(gate, classifier, settings, adapter)
    blocks = into_blocks(chunks)
    while stretch := list(islice(blocks, _STRETCH)):
        pipeline.gate.foresee(np.stack(stretch))
        for block in stretch:
            yield from (item for item in pipeline.push(block) if isinstance(item, Analysis))
    yield from (item for item in pipeline.finish() if isinstance(item, Analysis))


def analyse_files(
    paths: Sequence[Path],
    *,
    bundle: Path,
    gate: GateSettings,
    threshold: float | None,
    whole: bool,
    parts: Collection[Part],
    against: str | None,
    adapt: bool = False,
) -> int:
    """Print a finding a line on stdout; a file that cannot be read is named on stderr and does not stop the others.

    ``parts`` are those of the explanations, none for no explanation; ``against`` is the label they compare with;
    ``adapt`` takes the files as what one microphone has heard, in order.
    Returns the exit code: 0, or 1 if any file failed.
    """
    classifier = Classifier(Bundle.load(bundle))
    Explainer(classifier).require_label(against)
    adapter = Adapter(len(classifier.bundle.scaler.mean), classifier.bundle.embedding) if adapt else None
    settings = AnalysisSettings(parts, against, threshold)
    failed = 0
    for path in paths:
        try:
            for analysis in analyse_chunks(decode(path), gate, classifier, settings, adapter, whole=whole):
                print(msgspec.json.encode(finding(str(path), analysis)).decode(), flush=True)
        except AudioError as error:
            print(f"affectd: {error}", file=sys.stderr)
            failed += 1
    return 1 if failed else 0


def finding(file: str, analysis: Analysis) -> Finding:
    """What is said about one utterance of ``file``."""
    prediction = analysis.prediction
    return Finding(
        file=file,
        start_s=round(analysis.start_s, 3),
        end_s=round(analysis.end_s, 3),
        emotion=prediction.emotion,
        confidence=prediction.confidence,
        probabilities=prediction.probabilities,
        explanation=analysis.explanation,
        unexplained=analysis.unexplained,
    )
