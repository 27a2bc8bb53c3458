"""Which of the bundles that affectd ships a device takes, where its configuration names none."""

import os
from pathlib import Path

from edge.model.bundle import DEFAULT

LIGHT = DEFAULT.with_name("light")
"""The hand-made families alone: a fraction of the work, and less memory."""
SHIPPED = {"default": DEFAULT, "light": LIGHT}
SMALL_BYTES = 700_000_000  # of memory: a board of 512 MB has less, one of 1 GB more


def bundle_folder(named: str | None, memory: int | None = None) -> tuple[Path, str]:
    """The folder of the bundle that a configuration or a command names, and why it is that one.

    ``default`` and ``light`` are those that affectd ships; anything else is a folder. Without a name the ``memory`` of
    the machine in bytes, as the system reports it where None, decides between the two.
    """
    if named is not None:
        return SHIPPED.get(named, Path(named)), "named"
    total = memory_bytes() if memory is None else memory
    name = "light" if total < SMALL_BYTES else "default"
    return SHIPPED[name], f"{total / 1e6:.0f} MB of memory"


def memory_bytes() -> int:
    """The machine's memory (sysconf(3))."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
