"""Page: many files, one table."""

from collections.abc import Sequence
from functools import partial

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.runtime.uploaded_file_manager import UploadedFile

from app import bundles, findings, hearing
from app.analyse import FORMATS
from app.recording import Recording
from edge.cli.analyse import UtteranceResult, result_of
from edge.errors import AudioError
from edge.model.classifier import Classifier

_KINDS = ("Files", "A folder")


def page() -> None:
    """Draw the page."""
    st.title("Many files, one table", anchor=False)
    classifier = bundles.classifier()
    left, right = st.columns([3, 1.3], vertical_alignment="bottom")
    kind = left.segmented_control("What", _KINDS, default=_KINDS[0], required=True, label_visibility="collapsed")
    whole = right.toggle("Each as one utterance", help="Take each whole file as one utterance.")
    files = st.file_uploader(
        "WAV, FLAC, OGG or MP3",
        type=FORMATS,
        accept_multiple_files="directory" if kind == _KINDS[1] else True,
        key=f"batch-{kind}",
    )
    if not files:
        return
    found, problems = _heard(files, classifier, whole=whole)
    for problem in problems:
        st.error(problem, icon=":material/error:")
    if found:
        _table(found, len({finding.file for finding in found}))


def _heard(
    files: Sequence[UploadedFile], classifier: Classifier, *, whole: bool
) -> tuple[list[UtteranceResult], list[str]]:
    """The findings of all files, and a sentence for each that cannot be read or in which nobody speaks."""
    key = (tuple(file.file_id for file in files), classifier.bundle.digest, whole)
    if st.session_state.get("batch_key") != key:
        bar = st.progress(0.0)
        found: list[UtteranceResult] = []
        problems: list[str] = []
        for number, file in enumerate(files):
            text = f"{number + 1} of {len(files)}: {file.name}"
            advance = partial(_advance, bar, number / len(files), 1 / len(files), text)
            before = len(found)
            try:
                recording = Recording(file.name, file.getvalue())
                for analysis in hearing.utterances(recording, classifier, whole=whole, on_progress=advance):
                    found.append(result_of(file.name, analysis))  # noqa: PERF401 (what was found before an error counts)
                if len(found) == before:
                    problems.append(f"Nobody speaks in {file.name}: the gate found no utterance.")
            except AudioError as error:
                problems.append(str(error))
        bar.empty()
        st.session_state.update(batch_key=key, batch=(found, problems))
    heard: tuple[list[UtteranceResult], list[str]] = st.session_state["batch"]
    return heard


def _advance(bar: DeltaGenerator, begun: float, part: float, text: str, share: float) -> None:
    bar.progress(min(begun + part * share, 1.0), text)


def _table(found: Sequence[UtteranceResult], files: int) -> None:
    rows = findings.rows(found)
    st.caption(f"{len(found)} utterances in {files} file{'' if files == 1 else 's'}")
    shares = {
        name: st.column_config.NumberColumn(name.removeprefix("p_"), format="%.2f")
        for name in rows[0]
        if name[:2] == "p_"
    }
    st.dataframe(
        [row | {"confidence": 100 * float(row["confidence"])} for row in rows],
        hide_index=True,
        height="content" if len(rows) < 16 else 600,
        column_order=[name for name in rows[0] if not name.startswith("lmac_")],
        column_config={
            "start_s": st.column_config.NumberColumn("from", format="%.2f s"),
            "end_s": st.column_config.NumberColumn("to", format="%.2f s"),
            "confidence": st.column_config.ProgressColumn(format="%.0f %%", min_value=0, max_value=100),
            **shares,
        },
    )
    left, right, _ = st.columns([1, 1, 2])
    left.download_button(
        "CSV", findings.table(rows), "affectd.csv", "text/csv",
        icon=":material/table:", type="primary", width="stretch", on_click="ignore",
    )  # fmt: skip
    right.download_button(
        "JSON lines", findings.lines(found), "affectd.jsonl", "application/jsonl",
        icon=":material/data_object:", width="stretch", on_click="ignore",
    )  # fmt: skip
