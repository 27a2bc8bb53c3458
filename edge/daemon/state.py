"""Where a node keeps what must outlast it: journal, settings, adapter; and that only one daemon does."""

import fcntl
import os
from pathlib import Path

from edge.errors import UsageError

SYSTEM = Path("/var/lib/affectd")


def state_folder(configured: str | None, node: str) -> Path:
    """The node's own folder: under the configured one, else systemd's, else the system's for root, else the user's."""
    systemd = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]  # systemd.exec(5)
    if configured or systemd:
        base = Path(configured or systemd)
    elif os.geteuid() == 0:
        base = SYSTEM
    else:
        base = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "affectd"
    return base / "nodes" / node


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
