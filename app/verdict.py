"""The emotion of an utterance, in large type."""

from collections.abc import Sequence
from html import escape

import streamlit as st

from app.palette import hue


def show(
    emotion: str,
    confidence: float | None,
    labels: Sequence[str],
    detail: str,
    best: str = "",
    intensity: float | None = None,
) -> None:
    """Show emotion, confidence and a line of detail; ``best`` is the most probable label, shown if uncertain.

    ``intensity``, 0 to 1, is a bar with a mark in the middle, between normal and strong; None where it is not known.
    """
    sure = "" if confidence is None else f"{100 * confidence:.0f} %"
    perhaps = f" perhaps {best}," if best and best != emotion else ""
    st.html(
        f'<div class="verdict"><span class="dot" style="background:{hue(best or emotion, labels)}"></span>'
        f'<span class="emotion">{escape(emotion)}</span>'
        f'<span class="confidence">{escape(perhaps)} {sure}</span>'
        f'<span class="detail">{escape(detail)}</span></div>{_bar(intensity)}'
    )


def _bar(intensity: float | None) -> str:
    if intensity is None:
        return ""
    percent = f"{100 * min(1.0, max(0.0, intensity)):.0f}"
    return (
        f'<div class="intensity" role="meter" aria-valuemin="0" aria-valuemax="100" aria-valuenow="{percent}" '
        'aria-label="Intensity"><span>intensity</span>'
        f'<span class="track"><span style="width:{percent}%"></span></span>'
        f"<span>{percent} %</span></div>"
    )
