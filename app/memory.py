"""Keeps uploads in memory: Streamlit's web server would put those above 1 MB into a temporary file."""

import sys

from starlette.formparsers import MultiPartParser


def keep_uploads() -> None:
    """Raise the size up to which uploads stay in memory to ``server.maxUploadSize``, which bounds each."""
    MultiPartParser.spool_max_size = sys.maxsize
