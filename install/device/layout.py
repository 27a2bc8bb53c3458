"""The paths of an installation."""

from dataclasses import dataclass
from pathlib import Path

UNITS = ("affectd.service", "affectd@.service")
PREFIX = Path("/opt/affectd")


@dataclass(frozen=True)
class Layout:
    """Paths under ``destdir`` (``/``, or a staging folder); the program is under ``prefix``.

    A release is a folder that never changes once it is complete. ``current`` links to the one that runs; units and
    command go through it. ``packaged``: all that is not under ``prefix`` is dpkg's.
    """

    destdir: Path = Path("/")
    prefix: Path = PREFIX
    packaged: bool = False

    @property
    def staged(self) -> bool:
        """Whether this is a staging folder: nothing is started there and no user is created."""
        return self.destdir != Path("/")

    def at(self, path: Path | str) -> Path:
        """The device's ``path`` under ``destdir``."""
        return self.destdir / Path(path).relative_to("/")

    @property
    def releases(self) -> Path:
        """Where each release lies."""
        return self.at(self.prefix / "releases")

    @property
    def current(self) -> Path:
        """The link to the release that runs."""
        return self.at(self.prefix / "current")

    @property
    def configuration(self) -> Path:
        """The configuration of the only or first microphone."""
        return self.at("/etc/affectd/config.yaml")

    @property
    def state(self) -> Path:
        """What outlasts a release."""
        return self.at("/var/lib/affectd")

    @property
    def trial_units(self) -> Path:
        """Runtime units override those of /usr/local and are gone after a power cut (systemd.unit(5))."""
        return self.at("/run/systemd/system")

    @property
    def command(self) -> Path:
        """A link through ``current`` to the program."""
        return self.at("/usr/local/bin/affectd")

    def units(self) -> dict[Path, str]:
        """Unit files, and their names in a release's ``systemd/``.

        Copies, not links: `systemctl enable` would resolve a link and bind the unit to one release. A package has its
        units in /usr/lib, and has here those of the release that runs, for as long as an upgrade is unfinished: dpkg
        has replaced its own by then, and the release that runs may have to start once more.
        """
        return {self.at(f"/usr/local/lib/systemd/system/{unit}"): unit for unit in UNITS}

    def copies(self) -> dict[Path, str]:
        """sysusers.d(5) and tmpfiles.d(5) files, and their names in a release's ``systemd/``."""
        return {
            self.at("/etc/sysusers.d/affectd.conf"): "sysusers.conf",
            self.at("/etc/tmpfiles.d/affectd.conf"): "tmpfiles.conf",
        }
