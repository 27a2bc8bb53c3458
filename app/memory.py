"""Uploads stay in memory: the web server under Streamlit would put those above 1 MB into a temporary file."""

import sys

from starlette.formparsers import MultiPartParser


def keep_uploads() -> None:
    """Let no upload grow beyond what may be held in memory; ``server.maxUploadSize`` bounds each."""
    MultiPartParser.spool_max_size = sys.maxsize
