"""The service: systemctl(1), and the trial of a new release before it becomes the current one."""

import subprocess
import time
from pathlib import Path

from install.device.errors import InstallError
from install.device.layout import UNITS, Layout
from install.device.release import unit_of

STEADY_S = 5.0  # how long a release must stay up after READY
_POLL_S = 0.25
_PATIENCE_S = 600.0  # for systemctl itself; the unit limits how long a start may take


def available() -> bool:
    """Whether systemd runs here; it does not while an image is made."""
    return Path("/run/systemd/system").is_dir()


def systemctl(*arguments: str, check: bool = True) -> str:
    """The output of ``systemctl``; InstallError with its last line if it fails and ``check`` is set."""
    try:
        done = subprocess.run(
            ["systemctl", "--no-pager", *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=_PATIENCE_S,
        )
    except FileNotFoundError:
        raise InstallError("systemctl is missing: affectd is a service of systemd") from None
    except subprocess.TimeoutExpired:
        raise InstallError(f"systemctl {' '.join(arguments)} did not return in {_PATIENCE_S:.0f} s") from None
    if check and done.returncode:
        lines = (done.stderr + done.stdout).strip().splitlines() or [f"exit code {done.returncode}"]
        raise InstallError(f"systemctl {' '.join(arguments)} failed: {lines[-1]}")
    return done.stdout


def instances() -> list[str]:
    """The units of affectd that systemd has loaded, whether they run or not."""
    listed = systemctl("list-units", "--all", "--plain", "--no-legend", "affectd.service", "affectd@*.service")
    return [line.split()[0] for line in listed.splitlines() if line.strip() and " not-found " not in line]


def wanted() -> list[str]:
    """The units that run, or should: an upgrade has to restart these and no others."""
    return [unit for unit in instances() if _state(unit)["ActiveState"] != "inactive" or _enabled(unit)]


def stand_trial(layout: Layout, release: Path, units: list[str]) -> str | None:
    """Start ``units`` from ``release``; returns why one did not come up and stay up, or None if all did.

    The trial's units are under /run: after a power cut, the next boot starts the previous release.
    """
    layout.trial_units.mkdir(parents=True, exist_ok=True)
    for unit in UNITS:
        (layout.trial_units / unit).write_text(unit_of(layout, release, unit))
    systemctl("daemon-reload")
    return start(units)


def end_trial(layout: Layout) -> None:
    """End the trial: the current release's units apply again."""
    present = [path for unit in UNITS if (path := layout.trial_units / unit).exists()]
    for path in present:
        path.unlink()
    if present:
        systemctl("daemon-reload")


def idle(units: list[str]) -> list[str]:
    """Those of ``units`` that do not run."""
    return [unit for unit in units if _state(unit)["ActiveState"] != "active"]


def start(units: list[str]) -> str | None:
    """Restart ``units``; returns why one did not come up and stay up, or None if all did."""
    if not units:
        return None
    began = time.time()
    systemctl("reset-failed", *units, check=False)
    try:
        systemctl("restart", *units)
    except InstallError as error:
        return _last_words(units, began) or str(error)
    restarts = {unit: _state(unit)["NRestarts"] for unit in units}
    deadline = time.monotonic() + STEADY_S
    while time.monotonic() < deadline:
        for unit in units:
            state = _state(unit)
            if state["ActiveState"] != "active" or state["NRestarts"] != restarts[unit]:
                return _last_words([unit], began) or f"{unit} did not stay up"
        time.sleep(_POLL_S)
    return None


def _state(unit: str) -> dict[str, str]:
    shown = systemctl("show", "--property=ActiveState,NRestarts,Result", unit)
    return dict(line.partition("=")[::2] for line in shown.splitlines() if "=" in line)


def _enabled(unit: str) -> bool:
    return systemctl("is-enabled", unit, check=False).strip() == "enabled"


def _last_words(units: list[str], since: float) -> str | None:
    """The last log line of the first of ``units`` that failed."""
    failed = next((unit for unit in units if _state(unit)["ActiveState"] != "active"), units[0])
    done = subprocess.run(
        ["journalctl", "--no-pager", "-q", "-o", "cat", f"--since=@{int(since)}", f"_SYSTEMD_UNIT={failed}"],
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
    result = _state(failed)["Result"]
    if result == "timeout":
        return f"{failed} was not ready within {systemctl('show', '--value', '-p', 'TimeoutStartUSec', failed).strip()}"
    return f"{failed} stopped and said: {lines[-1]}" if lines else None
