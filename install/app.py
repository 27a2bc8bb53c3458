"""The repository of the Home Assistant app, complete: what lies in homeassistant/, and affectd's wheel beside it."""

import shutil
from pathlib import Path

from install import lock, wheelhouse

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
    for name in ("LICENSE", "LICENSE-weights", "LICENSE-Apache-2.0"):
        shutil.copy(root / name, folder / "affectd" / name)
    gathered = wheelhouse.gather(root, "x86_64", PYTHONS, into).folder
    shutil.copy(gathered / "NOTICE", folder / "affectd" / "NOTICE")
    payload = folder / "affectd" / "payload"
    payload.mkdir()
    wheel = Path(shutil.copy(next(gathered.glob("wheels/affectd-*.whl")), payload))
    fetched = lock.without_installer(lock.LOCK.read_text())
    (payload / "requirements.txt").write_text(fetched + wheelhouse.requirement(wheel, payload))
    return folder
