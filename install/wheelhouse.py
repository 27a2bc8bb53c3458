"""The payload for a target: the locked wheels, affectd's own wheel, and the setup program."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from hashlib import sha256
from pathlib import Path

from install import notice
from install.device.errors import InstallError
from install.device.machine import Version, dotted
from install.device.payload import Payload, seal
from install.lock import LOCK, target_options

_EPOCH = "315532800"  # 1980, the oldest time in a zip file: the same sources always make the same wheel


def gather(root: Path, architecture: str, pythons: tuple[Version, ...], into: Path) -> Payload:
    """Make the payload of the sources in ``root`` for a target, in its own folder under ``into``.

    The locked wheels are cached in ``into`` and not fetched twice.
    """
    stores = {python: into / f"wheels-{architecture}-py{dotted(python)}" for python in pythons}
    for python, store in stores.items():
        _fetch(store, architecture, python)
    with tempfile.TemporaryDirectory(prefix="affectd-") as scratch:
        wheel = _build(root, Path(scratch))
        version = wheel.name.split("-")[1]
        folder = into / f"affectd-{version}-{architecture}-{'-'.join(f'py{dotted(python)}' for python in pythons)}"
        wheels = folder / "wheels"
        shutil.rmtree(folder, ignore_errors=True)
        for store in stores.values():
            shutil.copytree(store, wheels, dirs_exist_ok=True)
        shutil.move(wheel, wheels / wheel.name)
    gathered = sorted(wheels.iterdir())
    lines = [
        requirement(one, folder, tuple(python for python, store in stores.items() if (store / one.name).is_file()))
        for one in gathered
        if not one.name.startswith("pip-")  # which installs and is not installed
    ]
    (folder / "requirements.txt").write_text("".join(lines))
    copy_program(root, folder)
    (folder / "NOTICE").write_text(notice.render(gathered))
    return seal(folder, version, architecture, pythons)


def requirement(wheel: Path, folder: Path, pythons: tuple[Version, ...] = ()) -> str:
    """A line of a requirements file that lies in ``folder``, for pip started there: this wheel and its hash.

    It is for ``pythons`` alone, where some are named.
    """
    these = " or ".join(f'python_version == "{dotted(python)}"' for python in pythons)
    where = f"; {these}" if these else ""
    digest = sha256(wheel.read_bytes()).hexdigest()
    return f"./{wheel.relative_to(folder)}{where} --hash=sha256:{digest}\n"


def _fetch(store: Path, architecture: str, python: Version) -> None:
    """Fill ``store`` with one wheel of each pin, and remove everything else."""
    store.mkdir(parents=True, exist_ok=True)
    there = {sha256(wheel.read_bytes()).hexdigest(): wheel for wheel in store.iterdir()}
    pins = [set(re.findall("sha256:([0-9a-f]{64})", pin)) for pin in LOCK.read_text().split("==")[1:]]
    if len(there) == len(pins) and all(pin & there.keys() for pin in pins):
        return
    for wheel in there.values():
        wheel.unlink()
    # fmt: off
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes",
               "--dest", str(store), "--requirement", str(LOCK), *target_options(architecture, python)]
    # fmt: on
    _run(command, f"the wheels for {architecture} and Python {dotted(python)} could not be gathered")


def _build(root: Path, scratch: Path) -> Path:
    """Build the wheel of affectd, from a clean copy of its sources without traces of earlier builds."""
    sources = scratch / "sources"
    sources.mkdir()
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    for name in ("pyproject.toml", project["readme"], *project["license-files"]):
        shutil.copy(root / name, sources / name)
    shutil.copytree(root / "edge", sources / "edge", ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(scratch), str(sources)]
    _run(command, "affectd's wheel could not be built")
    return next(scratch.glob("affectd-*.whl"))


def copy_program(root: Path, folder: Path) -> None:
    """Copy the rest of the payload: all but wheels and requirements."""
    for name in ("systemd", "install/device"):
        shutil.copytree(root / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for source, name in (
        ("install/__init__.py", "install/__init__.py"),
        ("install/setup", "setup"),
        ("docs/guide.md", "guide.md"),
        ("configs/affectd.yaml", "affectd.yaml"),
    ):
        shutil.copy(root / source, folder / name)


def _run(command: list[str], failure: str) -> None:
    environment = {**os.environ, "SOURCE_DATE_EPOCH": _EPOCH, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if "ERROR" in line or "rror:" in line]
        raise InstallError(f"{failure}: {(lines or done.stderr.splitlines() or ['no reason given'])[-1]}")
