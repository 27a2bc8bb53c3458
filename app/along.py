"""Emotion, intensity and, where the bundle tells voices apart, who speaks: every half second of a recording."""

import streamlit as st

from app.recording import Recording
from app.result import kept
from edge.cli import tracks
from edge.cli.level import Level
from edge.cli.track import along, picture_of
from edge.config import GateSettings
from edge.daemon.track import Point, Tracker
from edge.model.classifier import Classifier

_FILES = {"csv": ("Table", "text/csv"), "vtt": ("Subtitles", "text/vtt"), "rttm": ("Segments", "text/plain")}


def show(recording: Recording, classifier: Classifier) -> None:
    """Draw the lanes of the whole recording, once somebody asks for them, and offer them as files."""
    if not st.toggle(
        "Along the recording", help="Name the emotion every half second of speech, from the 2.5 s around."
    ):
        return
    key = (recording.digest, recording.name, classifier.bundle.digest)
    points, picture = kept("along", key, lambda: _followed(recording, classifier))
    st.image(picture, width="stretch")
    stem = recording.name.rsplit(".", 1)[0]
    columns = st.columns(1 + len(_FILES))
    columns[0].download_button(
        "Lanes", picture, f"{stem}.png", "image/png", icon=":material/image:", width="stretch", on_click="ignore"
    )
    for column, (kind, (title, media)) in zip(columns[1:], _FILES.items(), strict=True):
        text = tracks.WRITERS[kind](recording.name, points)
        column.download_button(
            title, text, f"{stem}.{kind}", media, icon=":material/download:", width="stretch", on_click="ignore"
        )


def _followed(recording: Recording, classifier: Classifier) -> tuple[list[Point], bytes]:
    """The points of a recording, and their picture as a PNG file."""
    level, bar = Level(), st.progress(0.0, "Following …")

    def advance(share: float) -> None:
        bar.progress(min(share, 1.0), "Following …")

    try:
        points = list(along(level.through(recording.chunks(advance)), GateSettings(), Tracker(classifier)))
    finally:
        bar.empty()
    return points, picture_of(recording.name, points, classifier.bundle, level.seconds)
