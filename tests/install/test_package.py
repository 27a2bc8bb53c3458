"""The Debian package: what is in it, that it is always the same, and what its scripts refuse."""

import gzip
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from edge.cli import parser
from edge.config import schema
from edge.config.settings import Config
from install import notice
from install.debian import commands, completion
from install.debian.package import DEBIAN, build, epoch_of
from install.device import package
from install.device.errors import InstallError
from install.device.layout import Layout
from install.device.payload import Payload
from tests.conftest import ROOT
from tests.install.conftest import Make

EPOCH = 1_700_000_000
SCRIPTS = ("preinst", "postinst", "prerm", "postrm")

needs_dpkg = pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="dpkg is not installed")


@pytest.fixture
def built(payload: Make, tmp_path: Path) -> Path:
    return build(ROOT, payload("1.0"), tmp_path, EPOCH)


@pytest.fixture
def unpacked(built: Path, tmp_path: Path) -> Path:
    """The package's files, and its control files under DEBIAN."""
    subprocess.run(["dpkg-deb", "--raw-extract", str(built), str(tmp_path / "tree")], check=True)
    return tmp_path / "tree"


def text_of(packed: Path) -> str:
    return gzip.decompress(packed.read_bytes()).decode()


@needs_dpkg
def test_dpkg_owns_everything_but_the_environment(unpacked: Path, payload: Make) -> None:
    files = {str(path.relative_to(unpacked)) for path in unpacked.rglob("*") if not path.is_dir()}
    assert {
        "etc/affectd/config.yaml", "opt/affectd/payload/setup", "opt/affectd/payload/SHA256SUMS", "usr/bin/affectd",
        "usr/lib/systemd/system/affectd.service", "usr/lib/systemd/system/affectd@.service",
        "usr/lib/sysusers.d/affectd.conf", "usr/lib/tmpfiles.d/affectd.conf", "usr/share/doc/affectd/copyright",
        "usr/share/doc/affectd/NOTICE", "usr/share/doc/affectd/LICENSE-weights", "usr/share/man/man1/affectd.1.gz",
        "usr/share/man/man5/affectd.yaml.5.gz", "usr/share/bash-completion/completions/affectd",
        "usr/share/zsh/vendor-completions/_affectd", "usr/share/doc/affectd/changelog.gz",
    } <= files  # fmt: skip
    assert (unpacked / "DEBIAN/conffiles").read_text() == "/etc/affectd/config.yaml\n"
    unit = (unpacked / "usr/lib/systemd/system/affectd.service").read_text()
    assert "ExecStart=/opt/affectd/current/bin/affectd run" in unit
    assert "@" not in unit.replace("@system-service", "").replace("@privileged", "").replace("@resources", "").replace(
        "affectd@", ""
    )


@needs_dpkg
def test_the_same_input_makes_the_same_package(payload: Make, tmp_path: Path) -> None:
    one = payload("1.0")
    first = build(ROOT, one, tmp_path, EPOCH).read_bytes()
    for path in one.folder.rglob("*"):  # copied again, by someone with another umask
        os.utime(path, (EPOCH + 5, EPOCH + 5))
        path.chmod(0o700)
    old = os.umask(0o077)
    try:
        assert build(ROOT, one, tmp_path, EPOCH).read_bytes() == first
    finally:
        os.umask(old)
    assert build(ROOT, one, tmp_path, EPOCH + 60).read_bytes() != first


def test_the_time_of_a_package_is_that_of_its_sources(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "77")
    assert epoch_of(ROOT) == 77
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert epoch_of(tmp_path) == 315532800


@needs_dpkg
@pytest.mark.skipif(not shutil.which("lintian"), reason="lintian is not installed")
def test_lintian_finds_nothing(built: Path) -> None:
    done = subprocess.run(
        ["lintian", "--allow-root", "--fail-on", "error,warning", str(built)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout == ""


@needs_dpkg
def test_the_manual_names_every_command_option_and_key(unpacked: Path) -> None:
    affectd = text_of(unpacked / "usr/share/man/man1/affectd.1.gz").replace("\\-", "-")
    for one in commands.read(parser()).commands:
        assert one.names[0] in affectd
        for option in one.options:
            assert option.flags[-1] in affectd
    settings = text_of(unpacked / "usr/share/man/man5/affectd.yaml.5.gz").replace("\\-", "-")
    for setting in schema.settings(Config):
        assert f".B {setting.key}\n" in settings


@pytest.mark.skipif(not shutil.which("bash"), reason="bash is not installed")
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        (["affectd", "che"], ["check-config"]),
        (["affectd", "analyse", "--explain", "fa"], ["families"]),
        (["affectd", "analyse", "--who"], ["--whole"]),
        (["affectd", "bundle", "ver"], ["verify"]),
        (["affectd", "uninstall", "--cl"], ["--clear"]),
        (["affectd", "run", "--config", ""], []),
        (["affectd", "analyse", "run", "--wh"], ["--whole"]),
    ],
)
def test_bash_completes(tmp_path: Path, line: list[str], offered: list[str]) -> None:
    script = tmp_path / "affectd"
    script.write_text(completion.bash(commands.read(parser())))
    words = " ".join(f"'{word}'" for word in line)
    asked = f". {script}; COMP_WORDS=({words}); COMP_CWORD={len(line) - 1}; _affectd; echo ${{COMPREPLY[*]}}"
    done = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert done.stdout.split() == offered


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_maintainer_script_is_a_shell_script(script: str) -> None:
    path = ROOT / "install/debian" / script
    subprocess.run(["sh", "-n", str(path)], check=True)
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", str(path)], check=True)


def preinst(tmp_path: Path, architecture: str = "arm64", python: str = "3.11") -> "subprocess.CompletedProcess[str]":
    """The package's first script on a system that says this of itself."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, said in (("dpkg", architecture), ("python3", python)):
        (programs / name).write_text(f"#!/bin/sh\necho {said}\n")
        (programs / name).chmod(0o755)
    script = (ROOT / "install/debian/preinst").read_text()
    script = script.replace("@ARCHITECTURE@", "arm64").replace("@PYTHONS@", "3.11 3.13")
    script = script.replace("/usr/bin/python3", str(programs / "python3")).replace("/usr/local/bin", str(tmp_path))
    return subprocess.run(
        ["sh", "-c", script, "preinst", "install"],
        env={"PATH": f"{programs}:{os.environ['PATH']}"}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_system_that_suits_is_taken(tmp_path: Path) -> None:
    done = preinst(tmp_path, python="3.13")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("system", "says"),
    [
        ({"architecture": "armhf"}, "this package is for arm64, and this system is armhf"),
        ({"architecture": "amd64"}, "this package is for arm64, and this system is amd64"),
        ({"python": "3.9"}, "Python 3.11 and 3.13, and"),
        ({"python": "3.12"}, "here is 3.12"),
    ],
)
def test_any_other_is_refused_in_one_sentence(tmp_path: Path, system: dict[str, str], says: str) -> None:
    done = preinst(tmp_path, **system)
    assert done.returncode == 1
    assert done.stderr.startswith("affectd: ")
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_installation_of_make_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "affectd").symlink_to("/opt/affectd/current/bin/affectd")
    done = preinst(tmp_path)
    assert done.returncode == 1
    assert "sudo /opt/affectd/current/setup uninstall" in done.stderr


@pytest.mark.parametrize(
    ("status", "refused"), [("installed", True), ("half-configured", True), ("config-files", False), ("", False)]
)
def test_make_install_refuses_where_the_package_is(
    payload: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: str, refused: bool
) -> None:
    query = tmp_path / "dpkg-query"
    query.write_text(f"#!/bin/sh\nprintf '%s' '{status}'\n")
    query.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert bool(package.objection(Layout())) is refused
    assert package.objection(Layout(packaged=True)) is None
    assert package.objection(Layout(destdir=tmp_path)) is None
    if refused:
        done = subprocess.run(
            ["sh", str(payload("1.0").folder / "setup"), "install"],
            env={**os.environ, "PYTHON": sys.executable}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 1
        assert "sudo apt install ./affectd_*.deb" in done.stderr
        assert done.stderr.count("\n") == 1


def test_a_payload_for_several_pythons_makes_a_release_for_each(tmp_path: Path) -> None:
    here = sys.version_info[:2]
    one = Payload(tmp_path, "1.0", "x86_64", (here,), "0123456789abcdef")
    assert one.release == "1.0-01234567"
    several = replace(one, pythons=(here, (3, 99)))
    assert several.release == f"1.0-01234567-py{here[0]}.{here[1]}"


def test_room_is_asked_for_one_python_only(tmp_path: Path) -> None:
    names = [
        "a-1-cp311-cp311-linux.whl",
        "a-1-cp313-cp313-linux.whl",
        "b-1-cp310-abi3-linux.whl",
        "c-1-py3-none-any.whl",
    ]
    (tmp_path / "wheels").mkdir()
    for name in names:
        (tmp_path / "wheels" / name).touch()
    payload = Payload(tmp_path, "1.0", "x86_64", ((3, 11), (3, 13)), "0")
    assert [wheel.name for wheel in payload.wheels((3, 13))] == names[1:]


def wheel(folder: Path, metadata: str, **texts: str) -> Path:
    path = folder / "part-2.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            "part-2.0.dist-info/METADATA", f"Metadata-Version: 2.4\nName: part\nVersion: 2.0\n{metadata}\n"
        )
        for name, text in texts.items():
            archive.writestr(f"part-2.0.dist-info/{name}", text)
    return path


def test_the_notice_names_every_part_with_its_licence_and_text(tmp_path: Path) -> None:
    said = notice.render(
        [wheel(tmp_path, "License-Expression: MIT-0\nLicense-File: terms", **{"licenses/terms": "do it"})]
    )
    assert "part                 2.0            MIT-0" in said
    assert "do it" in said


def test_an_apache_part_without_a_text_gets_it(tmp_path: Path) -> None:
    assert "Version 2.0, January 2004" in notice.render([wheel(tmp_path, "License: Apache 2.0")])


@pytest.mark.parametrize(("metadata", "says"), [("", "names no licence"), ("License: MIT", "has no text of it")])
def test_a_part_that_may_not_be_delivered_stops_the_build(tmp_path: Path, metadata: str, says: str) -> None:
    with pytest.raises(InstallError, match=says):
        notice.render([wheel(tmp_path, metadata)])


def test_every_supported_architecture_has_a_name_in_debian() -> None:
    assert DEBIAN == {"aarch64": "arm64", "x86_64": "amd64"}
