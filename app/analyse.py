"""Page: the utterances of one recording, uploaded or recorded."""

from collections.abc import Sequence

import streamlit as st

from app import along, bundles, findings, hearing, microphone, palette, result
from app.plots import lanes
from app.recording import Recording
from edge.cli.analyse import result_of
from edge.daemon.pipeline import Analysis
from edge.errors import AudioError
from edge.model.classifier import Classifier

_SOURCES = ("Upload a file", "Record in the browser", "This computer's microphone")
FORMATS = ("wav", "flac", "ogg", "opus", "mp3")


def page() -> None:
    """Draw the page."""
    st.title("How does it sound?", anchor=False)
    classifier = bundles.classifier()
    left, right = st.columns([3, 1.3], vertical_alignment="bottom")
    source = left.segmented_control(
        "Source", _SOURCES, default=_SOURCES[0], required=True, key="source", label_visibility="collapsed"
    )
    whole = right.toggle("As one utterance", help="Take the whole recording as one utterance.")
    recording = _recording(source)
    if recording is None:
        return
    found = _heard(recording, classifier, whole=whole)
    if found:
        _overview(recording, found, classifier)
        along.show(recording, classifier)


def _recording(source: str) -> Recording | None:
    if source == _SOURCES[0]:
        file = st.file_uploader("WAV, FLAC, OGG or MP3", type=FORMATS, key="upload")
    elif source == _SOURCES[1]:
        file = st.audio_input("Press the microphone, speak, and press again", sample_rate=16000, key="browser")
    else:
        return microphone.record()
    return Recording(file.name, file.getvalue()) if file else None


def _heard(recording: Recording, classifier: Classifier, *, whole: bool) -> list[Analysis]:
    """The utterances of a recording, analysed once for each bundle; an error is shown in the page."""
    key = (recording.digest, recording.name, classifier.bundle.digest, whole)
    if st.session_state.get("heard_key") != key:
        found, problem = _analysed(recording, classifier, whole=whole)
        st.session_state.update(heard_key=key, heard=found, heard_problem=problem)
    if st.session_state["heard_problem"]:
        st.error(st.session_state["heard_problem"], icon=":material/error:")
    return list(st.session_state["heard"])


def _analysed(recording: Recording, classifier: Classifier, *, whole: bool) -> tuple[list[Analysis], str]:
    found: list[Analysis] = []
    bar = st.progress(0.0, "Listening …")

    def advance(share: float) -> None:
        bar.progress(min(share, 1.0), f"Listening … {len(found)} utterances so far")

    try:
        for analysis in hearing.utterances(recording, classifier, whole=whole, on_progress=advance):
            found.append(analysis)  # noqa: PERF402 (`advance` counts them meanwhile)
    except AudioError as error:
        return found, str(error)
    finally:
        bar.empty()
    return found, "" if found else f"Nobody speaks in {recording.name}: the gate found no utterance."


def _overview(recording: Recording, found: list[Analysis], classifier: Classifier) -> None:
    place = _choose(recording.name, found, classifier.bundle.labels) if len(found) > 1 else 0
    result.show(recording, found[place], classifier, f"Utterance {place + 1} of {len(found)}")


def _choose(name: str, found: list[Analysis], labels: Sequence[str]) -> int:
    """Choose one of several utterances, in a table beside their lanes over the recording; returns its index."""
    drawn, listed = st.columns([1.35, 1], gap="large")
    rows = [
        {
            "when": f"{analysis.start_s:.2f} to {analysis.end_s:.2f} s",
            "emotion": analysis.prediction.emotion,
            "confidence": 100 * analysis.prediction.confidence,
        }
        for analysis in found
    ]
    with listed:
        chosen = st.dataframe(
            rows,
            key=f"utterances-{st.session_state['heard_key'][0][:12]}",
            height=260,
            hide_index=True,
            on_select="rerun",
            selection_mode="single-row-required",
            selection_default={"selection": {"rows": [0]}},
            column_config={
                "when": st.column_config.TextColumn(width=110),
                "emotion": st.column_config.TextColumn(width=70),
                "confidence": st.column_config.ProgressColumn(width=120, format="%.0f %%", min_value=0, max_value=100),
            },
        )
        place = int(chosen.selection.rows[0]) if chosen.selection.rows else 0
        st.download_button(
            "All as JSON lines",
            findings.lines(result_of(name, analysis) for analysis in found),
            f"{name.rsplit('.', 1)[0]}.jsonl",
            "application/jsonl",
            icon=":material/data_object:",
            width="stretch",
            on_click="ignore",
        )
    stays = [
        lanes.Stay(analysis.prediction.emotion, analysis.prediction.confidence, analysis.start_s, analysis.end_s)
        for analysis in found
    ]
    drawn.altair_chart(lanes.over_recording(stays, labels, palette.current(), place))
    return place
