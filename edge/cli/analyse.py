"""``affectd analyse``: the daemon's pipeline over files, one JSON object a line."""

import argparse
import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.cli import output, track
from edge.cli.blocks import foreseen
from edge.cli.level import Level
from edge.config import Config, GateSettings, load
from edge.daemon.pipeline import Analysis, AnalysisSettings, Pipeline, analyse
from edge.errors import AudioError, UsageError
from edge.explain.explainer import PARTS, Explainer, Explanation, Part
from edge.explain.sentence import sentence
from edge.model.adapter import Adapter
from edge.model.bundle import Bundle
from edge.model.choice import bundle_folder
from edge.model.classifier import Classifier
from edge.sources.conversion import decode
from edge.sources.highpass import high_passed
from edge.vad.gate import Utterance

_PART_OF = {"aspects": "families"}
"""What aspects come with."""


class UtteranceResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One utterance of a file; times in seconds from its beginning."""

    file: str
    start_s: float
    end_s: float
    emotion: str
    confidence: float
    intensity: float | None = None
    probabilities: dict[str, float]
    explanation: Explanation | None
    sentence: str = ""
    """The explanation for people."""
    unexplained: str = ""


def run(options: argparse.Namespace) -> int:
    """Analyse the files in order; returns the exit code of ``analyse_files``."""
    if options.track:
        return track.run(options)
    if options.output or options.format:
        raise UsageError("--output and --format belong to --track: add it, or leave them out")
    explain = options.explain or "families"
    config = load(options.config) if options.config else Config()
    return analyse_files(
        options.files,
        bundle=bundle_folder(options.bundle or config.model.bundle)[0],
        gate=config.gate,
        threshold=config.model.threshold,
        whole=options.whole,
        parts=PARTS if explain == "all" else tuple(part for part in PARTS if part == _PART_OF.get(explain, explain)),
        aspects="all" if explain in ("aspects", "all") else None,
        against=options.against,
        adapt=options.adapt,
    )


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
        utterance = Utterance(0, high_passed(np.concatenate(list(chunks))), float(np.nan))
        yield analyse(utterance, classifier, settings, adapter)
        return
    pipeline = Pipeline(gate, classifier, settings, adapter)
    for block in foreseen(chunks, pipeline.gate):
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
    aspects: Literal["all"] | None = None,
    adapt: bool = False,
) -> int:
    """Print a result a line on stdout; a file that cannot be read, or in which nothing is found, is named on
    stderr with the reason, and does not stop the others.

    ``parts`` are those of the explanations, none for no explanation; ``against`` is the label they compare with;
    ``aspects`` adds what people hear in a voice; ``adapt`` takes the files as what one microphone has heard, in order.
    Returns the exit code: 0, or 1 if any file failed.
    """
    classifier = Classifier(Bundle.load(bundle))
    Explainer(classifier).require_label(against)
    adapter = classifier.bundle.adapter() if adapt else None
    settings = AnalysisSettings(parts, against, aspects, threshold)
    failed = 0
    for path in paths:
        name, level, found = output.file_name(path), Level(), False
        try:
            sound = level.through(decode(path))
            for analysis in analyse_chunks(sound, gate, classifier, settings, adapter, whole=whole):
                found = True
                output.json(msgspec.json.encode(result_of(name, analysis)))
        except AudioError as error:
            print(f"affectd: {error}", file=sys.stderr)
            failed += 1
        else:
            if not found:
                print(f"affectd: {name}: nothing was found: {level.why_nothing()}", file=sys.stderr)
    return 1 if failed else 0


def result_of(file: str, analysis: Analysis) -> UtteranceResult:
    """What is said about one utterance of ``file``."""
    prediction = analysis.prediction
    return UtteranceResult(
        file=file,
        start_s=round(analysis.start_s, 3),
        end_s=round(analysis.end_s, 3),
        emotion=prediction.emotion,
        confidence=prediction.confidence,
        intensity=None if prediction.intensity is None else round(prediction.intensity, 4),
        probabilities=prediction.probabilities,
        explanation=analysis.explanation,
        sentence=sentence(analysis.explanation) if analysis.explanation else "",
        unexplained=analysis.unexplained,
    )
