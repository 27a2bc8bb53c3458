"""A leftover of JACK's library, on which it waits for ever: PortAudio asks it, whether or not there is a JACK."""

import os
import shutil
from pathlib import Path

_SHARED = Path("/dev/shm")  # noqa: S108 - where JACK keeps it


def clear_leftover(shared: Path = _SHARED) -> str:
    """Remove this user's metadata of JACK where no server of this user runs; returns a sentence if it was there.

    A process that was ended while it created them leaves a file that is empty, or locked, and whoever opens it next
    waits for it (JACK 2's ``JackMetadata.cpp``, Berkeley DB's regions).
    """
    user = os.getuid()
    folder = shared / f"jack_db-{user}"
    if not folder.is_dir() or any(shared.glob(f"jack_*_{user}_*")):
        return ""
    shutil.rmtree(folder, ignore_errors=True)
    return "" if folder.exists() else f"{folder}, left by a program of JACK, was in the way and is removed"
