"""Colours for any colour vision (Okabe and Ito, 2008), for the light and the dark theme."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

_HUES = ("#D55E00", "#009E73", "#CC79A7", "#E69F00", "#8C8C8C", "#0072B2", "#56B4E9", "#B79F00")
_UNLABELLED = "#B0B0B0"  # uncertain, none


@dataclass(frozen=True)
class Palette:
    """Colours for contributions (for, against, neither), a stretch of time, text, and muted text."""

    favour: str
    against: str
    neutral: str
    segment: str
    ink: str
    muted: str


LIGHT = Palette("#0072B2", "#D55E00", "#6B7280", "#F0E442", "#31333F", "#7A7D87")
DARK = Palette("#56B4E9", "#E8833A", "#9CA3AF", "#F0E442", "#FAFAFA", "#A3A8B4")


def current() -> Palette:
    """The palette of the user's present theme."""
    return DARK if st.context.theme.type == "dark" else LIGHT


def hues(labels: Sequence[str]) -> dict[str, str]:
    """A colour for each label, by its index; after eight they repeat."""
    return {label: _HUES[place % len(_HUES)] for place, label in enumerate(labels)}


def hue(label: str, labels: Sequence[str]) -> str:
    """The colour of a label; grey for any other text."""
    return hues(labels).get(label, _UNLABELLED)
