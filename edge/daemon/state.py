"""Where a node keeps what must outlast it: journal, settings, adapter; and that only one daemon does."""

import fcntl
import os
from pathlib import Path

from edge.errors import UsageError

SYSTEM = Path("/var/lib/affectd")


def state_folder(configured: str | None, node: str) -> Path:
    """The node's own folder: under the configured one, else systemd's, else the system's for root, else the user's.

    Raises UsageError for a user without a home.
    """
    systemd = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]  # systemd.exec(5)
    if configured or systemd:
        base = Path(configured or systemd)
    elif os.geteuid() == 0:
        base = SYSTEM
    else:
        base = _of_user() / "affectd"
    return base / "nodes" / node


def _of_user() -> Path:
    """Where a user's programs keep their state (XDG Base Directory Specification)."""
    named = os.environ.get("XDG_STATE_HOME")
    if named:
        return Path(named)
    try:
        home = Path.home()
    except RuntimeError:  # neither HOME nor a line in the password file
        home = Path("/")
    if home == Path("/"):
        raise UsageError(
            f"the user {os.geteuid()} has no home to keep the journal and the settings in: set `state_directory`"
        )
    return home / ".local" / "state"


def lock(folder: Path) -> int | None:
    """Claim the folder for this process, until it ends; UsageError where another has it.

    Returns the lock's descriptor, or None where the disk cannot be written: the journal then goes on from memory.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise UsageError(
            f"another affectd runs as node {folder.name} with {folder}: give each daemon its own `node`"
        ) from None
    return descriptor
