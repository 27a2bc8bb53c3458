"""Where everything lies on the device."""

from dataclasses import dataclass
from pathlib import Path

UNITS = ("affectd.service", "affectd@.service")
PREFIX = Path("/opt/affectd")


@dataclass(frozen=True)
class Layout:
    """Paths under ``destdir`` (a staging folder; ``/`` is the machine itself), the program's own under ``prefix``.

    A release is a folder that never changes once it is complete; ``current`` names the one that runs, and the units
    and the command point through it, so that one rename switches everything.
    """

    destdir: Path = Path("/")
    prefix: Path = PREFIX

    @property
    def staged(self) -> bool:
        """Whether this is a staging folder, in which nothing is started and no user made."""
        return self.destdir != Path("/")

    def at(self, path: Path | str) -> Path:
        """Where the device's ``path`` lies as seen from here."""
        return self.destdir / Path(path).relative_to("/")

    @property
    def releases(self) -> Path:
        return self.at(self.prefix / "releases")

    @property
    def current(self) -> Path:
        return self.at(self.prefix / "current")

    @property
    def configuration(self) -> Path:
        return self.at("/etc/affectd/config.yaml")

    @property
    def state(self) -> Path:
        return self.at("/var/lib/affectd")

    @property
    def trial_units(self) -> Path:
        """Runtime units come before those of /usr/local and are gone after a power cut (systemd.unit(5))."""
        return self.at("/run/systemd/system")

    def links(self) -> dict[Path, Path]:
        """Symbolic links into the current release: where each lies, and what it says."""
        current = self.prefix / "current"
        return {
            self.at("/usr/local/bin/affectd"): current / "bin/affectd",
            **{self.at(f"/usr/local/lib/systemd/system/{unit}"): current / "systemd" / unit for unit in UNITS},
        }

    def copies(self) -> dict[Path, str]:
        """Files that systemd wants to itself: where each lies, and its name in the release's ``systemd/``."""
        return {
            self.at("/etc/sysusers.d/affectd.conf"): "sysusers.conf",
            self.at("/etc/tmpfiles.d/affectd.conf"): "tmpfiles.conf",
        }
