"""The emotion of an utterance, in large type."""

from collections.abc import Sequence
from html import escape

import streamlit as st

from app.palette import hue


def show(emotion: str, confidence: float | None, labels: Sequence[str], detail: str, best: str = "") -> None:
    """Show emotion, confidence and a line of detail; ``best`` is the most probable label, shown if uncertain."""
    sure = "" if confidence is None else f"{100 * confidence:.0f} %"
    perhaps = f" perhaps {best}," if best and best != emotion else ""
    st.html(
        f'<div class="verdict"><span class="dot" style="background:{hue(best or emotion, labels)}"></span>'
        f'<span class="emotion">{escape(emotion)}</span>'
        f'<span class="confidence">{escape(perhaps)} {sure}</span>'
        f'<span class="detail">{escape(detail)}</span></div>'
    )
