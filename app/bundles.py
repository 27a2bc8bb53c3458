"""The model bundle of all pages: chosen in the sidebar, loaded once."""

from pathlib import Path

import streamlit as st

from edge.errors import AffectdError
from edge.model.bundle import DEFAULT, Bundle
from edge.model.classifier import Classifier
from edge.model.manifest import MANIFEST

INSTALLED = Path("/var/lib/affectd/bundle")  # of `affectd bundle install`


def choose() -> None:
    """Choose the bundle in the sidebar."""
    places = [str(place) for place in (DEFAULT, INSTALLED) if (place / MANIFEST).exists()]
    st.sidebar.selectbox(
        "Model bundle",
        places,
        key="bundle",
        accept_new_options=True,
        format_func=_short,
        persist_state="session",
        help="Choose one, or type the path of another folder that `python -m export` wrote.",
    )


def path() -> Path:
    """The chosen bundle's folder."""
    return Path(st.session_state.get("bundle") or DEFAULT)


def classifier() -> Classifier:
    """The classifier of the chosen bundle; if it is broken, the page shows the error and stops."""
    try:
        return _load(str(path()), _changed(path()))
    except AffectdError as error:
        st.error(f"{error}", icon=":material/error:")
        st.stop()


def _changed(folder: Path) -> float:
    """When the bundle was last written, to notice a new one in the same folder."""
    try:
        return (folder / MANIFEST).stat().st_mtime
    except OSError:
        return 0.0


@st.cache_resource(max_entries=4, show_spinner="Loading the model …")
def _load(folder: str, _changed: float) -> Classifier:
    return Classifier(Bundle.load(Path(folder)))


def _short(place: str) -> str:
    return "affectd's own" if place == str(DEFAULT) else place
