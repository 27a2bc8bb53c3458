"""The default name of a node."""

import hashlib
from pathlib import Path

from edge.errors import UsageError


def default_node(machine_id: Path = Path("/etc/machine-id")) -> str:
    """A stable name from the machine id; hashed, since machine-id(5) asks not to expose it on a network.

    Raises UsageError where there is none.
    """
    try:
        identity = machine_id.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        identity = ""
    if identity in ("", "uninitialized"):  # machine-id(5): before the first boot has committed one
        raise UsageError(
            f"{machine_id} holds no identity, so no stable node name can be derived: set `node` in the configuration"
        )
    return "node-" + hashlib.sha256(b"affectd" + identity.encode()).hexdigest()[:8]
