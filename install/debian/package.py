"""Builds the Debian package: a payload, and around it the files that dpkg owns."""

import datetime
import gzip
import hashlib
import os
import shutil
import subprocess
import tempfile
import textwrap
from pathlib import Path

from edge.cli import parser
from edge.config import schema
from edge.config.settings import Config
from install import notice
from install.debian import commands, completion, manual
from install.device.errors import InstallError
from install.device.layout import PREFIX, UNITS, Layout
from install.device.machine import ARCHITECTURES, dotted
from install.device.payload import Payload
from install.device.release import filled

PYTHONS = ((3, 11), (3, 13))  # of Debian 12 and 13
DEBIAN = dict(zip(ARCHITECTURES, ("arm64", "amd64"), strict=True))
_HERE = Path(__file__).parent
_SCRIPTS = ("preinst", "postinst", "prerm", "postrm")
_MAINTAINER = "affectd <affectd@localhost.localdomain>"
_CONTROL = """\
Package: affectd
Version: {version}
Architecture: {architecture}
Maintainer: {maintainer}
Installed-Size: {size}
Depends: python3 (>= 3.11), python3 (<< 3.14), libc6 (>= 2.36), libstdc++6, zlib1g, systemd
Recommends: python3-pyaudio
Suggests: mosquitto, alsa-utils, ffmpeg
Section: sound
Priority: optional
Description: hears how people sound, says why, and publishes it over MQTT
 affectd is a daemon for a Raspberry Pi or a similar board. It listens all the
 time, wakes for speech alone, names the emotion of each utterance and says
 why, and publishes that over MQTT for Home Assistant and others.
 .
 No audio is stored, and none leaves the device.
"""
# Debian's own changelog, under the name that a version without a Debian revision asks for (policy 12.7).
_CHANGELOG = """\
affectd ({version}) unstable; urgency=medium

  * Version {version}; /usr/share/doc/affectd/CHANGELOG.md.gz says what is new.

 -- {maintainer}  {date}
"""
_COPYRIGHT = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: affectd
Comment: The texts of all third-party licences are in /usr/share/doc/affectd/NOTICE.

Files: *
Copyright: {holder}
License: Expat

Files: opt/affectd/payload/wheels/affectd-*.whl
Copyright: {holder}
License: Expat and LicenseRef-affectd-weights
Comment: Code and networks; the networks (edge/models) are under LicenseRef-affectd-weights.

{wheels}License: Expat
{expat}
License: LicenseRef-affectd-weights
{weights}"""
_WHEEL = """\
Files: opt/affectd/payload/wheels/{file}-*.whl
Copyright: its authors, see /usr/share/doc/affectd/NOTICE
License: {name}-licence
 {licence}; the text is in /usr/share/doc/affectd/NOTICE.

"""


def build(root: Path, payload: Payload, into: Path, epoch: int) -> Path:
    """Make affectd_VERSION_ARCH.deb in ``into`` from a payload of the sources in ``root``.

    ``epoch`` is the time of every file in it, in seconds since 1970: the same input gives the same package.
    """
    architecture = DEBIAN[payload.architecture]
    target = into / f"affectd_{payload.version}_{architecture}.deb"
    with tempfile.TemporaryDirectory(prefix="affectd-") as scratch:
        tree = Path(scratch, "tree")
        _place(root, payload, tree, datetime.datetime.fromtimestamp(epoch, datetime.UTC))
        _describe(payload, architecture, tree)
        _settle(tree, epoch)
        finished = Path(scratch, target.name)
        # Wheels are compressed already: xz would make the package 3 % smaller, and take long to unpack on a Pi.
        command = [
            "dpkg-deb",
            "--root-owner-group",
            "-Znone",
            "--no-uniform-compression",
            "--build",
            str(tree),
            str(finished),
        ]
        environment = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch)}
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        except FileNotFoundError:
            raise InstallError("dpkg-deb is missing: sudo apt-get install dpkg") from None
        if done.returncode:
            raise InstallError(f"dpkg-deb failed: {(done.stderr.strip().splitlines() or ['no reason given'])[-1]}")
        shutil.move(finished, target)
    return target


def epoch_of(root: Path) -> int:
    """$SOURCE_DATE_EPOCH, else the time of the last commit, else that of the oldest zip file."""
    if "SOURCE_DATE_EPOCH" in os.environ:
        return int(os.environ["SOURCE_DATE_EPOCH"])
    command = ["git", "-C", str(root), "log", "-1", "--format=%ct"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except FileNotFoundError:
        said = ""
    return int(said or 315532800)


def _place(root: Path, payload: Payload, tree: Path, when: datetime.datetime) -> None:
    """Everything that dpkg unpacks."""
    folder, layout, version = payload.folder, Layout(), payload.version
    shutil.copytree(folder, tree / PREFIX.relative_to("/") / "payload")
    for unit in UNITS:
        _write(tree / "usr/lib/systemd/system" / unit, filled((folder / "systemd" / unit).read_text(), layout))
    _write(tree / "usr/lib/sysusers.d/affectd.conf", (folder / "systemd/sysusers.conf").read_text())
    _write(tree / "usr/lib/tmpfiles.d/affectd.conf", (folder / "systemd/tmpfiles.conf").read_text())
    _write(tree / "etc/affectd/config.yaml", (folder / "affectd.yaml").read_text())
    link = tree / "usr/bin/affectd"
    link.parent.mkdir(parents=True)
    link.symlink_to(PREFIX / "current/bin/affectd")

    affectd, share = commands.read(parser()), tree / "usr/share"
    _pack(share / "man/man1/affectd.1.gz", manual.command(affectd, version, when.date()))
    _pack(share / "man/man5/affectd.yaml.5.gz", manual.configuration(schema.settings(Config), version, when.date()))
    _write(share / "bash-completion/completions/affectd", completion.bash(affectd))
    _write(share / "zsh/vendor-completions/_affectd", completion.zsh())
    _write(share / "lintian/overrides/affectd", (_HERE / "lintian-overrides").read_text())
    documents = share / "doc/affectd"
    _write(documents / "guide.md", (folder / "guide.md").read_text())
    _write(documents / "NOTICE", (folder / "NOTICE").read_text())
    _write(documents / "LICENSE-weights", (root / "LICENSE-weights").read_text())
    _write(documents / "copyright", _copyright(root, payload))
    _write(documents / "examples/mosquitto-affectd.conf", (folder / "systemd/mosquitto-affectd.conf").read_text())
    _pack(documents / "CHANGELOG.md.gz", (root / "CHANGELOG.md").read_text())
    date = when.strftime("%a, %d %b %Y %H:%M:%S +0000")
    _pack(documents / "changelog.gz", _CHANGELOG.format(version=version, maintainer=_MAINTAINER, date=date))


def _describe(payload: Payload, architecture: str, tree: Path) -> None:
    """The control files; call it last, for it counts the others."""
    files = sorted(path for path in tree.rglob("*") if path.is_file() and not path.is_symlink())
    control = tree / "DEBIAN"
    sums = "".join(f"{hashlib.md5(path.read_bytes()).hexdigest()}  {path.relative_to(tree)}\n" for path in files)  # noqa: S324 (dpkg's format)
    _write(control / "md5sums", sums)
    _write(control / "conffiles", "/etc/affectd/config.yaml\n")
    _write(control / "triggers", (_HERE / "triggers").read_text())
    size = sum(-(-path.stat().st_size // 1024) for path in files)
    _write(
        control / "control",
        _CONTROL.format(version=payload.version, architecture=architecture, maintainer=_MAINTAINER, size=size),
    )
    for name in _SCRIPTS:
        text = (_HERE / name).read_text().replace("@ARCHITECTURE@", architecture)
        _write(control / name, text.replace("@PYTHONS@", " ".join(map(dotted, payload.pythons))))
        (control / name).chmod(0o755)


def _copyright(root: Path, payload: Payload) -> str:
    """The copyright file, in Debian's machine-readable format."""
    terms, expat = (root / "LICENSE").read_text().partition("\n\n")[2].split("\n\n", 1)
    wheels = [part for part in notice.parts_of(payload.folder.glob("wheels/*.whl")) if part.name != "affectd"]
    return _COPYRIGHT.format(
        holder=terms.removeprefix("Copyright (c) "),
        wheels="".join(
            _WHEEL.format(file=part.name.replace("-", "_"), name=part.name, licence=part.licence) for part in wheels
        ),
        expat=_paragraph(expat),
        weights=_paragraph((root / "LICENSE-weights").read_text()),
    )


def _paragraph(text: str) -> str:
    """A multi-line value of a control file."""
    return textwrap.indent("".join(f"{line}\n" if line.strip() else ".\n" for line in text.strip().splitlines()), " ")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _pack(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))


def _settle(tree: Path, epoch: int) -> None:
    """Modes and times that do not depend on who builds it, when, or with which umask."""
    for path in [tree, *tree.rglob("*")]:
        if not path.is_symlink():
            executable = (
                path.is_dir() or path.name == "setup" or (path.parent.name == "DEBIAN" and path.name in _SCRIPTS)
            )
            path.chmod(0o755 if executable else 0o644)
        os.utime(path, (epoch, epoch), follow_symlinks=False)
