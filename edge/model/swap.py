"""A folder replaced in one step: whoever looks sees all of the old or all of the new, also after a power cut."""

import ctypes
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from edge.errors import BundleError


def replace_folder(target: Path, files: Mapping[str, bytes], verify: Callable[[Path], object]) -> None:
    """Write ``files`` to a folder beside ``target``, ``verify`` it there, and exchange the two.

    Whatever fails on the way, and whatever ``verify`` raises, leaves ``target`` as it was.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        raise BundleError(
            f"{target} cannot be written ({error.strerror}): choose a folder that this user may write"
        ) from None
    try:
        partial.chmod(0o755)
        for name, content in files.items():
            _write_durably(partial / name, content)
        _synchronise(partial)
        verify(partial)
        _exchange(partial, target)
        _synchronise(target.parent)
    except OSError as error:
        raise BundleError(
            f"{target} cannot be written ({error.strerror}): make room or choose another folder"
        ) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _write_durably(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _synchronise(folder: Path) -> None:
    """Make a folder's entries outlast a power cut (fsync(2), notes)."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # renameat2(2)


def _exchange(new: Path, target: Path) -> None:
    """Put the folder ``new`` in the place of ``target``; what that held before is then at ``new``."""
    if not target.exists():
        new.rename(target)
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(_AT_FDCWD, os.fsencode(new), _AT_FDCWD, os.fsencode(target), _RENAME_EXCHANGE) != 0:
        raise BundleError(
            f"{target} cannot be exchanged in one step ({os.strerror(ctypes.get_errno())}): "
            "remove it first, or install to another folder"
        )
