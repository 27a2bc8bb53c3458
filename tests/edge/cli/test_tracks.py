"""A track as players and annotation tools read it."""

import csv
import io
import json
import re

from edge.cli import tracks
from edge.daemon.track import Point

CUE = re.compile(r"(\d\d):([0-5]\d):([0-5]\d\.\d{3}) --> (\d\d):([0-5]\d):([0-5]\d\.\d{3})")


def point(start: float, end: float, emotion: str, voice: str = "", intensity: float | None = 0.5) -> Point:
    return Point(start_s=start, end_s=end, emotion=emotion, confidence=0.8, intensity=intensity, voice=voice)


POINTS = [
    point(1.1, 1.5, "anger"),
    point(1.5, 2.0, "anger"),
    point(2.0, 2.5, "sad", "v2"),
    point(3725.5, 3726.0, "sad", intensity=None),
]


def test_webvtt_has_a_cue_for_every_run() -> None:
    head, *cues = tracks.webvtt("a.wav", POINTS).strip().split("\n\n")
    assert head == "WEBVTT"
    times = [CUE.fullmatch(cue.splitlines()[0]) for cue in cues]
    assert all(times)
    assert [cue.splitlines()[1] for cue in cues] == [
        "anger 80%, intensity 50%",
        "<v v2>sad 80%, intensity 50%",
        "sad 80%",
    ]
    assert cues[2].startswith("01:02:05.500 --> 01:02:06.000")


def test_rttm_has_ten_fields_whatever_the_file_is_called() -> None:
    rows = [line.split(" ") for line in tracks.rttm("two words.wav", POINTS).splitlines()]
    assert {len(row) for row in rows} == {10}
    assert {row[0] for row in rows} == {"SPEAKER"}
    assert {row[1] for row in rows} == {"two_words"}
    assert [(row[3], row[4], row[7]) for row in rows[:2]] == [("1.100", "0.900", "anger"), ("2.000", "0.500", "v2-sad")]


def test_tables_and_lines_hold_every_point() -> None:
    table = list(csv.DictReader(io.StringIO(tracks.comma_separated("a,b.wav", POINTS))))
    assert [row["emotion"] for row in table] == [one.emotion for one in POINTS]
    assert table[3]["intensity"] == ""
    lines = [json.loads(line) for line in tracks.json_lines("a.wav", POINTS).splitlines()]
    assert lines[2]["voice"] == "v2"
