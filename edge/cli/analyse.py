"""``affectd analyse``: the daemon's pipeline over files, one JSON object a line."""

import argparse
import math
import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.audio import BLOCK_SAMPLES, FULL_SCALE, SAMPLE_RATE
from edge.cli import output
from edge.config import Config, GateSettings, load
from edge.daemon.pipeline import Analysis, AnalysisSettings, Pipeline, analyse
from edge.errors import AudioError
from edge.explain.explainer import PARTS, Explainer, Explanation, Part
from edge.model.adapter import Adapter
from edge.model.bundle import DEFAULT, Bundle
from edge.model.classifier import Classifier
from edge.sources.conversion import decode, into_blocks
from edge.sources.highpass import HighPass, high_passed
from edge.vad.gate import Utterance

_QUIET_DB = -50.0  # dBFS: peaks below which the voice detectors find little
_STRETCH = 64  # blocks that the gate may look ahead in a file: two seconds


class Level:
    """How loud and how long the sound is that passes through."""

    def __init__(self) -> None:
        self._peak = 0
        self._samples = 0

    def through(self, chunks: Iterable[NDArray[np.int16]]) -> Iterator[NDArray[np.int16]]:
        """The same chunks, int16 [n] each."""
        for chunk in chunks:
            if len(chunk):
                self._peak = max(self._peak, int(chunk.max()), -int(chunk.min()))
            self._samples += len(chunk)
            yield chunk

    def why_nothing(self) -> str:
        """Why no utterance was found in it, in words."""
        seconds = f"{self._samples / SAMPLE_RATE:.1f} s"
        if not self._peak:
            return f"every sample of {seconds} is zero"
        peak_db = 20 * math.log10(self._peak / FULL_SCALE)
        if peak_db < _QUIET_DB:
            return f"it is too quiet (its peak is {peak_db:.0f} dBFS over {seconds}): make it louder"
        return f"no speech in {seconds} (peak {peak_db:.0f} dBFS): --whole takes the file as one utterance all the same"


class UtteranceResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One utterance of a file; times in seconds from its beginning."""

    file: str
    start_s: float
    end_s: float
    emotion: str
    confidence: float
    probabilities: dict[str, float]
    explanation: Explanation | None
    unexplained: str = ""


def run(options: argparse.Namespace) -> int:
    """Analyse the files in order; returns the exit code of ``analyse_files``."""
    config = load(options.config) if options.config else Config()
    return analyse_files(
        options.files,
        bundle=Path(options.bundle or config.model.bundle or DEFAULT),
        gate=config.gate,
        threshold=config.model.threshold,
        whole=options.whole,
        parts=PARTS if options.explain == "all" else tuple(part for part in PARTS if part == options.explain),
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
    pipeline, high_pass = Pipeline(gate, classifier, settings, adapter), HighPass()
    blocks = into_blocks(chunks)
    while stretch := list(islice(blocks, _STRETCH)):
        filtered = high_pass.push(np.concatenate(stretch)).reshape(-1, BLOCK_SAMPLES)
        pipeline.gate.prefetch(filtered)
        for block in filtered:
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
    """Print a result a line on stdout; a file that cannot be read, or in which nothing is found, is named on
    stderr with the reason, and does not stop the others.

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
        probabilities=prediction.probabilities,
        explanation=analysis.explanation,
        unexplained=analysis.unexplained,
    )
