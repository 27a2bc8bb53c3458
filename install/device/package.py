"""The Debian package, as the other ways of installing see it."""

import subprocess

from install.device.layout import Layout

STATUS = "dpkg-query --show --showformat '${db:Status-Status}' affectd"
INSTALLED = (
    "affectd is installed here as a Debian package: upgrade it with `sudo apt install ./affectd_*.deb`, or remove it "
    "first with `sudo apt remove affectd`"
)
_ABSENT = {"", "not-installed", "config-files"}  # the last one: removed, and not purged


def objection(layout: Layout) -> str | None:
    """Why this machine's affectd is not ours to change; None if it is."""
    if layout.staged or layout.packaged:
        return None
    try:
        done = subprocess.run(["sh", "-c", STATUS], capture_output=True, text=True, check=False)
    except OSError:
        return None
    return INSTALLED if is_installed(done.stdout) else None


def is_installed(status: str) -> bool:
    """Whether dpkg has the package, by what ``STATUS`` prints."""
    return status.strip() not in _ABSENT
