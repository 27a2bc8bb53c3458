"""Installation and upgrade: what runs is left alone until the new release has proved that it can run."""

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from install.device import machine, release, service
from install.device.errors import InstallError
from install.device.layout import Layout
from install.device.payload import Payload

Say = Callable[[str], None]


def install(payload: Payload, layout: Layout, say: Say) -> None:
    """Install ``payload``, or upgrade to it; InstallError says what went wrong and what runs now."""
    reason = machine.mismatch(machine.Machine.here(), payload.architecture, payload.pythons)
    if reason:
        raise InstallError(reason)
    if not layout.staged:
        _see_to_rights(layout)
    with _alone(layout):
        old = _current(layout)
        try:
            _install(payload, layout, old, say)
        except InstallError as error:
            raise InstallError(f"{error}; {_what_runs(old, layout)}") from None


def _install(payload: Payload, layout: Layout, old: Path | None, say: Say) -> None:
    _tidy(layout, old)
    known = (layout.releases / payload.release / "complete").exists()
    say(f"affectd {payload.release}: {'is there already' if known else 'unpacking'} in {layout.prefix}")
    new = release.build(payload, layout)
    _place_files(layout, new)
    if layout.staged:
        _make_current(layout, new)
        say(f"affectd {payload.release} is staged in {layout.destdir}; nothing was started")
        return
    try:
        _prepare(new)
        _check(layout, new)
    except InstallError:
        if old != new:
            release.remove(new)
        raise
    _start(layout, new, old, say)
    _tidy(layout, new)
    say(f"affectd {payload.release} is running" if service.available() else "affectd starts at the next boot")
    say(_next(layout))


def _start(layout: Layout, new: Path, old: Path | None, say: Say) -> None:
    """Try the release: if it passes, it becomes current; if not, the old one keeps running."""
    if not service.available():
        _make_current(layout, new)
        service.systemctl("enable", "--quiet", "affectd.service")
        return
    units = service.wanted() if old else ["affectd.service"]
    if new == old:
        _make_current(layout, new)
        service.systemctl("daemon-reload")
        failure = service.start(service.idle(units))
        if failure:
            raise InstallError(failure)
        return
    say(f"starting {' '.join(units) or 'nothing, since no unit was enabled'}")
    failure = service.stand_trial(layout, new, units)
    if failure is None or old is None:
        _make_current(layout, new)
        service.end_trial(layout)
        if old is None:
            service.systemctl("enable", "--quiet", "affectd.service")
        if failure:
            raise InstallError(f"affectd is installed, but {failure}: `sudo affectd doctor` says more")
        return
    service.end_trial(layout)
    again = service.start(units)
    release.remove(new)
    raise InstallError(f"{failure}; the old one was started again, but {again}" if again else failure)


def _see_to_rights(layout: Layout) -> None:
    if os.geteuid() != 0:
        raise InstallError("installing needs root: put sudo in front")
    interpreter = Path(sys.executable).resolve()
    if interpreter.is_relative_to("/root") or interpreter.is_relative_to("/home"):
        raise InstallError(f"the service may not read {interpreter}: install with PYTHON=/usr/bin/python3")
    if not layout.packaged and not service.available():
        raise InstallError(f"systemd does not run here: stage the files with DESTDIR, or copy {layout.prefix} yourself")


def _prepare(new: Path) -> None:
    """Create the user and the folders."""
    for command in (["systemd-sysusers", "sysusers.conf"], ["systemd-tmpfiles", "--create", "tmpfiles.conf"]):
        path = new / "systemd" / command[-1]
        done = subprocess.run([*command[:-1], str(path)], capture_output=True, text=True, check=False)
        if done.returncode:
            raise InstallError(f"{command[0]} failed: {(done.stderr.strip().splitlines() or ['no reason given'])[-1]}")


def _place_files(layout: Layout, new: Path) -> None:
    """Put in place what a trial needs; an existing configuration belongs to the user and is kept."""
    if layout.packaged:  # dpkg has done so
        return
    try:
        for path, name in layout.copies().items():
            _replace(new / "systemd" / name, path)
        if not layout.configuration.exists():
            _replace(new / "affectd.yaml", layout.configuration)
    except OSError as error:
        raise InstallError(f"{error.filename} could not be written: {error.strerror}") from None


def _make_current(layout: Layout, new: Path) -> None:
    release.switch(layout, new)
    if layout.packaged:
        for path in layout.units():  # held while the release before this one ran (see preinst); dpkg has the new ones
            path.unlink(missing_ok=True)
        os.sync()
        return
    for path, name in layout.units().items():
        _replace(new / "systemd" / name, path)
    beside = layout.command.with_name("affectd.new")
    beside.parent.mkdir(parents=True, exist_ok=True)
    beside.unlink(missing_ok=True)
    beside.symlink_to(layout.prefix / "current/bin/affectd")
    beside.replace(layout.command)
    os.sync()


def _replace(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(target.name + ".new")
    shutil.copy(source, beside)
    beside.replace(target)


def _check(layout: Layout, new: Path) -> None:
    """Check the new release while the old one still runs: its parts load, and it accepts the configuration."""
    affectd = str(new / "bin/affectd")
    configurations = sorted(layout.configuration.parent.glob("*.yaml"))
    checks = [[affectd, "check-config", str(path)] for path in configurations]
    for command in [[affectd, "doctor", "--only", "runtime,bundle"], *checks]:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode < 0:
            raise InstallError(f"the new release died of signal {-done.returncode} at `{' '.join(command[1:])}`")
        if done.returncode:
            said = (done.stderr.strip() or done.stdout.strip()).splitlines()
            reasons = "; ".join(line.removeprefix("affectd: ") for line in said)
            raise InstallError(f"the new release does not start here: {reasons}")
    # Which bundle suits this machine, and how fast it is here. A slow board is told so, not refused.
    chosen = subprocess.run([affectd, "doctor", "--only", "bundle,speed"], capture_output=True, text=True, check=False)
    print(chosen.stdout, end="", flush=True)


def _current(layout: Layout) -> Path | None:
    """The current release, if there is a complete one."""
    if not layout.current.is_symlink():
        return None
    target = layout.releases / layout.current.readlink().name
    return target if (target / "complete").exists() else None


def _what_runs(old: Path | None, layout: Layout) -> str:
    if old is None:
        return "no earlier version is there to go on with"
    if layout.staged:
        return f"{old.name} is still the one in {layout.destdir}"
    goes_on = f"affectd {old.name} is still the one that runs"
    if layout.packaged:
        return f"{goes_on} (`sudo dpkg --configure affectd` tries again; installing its package again goes back to it)"
    return goes_on


def _tidy(layout: Layout, keep: Path | None) -> None:
    """Remove the rest of interrupted installations, and releases that are no longer current."""
    if not layout.staged:
        service.end_trial(layout)
    if layout.releases.is_dir():
        for path in layout.releases.iterdir():
            if path != keep and not (keep is None and (path / "complete").exists()):
                release.remove(path)


def _next(layout: Layout) -> str:
    return (
        f"next: set node and mqtt.host in {layout.configuration}, then `sudo systemctl restart affectd` and "
        "`sudo affectd doctor`"
    )


@contextlib.contextmanager
def _alone(layout: Layout) -> Iterator[None]:
    """Hold the lock that allows one installation at a time."""
    folder = layout.at(layout.prefix)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise InstallError(f"{folder} cannot be made: {error.strerror}") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise InstallError("another installation is at work: wait for it to end") from None
    finally:
        os.close(descriptor)
