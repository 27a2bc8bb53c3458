"""The default name of a node."""

import hashlib
from pathlib import Path

from edge.errors import UsageError


def default_node(machine_id: Path = Path("/etc/machine-id")) -> str:
    """A stable name from the machine id, hashed: machine-id(5) asks not to expose it. Raises UsageError."""
    try:
        identity = machine_id.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        identity = ""
    if not identity:
        raise UsageError(
            f"{machine_id} is missing, so no stable node name can be derived: set `node` in the configuration"
        )
    return "node-" + hashlib.sha256(b"affectd" + identity.encode()).hexdigest()[:8]
