"""The verdict on an utterance, large."""

from collections.abc import Sequence
from html import escape

import streamlit as st

from app.palette import hue


def show(emotion: str, confidence: float | None, labels: Sequence[str], detail: str, best: str = "") -> None:
    """The emotion in words and colour, its confidence, and one line of detail; ``best`` where it is uncertain."""
    sure = "" if confidence is None else f"{100 * confidence:.0f} %"
    perhaps = f" perhaps {best}," if best and best != emotion else ""
    st.html(
        f'<div class="verdict"><span class="dot" style="background:{hue(best or emotion, labels)}"></span>'
        f'<span class="emotion">{escape(emotion)}</span>'
        f'<span class="confidence">{escape(perhaps)} {sure}</span>'
        f'<span class="detail">{escape(detail)}</span></div>'
    )
