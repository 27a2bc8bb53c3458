"""The notice of third-party parts: each wheel's name, version, licence and licence texts, from the wheel itself."""

import re
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path

from install.device.errors import InstallError

# Also the licences of what is copied into a wheel's libraries: ThirdPartyNotices.txt, license_notes.md, silero.txt.
_TEXT = re.compile(
    r"^(licen[cs]e[^/]*|[^/]*_license|copying[^/]*|notice[^/]*|thirdpartynotices[^/]*|edl-v10|epl-v20|silero\.txt)$"
)
_SOURCE = (".py", ".pyi", ".pyc")
_APACHE = Path(__file__).parent / "licences" / "Apache-2.0"
_RULE = "=" * 100
_HEAD = """\
Third-party parts that affectd is delivered with, and their licences

Generated from the wheels, at the time when they were gathered. affectd's own licence and that of its networks are under
`affectd`.

"""


@dataclass(frozen=True)
class Part:
    """One wheel; ``texts`` are its licence texts, each with the names of the files that hold it."""

    name: str
    version: str
    licence: str
    texts: tuple[tuple[tuple[str, ...], str], ...]


def render(wheels: Iterable[Path]) -> str:
    """The notice of ``wheels``: a table, then the texts; InstallError if a wheel has no licence or no text of it."""
    parts = parts_of(wheels)
    table = "".join(f"  {part.name:20} {part.version:14} {part.licence}\n" for part in parts)
    return (
        _HEAD
        + table
        + "".join(f"\n{_RULE}\n{part.name} {part.version}: {part.licence}\n{_texts(part)}" for part in parts)
    )


def parts_of(wheels: Iterable[Path]) -> list[Part]:
    """One part for each name and version: wheels of one release for several Pythons have the same licence."""
    parts: dict[tuple[str, str], Part] = {}
    for wheel in wheels:
        part = read(wheel)
        parts.setdefault((part.name.lower(), part.version), part)
    return [parts[key] for key in sorted(parts)]


def read(wheel: Path) -> Part:
    """What ``wheel`` says of itself; InstallError if it has no licence, or no text of it."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        card = next(name for name in names if re.fullmatch(r"[^/]+\.dist-info/METADATA", name))
        metadata = HeaderParser().parsestr(archive.read(card).decode())
        declared = {f"licenses/{file}" for file in metadata.get_all("License-File", [])}
        texts: dict[str, list[str]] = {}
        for name in sorted(names):
            within = name.partition(".dist-info/")[2]
            if within in declared or (_TEXT.match(name.split("/")[-1].lower()) and not name.endswith((*_SOURCE, "/"))):
                texts.setdefault(archive.read(name).decode("utf-8", "replace").strip(), []).append(name)
    licence = _licence(metadata)
    if not licence:
        raise InstallError(f"{wheel.name} names no licence: affectd may not deliver it; ask its authors")
    if not texts and licence.startswith("Apache"):
        texts[_APACHE.read_text().strip()] = ["Apache License 2.0"]
    if not texts:
        raise InstallError(f"{wheel.name} is under {licence} and has no text of it: put one into install/licences")
    return Part(
        str(metadata["Name"]), str(metadata["Version"]), licence,
        tuple((tuple(files), text) for text, files in texts.items()),
    )  # fmt: skip


def _licence(metadata: Message) -> str:
    """The licence's short name, from the newest of the three fields that have held it."""
    stated = metadata["License-Expression"] or metadata["License"]
    if not stated:
        classifiers = [one for one in metadata.get_all("Classifier", []) if one.startswith("License :: ")]
        stated = " AND ".join(one.split(" :: ")[-1] for one in classifiers)
    return (str(stated).strip().splitlines() or [""])[0]


def _texts(part: Part) -> str:
    return "".join(f"\n--- {', '.join(files)}\n\n{text}\n" for files, text in part.texts)
