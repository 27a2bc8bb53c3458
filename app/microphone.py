"""Recording from this computer's microphone, drawn live."""

from contextlib import closing

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app import palette
from app.plots import moments
from app.recording import Recording
from edge.audio import BLOCK_SECONDS
from edge.cli.sounds import wav
from edge.errors import SourceError
from edge.features import LOG_MEL, FrameStream
from edge.sources.microphone import Microphone, MicrophoneSource, list_microphones

SECONDS = 10
_BLOCKS = round(SECONDS / BLOCK_SECONDS)
_REDRAW = 8  # blocks between two drawings: four a second


def record() -> Recording | None:
    """Choose a microphone, record on demand, and return the latest recording."""
    try:
        microphones = _microphones()
        if not microphones:
            raise SourceError(
                "no microphone is visible: plug one in, and see that this user belongs to the group `audio`"
            )
        _form(microphones)
    except SourceError as error:
        st.error(f"{error}", icon=":material/mic_off:")
    return st.session_state.get("recorded")


def _form(microphones: list[Microphone]) -> None:
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    names = list(dict.fromkeys(microphone.name for microphone in microphones))
    default = next((microphone.name for microphone in microphones if microphone.default), names[0])
    name = left.selectbox("Microphone", names, index=names.index(default))
    if right.button(f"Record {SECONDS} seconds", icon=":material/mic:", type="primary", width="stretch"):
        samples = _listen(name)
        st.session_state["recorded"] = Recording("microphone.wav", wav(samples))
        if not samples.any():
            st.warning(f"{name} delivered nothing but digital silence: is it muted?", icon=":material/mic_off:")


def _listen(name: str) -> NDArray[np.int16]:
    """Record from a microphone, int16 [n]; raises SourceError."""
    countdown, picture = st.empty(), st.empty()
    stream, heard, log_mel = FrameStream(LOG_MEL), [], []
    source = MicrophoneSource(name)
    with closing(source.blocks()) as blocks:  # type: ignore[type-var]
        for number, block in enumerate(blocks, start=1):
            heard.append(block)
            log_mel.append(stream.push(block))
            if number % _REDRAW == 0 or number == _BLOCKS:
                left = SECONDS - number * BLOCK_SECONDS
                countdown.progress(number / _BLOCKS, f"Recording: {left:.0f} s left")
                with picture.container(gap=None):
                    for panel in moments.recording(
                        np.concatenate(heard), np.concatenate(log_mel), SECONDS, palette.current()
                    ):
                        st.altair_chart(panel)
            if number == _BLOCKS:
                break
    countdown.empty()
    picture.empty()
    return np.concatenate(heard)


@st.cache_data(ttl=10, show_spinner=False)
def _microphones() -> list[Microphone]:
    return list_microphones()
