"""Releases: folders with a virtual environment, complete or absent."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from install.device.errors import InstallError
from install.device.layout import UNITS, Layout
from install.device.payload import Payload

_UNPACKED = 4.0  # installed and byte-compiled size relative to the wheels
_MARGIN = 64 << 20  # bytes that an installation leaves free on the disk
_MEMORY = "400M"
_COMPLETE = "complete"
_DISTRIBUTION_PACKAGES = "/usr/lib/python3/dist-packages"

UNUSED = (
    "onnxruntime/capi/libonnxruntime.so*", "onnxruntime/transformers", "onnxruntime/tools", "onnxruntime/quantization",
    "onnxruntime/datasets", "onnxruntime/backend",
)  # fmt: skip
"""What of the wheels no device runs: ONNX Runtime's second copy of itself, for C programs, and what prepares models."""


def build(payload: Payload, layout: Layout) -> Path:
    """The release of ``payload``, built if it does not exist yet; after an InstallError nothing of it is left."""
    release = layout.releases / payload.release
    if (release / _COMPLETE).exists():
        return release
    remove(release)
    _see_to_space(payload, layout.releases)
    try:
        release.mkdir(parents=True)
        _environment(payload, release)
        _prune(release)
        _link_pyaudio(release)
        _copy(payload, layout, release)
        _compile(release, layout)
        if layout.staged:
            _tell_its_place(release, layout)
    except OSError as error:
        remove(release)
        raise InstallError(f"{error.filename or release} could not be written: {error.strerror}") from None
    except InstallError:
        remove(release)
        raise
    os.sync()  # on the disk before it is marked as complete
    (release / _COMPLETE).touch()
    os.sync()
    return release


def remove(release: Path) -> None:
    """Remove a release, its mark of completeness first, so that the rest is never taken for a whole one."""
    (release / _COMPLETE).unlink(missing_ok=True)
    if release.exists():
        shutil.rmtree(release)


def switch(layout: Layout, release: Path) -> None:
    """Make ``release`` the current one, in one rename."""
    target = Path("releases") / release.name
    beside = layout.current.with_name("current.new")
    beside.unlink(missing_ok=True)
    beside.symlink_to(target)
    beside.replace(layout.current)
    os.sync()


def filled(unit: str, layout: Layout) -> str:
    """The text of a unit of ``systemd/`` with its paths and limits."""
    return unit.replace("@PREFIX@", str(layout.prefix)).replace("@MEMORY@", _MEMORY)


def unit_of(layout: Layout, release: Path, unit: str) -> str:
    """The text of a unit that starts this release, whichever is current."""
    program = f"{layout.prefix}/releases/{release.name}/"
    return (release / "systemd" / unit).read_text().replace(f"{layout.prefix}/current/", program)


def _see_to_space(payload: Payload, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    wheels = payload.wheels(sys.version_info[:2])
    needed = int(_UNPACKED * sum(wheel.stat().st_size for wheel in wheels)) + _MARGIN
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise InstallError(
            f"the disk is too full: {folder} has {free >> 20} MB left and affectd needs {needed >> 20} MB: free some"
        )


def _environment(payload: Payload, release: Path) -> None:
    """Make a virtual environment from the payload alone, with the payload's pip: no network, no compiler."""
    _run([sys.executable, "-m", "venv", "--without-pip", str(release)], "the virtual environment could not be made")
    pips = sorted((payload.folder / "wheels").glob("pip-*.whl"))
    if not pips:
        raise InstallError(f"{payload.folder}/wheels holds no pip: make the payload again with make wheelhouse")
    # fmt: off
    command = [str(release / "bin/python"), f"{pips[0]}/pip", "install", "--isolated", "--quiet", "--no-cache-dir",
               "--no-index", "--only-binary", ":all:", "--require-hashes", "--no-compile",
               "--requirement", "requirements.txt"]
    # fmt: on
    _run(command, "the wheels could not be installed", payload.folder)
    for origin in release.glob("lib/python3*/site-packages/*.dist-info/direct_url.json"):
        origin.unlink()  # where the payload lay, which is nobody's business later


def _prune(release: Path) -> None:
    """Remove what is ``UNUSED``: 45 MB of an SD card. The trial of the release shows that nothing misses it."""
    for packages in release.glob("lib/python3*/site-packages"):
        for pattern in UNUSED:
            for path in packages.glob(pattern):
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def _link_pyaudio(release: Path) -> None:
    """Link the distribution's PyAudio, which has no wheel; nothing else of the system becomes visible."""
    packages = next((release / "lib").glob("python3*/site-packages"))
    (packages / "pyaudio").symlink_to(f"{_DISTRIBUTION_PACKAGES}/pyaudio")


def _copy(payload: Payload, layout: Layout, release: Path) -> None:
    shutil.copytree(payload.folder / "install", release / "install")
    shutil.copytree(payload.folder / "systemd", release / "systemd")
    for name in ("setup", "guide.md", "affectd.yaml", "NOTICE"):
        shutil.copy2(payload.folder / name, release / name)
    for unit in UNITS:
        path = release / "systemd" / unit
        path.write_text(filled(path.read_text(), layout))


def _compile(release: Path, layout: Layout) -> None:
    """Compile the byte code now, since the daemon may not write it.

    Of the libraries, the check that follows compiles what it imports; most of their code is never used. In a staging
    folder nothing is run, so everything is compiled, with the paths that the device will see.
    """
    folders = [str(release / "install"), *map(str, release.glob("lib/python3*/site-packages/edge"))]
    if layout.staged:
        folders = ["-s", str(layout.destdir), "-p", "/", str(release / "install"), str(release / "lib")]
    _run([sys.executable, "-m", "compileall", "-q", "-j", "0", *folders], "byte-compiling failed")


def _tell_its_place(release: Path, layout: Layout) -> None:
    """Rewrite the interpreter's path in scripts from a staging folder's to the device's."""
    here, there = str(release).encode(), str(Path("/") / release.relative_to(layout.destdir)).encode()
    for path in [release / "pyvenv.cfg", *(release / "bin").iterdir()]:
        if not path.is_symlink():
            path.write_bytes(path.read_bytes().replace(here, there))


def _run(command: list[str], failure: str, folder: Path | None = None) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    if done.returncode == 0:
        return
    output = done.stderr + done.stdout
    if "No space left on device" in output:
        raise InstallError(f"{failure}: the disk is full")
    if done.returncode < 0:
        raise InstallError(f"{failure}: {Path(command[0]).name} died of signal {-done.returncode}")
    lines = [line for line in output.splitlines() if line.strip()]
    raise InstallError(f"{failure}: {lines[-1] if lines else f'exit code {done.returncode}'}")
