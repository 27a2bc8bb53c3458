"""Installing over ssh, with a stand-in for ssh that runs the command in a home folder on this machine."""

import shutil
from pathlib import Path

import pytest

from install.device.errors import InstallError
from install.device.machine import Machine, canonical
from install.device.payload import load
from install.there import Device, Remote, ask, copy, install, objection, parse
from tests.conftest import ROOT
from tests.install.conftest import Make

PI = """\
architecture=aarch64
bits=64
python=3.11
user=1000
sudo=yes
systemd=yes
rsync=/usr/bin/rsync
pyaudio=
free=1000000
package=
"""


def device(**changes: str) -> Device:
    answers = dict(line.split("=", 1) for line in PI.splitlines()) | changes
    return parse("".join(f"{name}={value}\n" for name, value in answers.items()))


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    """A machine that is this one; its home is ``tmp_path/home``."""
    home = tmp_path / "home"
    home.mkdir()
    program = tmp_path / "ssh"
    program.write_text(
        f'#!/bin/sh\nwhile [ "${{1#-}}" != "$1" ]; do case $1 in -o|-p|-i|-l) shift;; esac; shift; done\n'
        f'shift\ncd {home} && HOME={home} exec sh -c "$*"\n'
    )
    program.chmod(0o755)
    return Remote("pi@kitchen", [str(program)])


@pytest.fixture
def unreachable(tmp_path: Path) -> Remote:
    program = tmp_path / "ssh"
    program.write_text("#!/bin/sh\necho 'ssh: connect to host kitchen port 22: No route to host' >&2\nexit 255\n")
    program.chmod(0o755)
    return Remote("pi@kitchen", [str(program)])


def test_a_device_is_what_it_says() -> None:
    assert device() == Device(
        Machine("aarch64", 64, (3, 11)), root=False, sudo=True, systemd=True, rsync=True, pyaudio=False,
        free=1024000000, package=False,
    )  # fmt: skip
    assert objection(device()) is None
    assert objection(device(package="config-files")) is None
    assert "sudo apt install ./affectd_*.deb" in str(objection(device(package="half-configured")))


def test_a_device_without_python_counts_as_having_too_old_a_one() -> None:
    assert device(python="").machine.python == (0, 0)


@pytest.mark.parametrize("answers", ["", "Welcome to kitchen\n", PI.replace("bits=64", "bits=")])
def test_a_device_that_does_not_answer_is_one_sentence(answers: str) -> None:
    with pytest.raises(InstallError, match="did not say what it is"):
        parse(answers)


def test_a_greeting_of_the_login_shell_does_not_matter() -> None:
    assert parse("Linux kitchen 6.6\n\n" + PI) == device()


@pytest.mark.parametrize(
    ("changes", "says"), [({"systemd": ""}, "systemd does not run there"), ({"sudo": ""}, "sudo asks for a password")]
)
def test_a_device_that_cannot_be_installed_on_as_it_is(
    changes: dict[str, str], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", open("/dev/null"))  # noqa: PTH123, SIM115 (no terminal to type a password into)
    assert says in str(objection(device(**changes)))


def test_a_host_that_is_away_is_named_with_the_reason(unreachable: Remote, tmp_path: Path) -> None:
    with pytest.raises(InstallError, match=r"pi@kitchen cannot be reached over ssh \(.*No route to host\)"):
        install(unreachable, ROOT, tmp_path)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("echo architecture=armv7l; echo bits=32", "a 32-bit system"),
        ("echo architecture=aarch64; echo bits=32", "with 32-bit programs"),
        ("echo architecture=mips64; echo bits=64", "mips64"),
    ],
)
def test_a_machine_that_is_not_suited_is_refused_before_anything_is_gathered(
    tmp_path: Path, answer: str, says: str
) -> None:
    program = tmp_path / "ssh"
    rest = "echo python=3.11; echo user=0; echo sudo=; echo systemd=yes; echo rsync=; echo pyaudio="
    rest += "; echo free=9; echo package="
    program.write_text(f"#!/bin/sh\n{answer}; {rest}\n")
    program.chmod(0o755)
    with pytest.raises(InstallError, match=says):
        install(Remote("pi@kitchen", [str(program)]), ROOT, tmp_path / "dist")
    assert not (tmp_path / "dist").exists()


def test_this_machine_answers_every_question(remote: Remote) -> None:
    here = ask(remote)
    assert (canonical(here.machine.architecture), here.machine.bits) == (
        canonical(Machine.here().architecture),
        Machine.here().bits,
    )
    assert here.free > 0


def test_a_payload_arrives_whole_without_rsync(remote: Remote, payload: Make, tmp_path: Path) -> None:
    one = payload("1.0")
    copy(remote, device(rsync=""), one)
    arrived = load(tmp_path / "home/.cache/affectd" / one.folder.name)
    assert arrived.digest == one.digest


@pytest.mark.skipif(not shutil.which("rsync"), reason="rsync is not installed")
def test_a_payload_arrives_whole_by_rsync_and_replaces_a_torn_one(
    remote: Remote, payload: Make, tmp_path: Path
) -> None:
    one = payload("1.0")
    there = tmp_path / "home/.cache/affectd" / one.folder.name
    shutil.copytree(one.folder, there)
    (there / "SHA256SUMS").write_text("torn")
    (there / "wheels/affectd-0.1-py3-none-any.whl").write_text("of an earlier version")
    copy(remote, device(), one)
    assert load(there).digest == one.digest
    assert not (there / "wheels/affectd-0.1-py3-none-any.whl").exists()


def test_a_full_disk_there_is_noticed_before_copying(remote: Remote, payload: Make) -> None:
    with pytest.raises(InstallError, match=r"disk is too full: the home folder has 1 MB"):
        copy(remote, device(free="1024"), payload("1.0"))
