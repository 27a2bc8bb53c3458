"""``affectd analyse --track``: emotion, confidence and intensity along recordings."""

import argparse
import io
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.audio import SAMPLE_RATE
from edge.cli import output, tracks
from edge.cli.blocks import foreseen
from edge.cli.level import Level
from edge.config import Config, GateSettings, load
from edge.daemon.track import Point, Tracker
from edge.errors import AudioError, UsageError
from edge.events.event import UNCERTAIN
from edge.explain import lane_chart
from edge.model.bundle import Bundle
from edge.model.choice import bundle_folder
from edge.model.classifier import Classifier
from edge.sources.conversion import decode
from edge.vad.gate import Gate, GateItem, Utterance


def run(options: argparse.Namespace) -> int:
    """Track the files in order; the exit code is 0, or 1 where a file cannot be read."""
    kind = format_of(options)
    config = load(options.config) if options.config else Config()
    classifier = Classifier(Bundle.load(bundle_folder(options.bundle or config.model.bundle)[0]))
    adapter = classifier.bundle.adapter() if options.adapt else None
    tracker = Tracker(classifier, config.model.threshold, adapter)
    failed = 0
    for path in options.files:
        name, level = output.file_name(path), Level()
        try:
            points = list(along(level.through(decode(path)), config.gate, tracker))
        except AudioError as error:
            print(f"affectd: {error}", file=sys.stderr)
            failed += 1
            continue
        if not points:
            print(f"affectd: {name}: nothing was found: {level.why_nothing()}", file=sys.stderr)
        if kind in tracks.WRITERS:
            _deliver(tracks.WRITERS[kind](name, points), options.output)
        else:
            output.save(options.output, kind, picture_of(name, points, classifier.bundle, level.seconds, kind))
    return 1 if failed else 0


def format_of(options: argparse.Namespace) -> str:
    """What to write: as asked, or as the output's name ends. Raises UsageError where that does not fit together."""
    if options.whole or options.against or options.explain is not None:
        raise UsageError("--track goes with no --whole, --explain or --against: leave them out")
    ending = options.output.suffix.removeprefix(".").lower() if options.output else ""
    if options.output and options.format is None and ending not in tracks.SUFFIXES:
        raise UsageError(
            f"{options.output} has no ending that says what to write: end it with one of "
            f"{', '.join(f'.{name}' for name in tracks.SUFFIXES)}, or give --format"
        )
    kind: str = options.format or tracks.SUFFIXES.get(ending, "json")
    if kind in tracks.PICTURES and options.output is None:
        raise UsageError(f"--format {kind} is a picture: say with --output where to write it")
    if len(options.files) > 1 and (options.output or kind in ("vtt", "csv")):
        raise UsageError("one --output or one table holds one recording: name one FILE at a time")
    return kind


def along(chunks: Iterable[NDArray[np.int16]], gate: GateSettings, tracker: Tracker) -> Iterator[Point]:
    """The points of one recording, of which ``chunks`` are int16 [n] each, mono 16 kHz.

    Where the bundle tells voices apart, they say who speaks: once all was heard, so that the first words have a voice.
    """
    people = tracker.classifier.bundle.voices(adapt=False)
    if people is None:
        for utterance in utterances(chunks, gate):
            yield from tracker.points(utterance)
        return
    heard = []
    for utterance in utterances(chunks, gate):
        said = (tracker.voice(utterance), len(utterance.samples) / SAMPLE_RATE, utterance.snr_db)
        people.hear(*said)
        heard.append((list(tracker.points(utterance)), said))
    for points, said in heard:
        who = people.nearest(*said).id or ""
        yield from (msgspec.structs.replace(point, voice=who) for point in points)


def utterances(chunks: Iterable[NDArray[np.int16]], settings: GateSettings) -> Iterator[Utterance]:
    """What the gate finds in a recording, behind the high-pass."""
    gate = Gate(settings)
    for block in foreseen(chunks, gate):
        yield from _spoken(gate.push(block))
    yield from _spoken(gate.finish())


def picture_of(name: str, points: list[Point], bundle: Bundle, seconds: float, kind: str = "png") -> bytes:
    """The lane chart of a recording as a file's content."""
    moments = [
        lane_chart.Moment(point.start_s, point.end_s, point.emotion, point.confidence, point.intensity)
        for point in points
    ]
    figure = lane_chart.draw(moments, [*bundle.labels, UNCERTAIN], seconds, Path(name).name)
    content = io.BytesIO()
    figure.savefig(content, format=kind)
    return content.getvalue()


def _spoken(items: Iterable[GateItem]) -> Iterator[Utterance]:
    return (item for item in items if isinstance(item, Utterance))


def _deliver(text: str, target: Path | None) -> None:
    if target:
        output.save(target, "text", text.encode())
        return
    for line in text.splitlines():
        output.line(line)
