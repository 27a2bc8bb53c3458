"""What ``affectd analyse --track`` writes: JSON lines, CSV, WebVTT, RTTM or a picture of the points of a recording."""

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from edge.daemon.track import Point

FIELDS = Point.__struct_fields__


def json_lines(file: str, points: Sequence[Point]) -> str:
    """One object a line and point, with the file's name."""
    rows = ({"file": file} | msgspec.structs.asdict(point) for point in points)
    return "".join(f"{msgspec.json.encode(row).decode()}\n" for row in rows)


def comma_separated(file: str, points: Sequence[Point]) -> str:
    """A table with a header (RFC 4180); an intensity that is not known is empty."""
    text = io.StringIO()
    table = csv.DictWriter(text, ("file", *FIELDS))
    table.writeheader()
    table.writerows({"file": file} | msgspec.structs.asdict(point) for point in points)
    return text.getvalue()


def webvtt(file: str, points: Sequence[Point]) -> str:
    """Cues for players: one for as long as emotion and voice stay the same.

    https://www.w3.org/TR/webvtt1/
    """
    del file
    cues = [f"{_clock(run[0].start_s)} --> {_clock(run[-1].end_s)}\n{_caption(run)}\n" for run in runs(points)]
    return "\n".join(["WEBVTT\n", *cues])


def rttm(file: str, points: Sequence[Point]) -> str:
    """Segments for annotation tools, named by voice, where there is one, and emotion; the score is the confidence.

    Rich Transcription Time Marked, NIST RT-09 evaluation plan, appendix A: no blank is allowed in a field.
    """
    name = "_".join(Path(file).stem.split()) or "recording"
    lines = []
    for run in runs(points):
        label = "-".join(part for part in (run[0].voice, run[0].emotion) if part)
        start, end = run[0].start_s, run[-1].end_s
        score = _mean([point.confidence for point in run])
        fields = ("SPEAKER", name, "1", f"{start:.3f}", f"{end - start:.3f}", "<NA>", "<NA>", label, f"{score:.3f}")
        lines.append(" ".join((*fields, "<NA>")) + "\n")
    return "".join(lines)


Writer = Callable[[str, Sequence[Point]], str]
WRITERS: dict[str, Writer] = {"json": json_lines, "csv": comma_separated, "vtt": webvtt, "rttm": rttm}
PICTURES = ("png", "svg", "pdf")
SUFFIXES = {"jsonl": "json", **{name: name for name in (*WRITERS, *PICTURES)}}
"""Endings of a file's name, and the format that each asks for."""


def runs(points: Sequence[Point]) -> list[list[Point]]:
    """Neighbours that touch and agree on emotion and voice, together."""
    groups: list[list[Point]] = []
    for point in points:
        last = groups[-1][-1] if groups else None
        if last and (last.end_s, last.emotion, last.voice) == (point.start_s, point.emotion, point.voice):
            groups[-1].append(point)
        else:
            groups.append([point])
    return groups


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds * 1000), 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}.{rest % 1000:03}"


def _caption(run: Sequence[Point]) -> str:
    voice = f"<v {run[0].voice}>" if run[0].voice else ""
    known = [point.intensity for point in run if point.intensity is not None]
    strength = f", intensity {_mean(known):.0%}" if known else ""
    return f"{voice}{run[0].emotion} {_mean([point.confidence for point in run]):.0%}{strength}"


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
