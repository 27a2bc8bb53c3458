"""qemu-user for roots of another architecture: as Debian 13 has it, registered with the kernel while a proof runs.

Debian 12's qemu-user 7.2 cannot run the systemd of Debian 13: it refuses the clone flags of glibc's pidfd_spawn().
"""

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

_FORMATS = Path("/proc/sys/fs/binfmt_misc")
_NAME = "affectd-proof-aarch64"
# The head of an ELF file of 64 bits, little-endian, for machine 0xb7 (AArch64), and which of its bits count.
_MAGIC = r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
_MASK = r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"
# P: argv[0] is kept. F: the interpreter is opened now, so that a root need not have it. O: it is handed the program
# open, for systemd runs its executor as /proc/self/fd/N, which is gone once the program has been started.
_FLAGS = "POF"


@contextlib.contextmanager
def registered(cache: Path) -> Iterator[None]:
    """Let the kernel run AArch64 programs, by a qemu-user that is fetched into ``cache`` once. Needs root."""
    qemu = _fetched(cache)
    if not (_FORMATS / "register").exists():
        subprocess.run(["mount", "-t", "binfmt_misc", "binfmt_misc", str(_FORMATS)], check=True)
    _remove()
    (_FORMATS / "register").write_text(f":{_NAME}:M:0:{_MAGIC}:{_MASK}:{qemu}:{_FLAGS}")
    try:
        yield
    finally:
        _remove()


def _fetched(cache: Path) -> Path:
    """The static program, out of Debian 13's package for this machine."""
    qemu = cache / "qemu-aarch64"
    if not qemu.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as package:
            command = ["mmdebstrap", "--variant=extract", "--mode=root", "--include=qemu-user", "trixie", package]
            subprocess.run(command, check=True)
            Path(package, "usr/bin/qemu-aarch64").rename(qemu)
    return qemu


def _remove() -> None:
    entry = _FORMATS / _NAME
    if entry.exists():
        entry.write_text("-1")
