"""Uninstallation: removes what affectd installed and created, keeps what the user wrote."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from install.device import service
from install.device.errors import InstallError
from install.device.layout import Layout

_WITHDRAW_S = 60.0  # for one node; a resolver may hang longer than any of its own limits
_KEPT_FOLDERS = {
    Path(path) for path in ("/", "/etc", "/opt", "/usr/local", "/usr/local/bin", "/usr/local/lib", "/var/lib")
}


def uninstall(layout: Layout, say: Callable[[str], None]) -> None:
    """Remove affectd; keeps the password, and a configuration that differs from the shipped one."""
    if not layout.staged and os.geteuid() != 0:
        raise InstallError("uninstalling needs root: put sudo in front")
    if layout.packaged:
        _stop(layout)
        _clear_topics(layout, say)
        _remove_program(layout)
        return
    if not layout.staged:
        _stop(layout)
        _clear_topics(layout, say)
    kept = _remove_files(layout)
    if not layout.staged:
        service.systemctl("daemon-reload")
        _remove_user()
    say("affectd is removed" + (f"; yours and still there: {', '.join(map(str, kept))}" if kept else ""))


def _remove_program(layout: Layout) -> None:
    """Remove what a package's installation made; the rest is dpkg's to remove, and state is removed by a purge."""
    for path in [*layout.units(), layout.current, layout.current.with_name("current.new")]:
        path.unlink(missing_ok=True)
    if layout.releases.exists():
        shutil.rmtree(layout.releases)


def _stop(layout: Layout) -> None:
    if not service.available():
        service.systemctl("disable", "--quiet", "affectd.service", check=False)
        return
    units = service.instances()
    if units:
        service.systemctl("disable", "--now", "--quiet", *units, check=False)
        service.systemctl("stop", *units)
        service.systemctl("reset-failed", *units, check=False)
    service.end_trial(layout)


def _clear_topics(layout: Layout, say: Callable[[str], None]) -> None:
    """Clear what each node left on its broker; a broker that is away is reported, and does not stop the removal."""
    affectd = layout.current / "bin/affectd"
    if not affectd.exists():
        return
    for configuration in sorted(layout.configuration.parent.glob("*.yaml")):
        command = [str(affectd), "withdraw", "--config", str(configuration)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_WITHDRAW_S)
            reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        except subprocess.TimeoutExpired:
            reason = f"the broker does not answer within {_WITHDRAW_S:.0f} s"
        else:
            if not done.returncode:
                continue
        say(f"the retained topics of {configuration} were not cleared: {reason.removeprefix('affectd: ')}")


def _remove_files(layout: Layout) -> list[Path]:
    """Remove the files; returns those that were kept because the user wrote them."""
    shipped = layout.current / "affectd.yaml"
    written = layout.configuration
    if written.exists() and shipped.exists() and written.read_bytes() == shipped.read_bytes():
        written.unlink()
    brought = [layout.command, *layout.units(), *layout.copies()]
    for path in brought:
        path.unlink(missing_ok=True)
    prefix = layout.at(layout.prefix)
    for folder in (prefix / "releases", layout.state):
        if folder.exists():
            shutil.rmtree(folder)
    for link in (layout.current, layout.current.with_name("current.new")):
        link.unlink(missing_ok=True)
    credentials = layout.at("/etc/credstore")
    for folder in [prefix, layout.configuration.parent, credentials, layout.state.parent]:
        _prune(folder, layout)
    for path in brought:
        _prune(path.parent, layout)
    yours = sorted(written.parent.glob("*")) if written.parent.is_dir() else []
    return yours + sorted(credentials.glob("affectd.*"))


def _prune(folder: Path, layout: Layout) -> None:
    """Remove ``folder`` and its parents while they are empty and not part of the system."""
    with contextlib.suppress(OSError):  # not empty, or absent
        while folder != layout.destdir and (layout.staged or folder not in _KEPT_FOLDERS):
            if folder.exists():
                folder.rmdir()
            folder = folder.parent


def _remove_user() -> None:
    subprocess.run(["userdel", "affectd"], capture_output=True, check=False)
