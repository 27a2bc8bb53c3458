"""Installation on another machine over ssh: ask what it is, copy what it needs, install there offline."""

import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from install import wheelhouse
from install.device import package
from install.device.errors import InstallError
from install.device.machine import Machine, canonical, parse_python, refusal
from install.device.payload import Payload

_FOLDER = ".cache/affectd"  # in the user's home: a second installation copies only what changed
_QUESTIONS = f"""
echo architecture=$(uname -m)
echo bits=$(getconf LONG_BIT)
echo python=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
echo user=$(id -u)
echo sudo=$(sudo -n true 2>/dev/null && echo yes)
echo systemd=$(test -d /run/systemd/system && echo yes)
echo rsync=$(command -v rsync)
echo pyaudio=$(test -d /usr/lib/python3/dist-packages/pyaudio && echo yes)
echo free=$(df -Pk "$HOME" | awk 'NR == 2 {{print $4}}')
echo package=$({package.STATUS} 2>/dev/null)
"""


@dataclass(frozen=True)
class Remote:
    """A machine under its name for ssh, and the ssh command that reaches it."""

    host: str
    ssh: list[str]

    def run(self, script: str, *, terminal: bool = False) -> subprocess.CompletedProcess[str]:
        """Run a shell script there; its output is returned, or with ``terminal`` shown live."""
        options = ["-t"] if terminal and sys.stdin.isatty() else ["-o", "BatchMode=yes"]
        command = [*self.ssh, "-o", "ConnectTimeout=15", *options, self.host, script]
        return subprocess.run(command, capture_output=not terminal, text=True, check=False)


@dataclass(frozen=True)
class Device:
    """The answers of the other machine; ``free`` in bytes, of the home folder."""

    machine: Machine
    root: bool
    sudo: bool
    systemd: bool
    rsync: bool
    pyaudio: bool
    free: int
    package: bool


def install(remote: Remote, root: Path, into: Path) -> None:
    """Gather the wheels for the device, copy them, install there offline, start, and wait until it is up."""
    device = ask(remote)
    reason = refusal(device.machine) or objection(device)
    if reason:
        raise InstallError(f"{remote.host}: {reason}")
    print(f"{remote.host} is {canonical(device.machine.architecture)}; gathering its wheels", flush=True)
    payload = wheelhouse.gather(root, canonical(device.machine.architecture), (device.machine.python,), into)
    if not device.pyaudio:
        print(
            "note: PyAudio has no wheel, and the distribution's is not there; for source.kind `microphone` run "
            f"`sudo apt-get install python3-pyaudio` on {remote.host} (source.kind `command` with arecord needs none)"
        )
    copy(remote, device, payload)
    _setup(remote, device, f"{_FOLDER}/{payload.folder.name}/setup", "install")


def uninstall(remote: Remote) -> None:
    """Remove affectd there, with its own setup program."""
    _setup(remote, ask(remote), "/opt/affectd/current/setup", "uninstall")


def ask(remote: Remote) -> Device:
    """Ask the machine what it is; InstallError if it cannot be reached."""
    done = remote.run(_QUESTIONS)
    if done.returncode == 255:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise InstallError(f"{remote.host} cannot be reached over ssh ({reason}): does `ssh {remote.host}` work?")
    return parse(done.stdout)


def parse(answers: str) -> Device:
    """Parse the answers to ``_QUESTIONS``; InstallError if one is missing."""
    said = dict(line.partition("=")[::2] for line in answers.splitlines() if "=" in line)
    try:
        python = parse_python(said["python"]) if said["python"] else (0, 0)
        return Device(
            machine=Machine(said["architecture"], int(said["bits"]), python),
            root=said["user"] == "0",
            sudo=said["sudo"] == "yes",
            systemd=said["systemd"] == "yes",
            rsync=bool(said["rsync"]),
            pyaudio=said["pyaudio"] == "yes",
            free=int(said["free"]) * 1024,
            package=package.is_installed(said["package"]),
        )
    except (KeyError, ValueError):
        raise InstallError("the machine did not say what it is: it needs a POSIX shell, getconf and df") from None


def objection(device: Device) -> str | None:
    """Why affectd cannot be installed there in the machine's present state; None if it can."""
    if not device.systemd:
        return "systemd does not run there, and affectd is a service of systemd"
    if device.package:
        return package.INSTALLED
    if not device.root and not device.sudo and not sys.stdin.isatty():
        return "sudo asks for a password there: log in as root, or start this from a terminal"
    return None


def copy(remote: Remote, device: Device, payload: Payload) -> None:
    """Copy the payload, by rsync where both sides have it, otherwise as one tar."""
    size = sum(path.stat().st_size for path in payload.folder.rglob("*") if path.is_file())
    if device.free < size:
        raise InstallError(
            f"{remote.host}: the disk is too full: the home folder has {device.free >> 20} MB left "
            f"and the payload has {size >> 20} MB"
        )
    folder = f"{_FOLDER}/{payload.folder.name}"
    made = remote.run(f"mkdir -p {shlex.quote(folder)}")
    if device.rsync and shutil.which("rsync"):
        # fmt: off
        copied = subprocess.run(
            ["rsync", "--archive", "--delete", "--rsh", shlex.join(remote.ssh), f"{payload.folder}/",
             f"{remote.host}:{folder}/"], capture_output=True, text=True, check=False)
        # fmt: on
    else:
        packed = subprocess.Popen(["tar", "-C", str(payload.folder), "-cf", "-", "."], stdout=subprocess.PIPE)
        unpack = f"rm -rf {shlex.quote(folder)} && mkdir -p {shlex.quote(folder)} && tar -C {shlex.quote(folder)} -xf -"
        command = [*remote.ssh, "-o", "BatchMode=yes", remote.host, unpack]
        copied = subprocess.run(command, stdin=packed.stdout, capture_output=True, text=True, check=False)
        packed.communicate()
    if made.returncode or copied.returncode:
        reason = ((made.stderr + copied.stderr).strip().splitlines() or ["the connection ended"])[-1]
        raise InstallError(f"the payload could not be copied to {remote.host}: {reason}")


def _setup(remote: Remote, device: Device, program: str, action: str) -> None:
    sudo = "" if device.root else "sudo "
    done = remote.run(f"{sudo}sh {program} {action}", terminal=True)
    if done.returncode:
        raise InstallError(f"{remote.host}: {action} ended with exit code {done.returncode}; the line above says why")
