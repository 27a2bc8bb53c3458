"""The payload: a folder with everything that a device needs, and checksums that reveal an incomplete copy.

It holds ``payload.json`` (what it is, and the sum of ``SHA256SUMS``), ``SHA256SUMS`` (of every other file, as
sha256sum(1) writes them), ``requirements.txt`` (each wheel with its hash), ``wheels/``, ``systemd/``, ``affectd.yaml``,
``guide.md``, ``NOTICE`` (licences), ``install/`` (this program) and ``setup``, which starts it.
"""

import hashlib
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from install.device.errors import InstallError
from install.device.machine import Version, dotted, parse_python

_SUMS, _CARD = "SHA256SUMS", "payload.json"


@dataclass(frozen=True)
class Payload:
    """What a payload was made for: it has wheels for each of ``pythons``.

    ``digest`` is the SHA-256 of its checksums, and so covers all files.
    """

    folder: Path
    version: str
    architecture: str
    pythons: tuple[Version, ...]
    digest: str

    @property
    def release(self) -> str:
        """Name of its release here: the version, eight digits of the digest, and the Python if it has a choice.

        An upgrade of the system's Python so makes another release of the same payload.
        """
        choice = f"-py{dotted(sys.version_info[:2])}" if len(self.pythons) > 1 else ""
        return f"{self.version}-{self.digest[:8]}{choice}"

    def wheels(self, python: Version) -> list[Path]:
        """The wheels but those that are compiled for another version of Python."""
        compiled = re.compile(r"-cp(\d)(\d+)-cp\1\2-")
        tags = {wheel: compiled.search(wheel.name) for wheel in sorted((self.folder / "wheels").iterdir())}
        return [wheel for wheel, tag in tags.items() if tag is None or (int(tag[1]), int(tag[2])) == python]


def seal(folder: Path, version: str, architecture: str, pythons: tuple[Version, ...]) -> Payload:
    """Write checksums and ``payload.json`` into an otherwise complete folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in {_SUMS, _CARD})
    (folder / _SUMS).write_text("".join(f"{_sha256(path)}  {path.relative_to(folder)}\n" for path in files))
    payload = Payload(folder, version, architecture, pythons, _sha256(folder / _SUMS))
    card = {
        "version": version,
        "architecture": architecture,
        "pythons": [dotted(python) for python in pythons],
        "sums": payload.digest,
    }
    (folder / _CARD).write_text(json.dumps(card, indent=1) + "\n")
    return payload


def load(folder: Path) -> Payload:
    """Read the payload in ``folder`` and check every file; InstallError if one is missing or damaged."""
    try:
        card = json.loads((folder / _CARD).read_text())
        pythons = tuple(parse_python(python) for python in card["pythons"])
        payload = Payload(folder, str(card["version"]), str(card["architecture"]), pythons, str(card["sums"]))
        sums = (folder / _SUMS).read_text()
    except (OSError, ValueError, KeyError, TypeError):
        raise InstallError(
            f"{folder} is no complete payload: copy it again, or make one with make wheelhouse"
        ) from None
    bad = [] if _sha256(folder / _SUMS) == payload.digest else [_SUMS]
    for line in sums.splitlines():
        expected, _, name = line.partition("  ")
        if not (folder / name).is_file() or _sha256(folder / name) != expected:
            bad.append(name)
    if bad:
        raise InstallError(
            f"the payload {folder} is incomplete, {len(bad)} of its files being missing or damaged "
            f"(such as {bad[0]}): copy it again"
        )
    return payload


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
