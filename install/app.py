"""The repository of the Home Assistant app, complete: what lies in homeassistant/, and affectd's wheel beside it."""

import shutil
import tempfile
from hashlib import sha256
from pathlib import Path

from install import wheelhouse
from install.lock import LOCK

SOURCES = "homeassistant"
PYTHONS = ((3, 13),)  # of the image's Debian


def gather(root: Path, into: Path) -> Path:
    """Make the repository of the sources in ``root`` under ``into``; returns its folder.

    The Supervisor builds an image from the app's own folder alone, so the wheel must lie in it. The other wheels are
    fetched by the build, by the hashes of the lock.
    """
    folder = into / SOURCES
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(root / SOURCES, folder, ignore=shutil.ignore_patterns("__pycache__", "artwork.py"))
    for name in ("LICENSE", "LICENSE-weights"):
        shutil.copy(root / name, folder / "affectd" / name)
    parts = wheelhouse.gather(root, "x86_64", PYTHONS, into).folder / "NOTICE"
    shutil.copy(parts, folder / "affectd" / "NOTICE")
    payload = folder / "affectd" / "payload"
    payload.mkdir()
    with tempfile.TemporaryDirectory(prefix="affectd-") as scratch:
        wheel = wheelhouse.build(root, Path(scratch))
        shutil.move(wheel, payload / wheel.name)
    own = (
        f"affectd=={wheel.name.split('-')[1]} --hash=sha256:{sha256((payload / wheel.name).read_bytes()).hexdigest()}\n"
    )
    (payload / "requirements.txt").write_text(wheelhouse.without_installer(LOCK.read_text()) + own)
    return folder
