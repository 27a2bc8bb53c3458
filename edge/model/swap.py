"""A folder replaced in one step: whoever looks sees all of the old or all of the new, also after a power cut.

What is installed is a link to a hidden folder beside it, as a release of affectd is: one rename switches it.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from edge import files as disk
from edge.errors import BundleError


def replace_folder(
    target: Path, files: Mapping[str, bytes], verify: Callable[[Path], object], *, link: bool = False
) -> None:
    """Write ``files`` to a folder beside ``target``, ``verify`` it there, and put it in the place of ``target``.

    Whatever fails on the way, and whatever ``verify`` raises, leaves ``target`` as it was. With ``link``, or where
    ``target`` is one already, it is made a link, and switched in one rename. A plain folder cannot be: it is renamed
    first, so that for a moment there is none. Raises BundleError where the disk refuses.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        raise BundleError(
            f"{target} cannot be written ({error.strerror}): choose a folder that this user may write"
        ) from None
    try:
        new.chmod(0o755)
        for name, content in files.items():
            disk.replace(new / name, content, 0o644)
        verify(new)
        old = _switch(target, new) if link or target.is_symlink() else _exchange(target, new)
    except OSError as error:
        _remove(new)
        raise _refused(target, error) from None
    except BaseException:
        _remove(new)
        raise
    try:
        disk.sync_folder(target.parent)
    except OSError as error:
        raise _refused(target, error) from None
    if old is not None:
        _remove(old)


def _refused(target: Path, error: OSError) -> BundleError:
    return BundleError(f"{target} cannot be written ({error.strerror}): make room or choose another folder")


def _switch(target: Path, new: Path) -> Path | None:
    """Let the link ``target`` lead to ``new``; returns the folder that it led to, if that was one of ours."""
    old = target.parent / target.readlink() if target.is_symlink() else None
    beside = new.with_name(f"{new.name}.link")
    beside.symlink_to(new.name)
    try:
        if old is None and target.exists():
            return _exchange(target, beside)
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)
    return old if old is not None and _is_ours(old, target) else None


def _exchange(target: Path, new: Path) -> Path | None:
    """Put ``new`` in the place of a plain folder, or of nothing; returns where what was there is now."""
    if not target.exists():
        new.rename(target)
        return None
    old = new.with_name(f"{new.name}.old")
    target.rename(old)
    try:
        new.rename(target)
    except BaseException:
        old.rename(target)
        raise
    return old


def _is_ours(folder: Path, target: Path) -> bool:
    return os.path.normpath(folder.parent) == os.path.normpath(target.parent) and folder.name.startswith(
        f".{target.name}."
    )


def _remove(path: Path) -> None:
    """A folder, or a file that was in the way."""
    with contextlib.suppress(OSError):
        path.unlink() if path.is_file() else shutil.rmtree(path)
