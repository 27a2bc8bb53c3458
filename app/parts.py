"""The two parts of an utterance, to be heard: what its verdict rests on, and the rest."""

import streamlit as st

from edge.cli.sounds import wav
from edge.explain.listening import Listening
from edge.model.classifier import Prediction


def show(found: Listening | str, label: str) -> None:
    """Two players with what each part sounds like, or the sentence that says why there are none."""
    if isinstance(found, str):
        st.caption(found)
        return
    kept, rest = st.columns(2)
    kept.caption(f"What {label} rests on: alone it sounds {_verdict(found.alone)}")
    kept.audio(wav(found.kept))
    rest.caption(f"The rest: it sounds {_verdict(found.without)}")
    rest.audio(wav(found.rest))


def _verdict(prediction: Prediction) -> str:
    return f"like {prediction.label}, {100 * prediction.confidence:.0f} %"
