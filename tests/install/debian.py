"""A Debian that boots: systemd as PID 1 in namespaces of its own, reached by ssh like any other machine."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.install import emulator

_HERE = Path(__file__).parent
_DEBIAN = {"aarch64": "arm64", "x86_64": "amd64"}
# fmt: off
_PACKAGES = ["python3", "systemd", "systemd-sysv", "dbus", "openssh-server", "rsync", "mosquitto", "libportaudio2",
             "python3-pyaudio", "ca-certificates"]
# fmt: on


_CORTEX_A72 = (
    "processor\t: 0\nBogoMIPS\t: 108.00\nFeatures\t: fp asimd evtstrm crc32 cpuid\nCPU implementer\t: 0x41\n"
    "CPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: 0xd08\nCPU revision\t: 3\n"
)
# What services do without under qemu-user: it cannot clone into a mount namespace, which is where systemd sets up
# credentials, nor make a user namespace.
_EMULATED = """\
[Service]
ImportCredential=
LoadCredential=
LoadCredentialEncrypted=
SetCredential=
PrivateUsers=no
"""
# Debian 13's systemd compares the mount IDs of statx(2) before it enters a service's mounts. qemu-user has none, so it
# would stay outside, and nothing start: no mounts of a service's own. All the rest of its sandbox is in force.
_EMULATED_MOUNTS = """\
PrivateMounts=no
PrivateTmp=no
PrivateDevices=no
ProtectSystem=no
ProtectHome=no
ProtectKernelTunables=no
ProtectKernelModules=no
ProtectKernelLogs=no
ProtectControlGroups=no
ProtectProc=default
ReadWritePaths=
BindPaths=
"""


def make(architecture: str, cache: Path, suite: str = "bookworm", more: Sequence[str] = ()) -> Path:
    """A fresh Debian root; what mmdebstrap made is kept as ``base.tar`` beside it, while the packages are the same."""
    base, made_of, packages = cache / "base.tar", cache / "base.packages", [*_PACKAGES, *more]
    if not base.exists() or not made_of.exists() or made_of.read_text().split() != packages:
        cache.mkdir(parents=True, exist_ok=True)
        unfinished = cache / "unfinished.tar"
        # fmt: off
        # It looks for an emulator by a name of its own; tests.install.emulator has registered one.
        subprocess.run(["mmdebstrap", f"--arch={_DEBIAN[architecture]}", "--variant=minbase", "--skip=check/qemu",
                        "--mode=root", f"--include={','.join(packages)}", suite, str(unfinished)], check=True)
        # fmt: on
        unfinished.rename(base)
        made_of.write_text("\n".join(packages))
    root = cache / "root"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    subprocess.run(["tar", "-C", str(root), "--exclude=./dev/*", "-xpf", str(base)], check=True)
    if architecture == "aarch64":
        (root / "srv/cpuinfo").write_text(_CORTEX_A72)
        # Of another name than a unit has for its own, which would take its place.
        services = root / "etc/systemd/system/service.d"
        services.mkdir()
        mounts = "" if suite == "bookworm" else _EMULATED_MOUNTS
        (services / "qemu-user.conf").write_text(_EMULATED + mounts)
    return root


@dataclass
class Debian:
    """A root folder with an sshd and a mosquitto on ports of their own, on 127.0.0.1."""

    root: Path
    ssh_port: int
    mqtt_port: int
    key: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def ssh(self) -> list[str]:
        # fmt: off
        return ["ssh", "-p", str(self.ssh_port), "-i", str(self.key), "-o", "StrictHostKeyChecking=no",
                "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
        # fmt: on

    def run(self, script: str, *, check: bool = True) -> str:
        """What a shell script in there prints, stdout and stderr together."""
        done = subprocess.run(
            [*self.ssh, "root@127.0.0.1", script],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"{script!r} ended with {done.returncode}: {done.stdout}")
        return done.stdout

    def boot(self) -> None:
        """Start it and wait until ssh lets in."""
        log = self.root.with_name("boot.log").open("ab")
        self.process = subprocess.Popen(
            [str(_HERE / "boot"), str(self.root), f"affectd-{self.ssh_port}"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
        deadline = time.monotonic() + 900
        probe = [*self.ssh, "-o", "BatchMode=yes", "-o", "ConnectTimeout=20", "root@127.0.0.1"]
        probe.append("systemctl is-system-running --wait")
        while subprocess.run(probe, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode > 1:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"{self.root} does not boot: see {log.name}")
            time.sleep(0.5)

    def cut_power(self) -> None:
        """Everything in there dies at once, in the middle of whatever it does."""
        if self.process is not None and self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGKILL)
            self.process.wait()
        for line in Path("/proc/mounts").read_text().splitlines():
            _, folder, kind, *_ = line.split()
            group = Path(folder, f"affectd-{self.ssh_port}")
            if kind == "cgroup2" and group.exists():
                _remove_group(group)


def _remove_group(group: Path) -> None:
    """Once its processes are gone, which takes the kernel a moment."""
    deadline = time.monotonic() + 20
    while "populated 1" in (group / "cgroup.events").read_text() and time.monotonic() < deadline:
        time.sleep(0.1)
    for folder in sorted((path for path in group.rglob("*") if path.is_dir()), reverse=True):
        folder.rmdir()
    group.rmdir()


@contextlib.contextmanager
def booted(architecture: str, cache: Path, suite: str = "bookworm", more: Sequence[str] = ()) -> Iterator[Debian]:
    """A fresh Debian with ``more`` packages, running; it is gone afterwards."""
    cache = cache.resolve()
    with emulator.registered(cache.parent) if architecture == "aarch64" else contextlib.nullcontext():
        machine = _prepared(make(architecture, cache, suite, more), cache / "key")
        try:
            machine.boot()
            yield machine
        finally:
            machine.cut_power()


def _prepared(root: Path, key: Path) -> Debian:
    """The machine in this root, with ports of its own for ssh and MQTT, and a key that opens it."""
    if not key.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    machine = Debian(root, _free_port(), _free_port(), key)
    authorized = root / "root/.ssh/authorized_keys"
    authorized.parent.mkdir(mode=0o700, exist_ok=True)
    authorized.write_text(key.with_suffix(".pub").read_text())
    settings = f"Port {machine.ssh_port}\nListenAddress 127.0.0.1\nPermitRootLogin prohibit-password\nUsePAM no\n"
    (root / "etc/ssh/sshd_config.d/proof.conf").write_text(settings)
    shutil.rmtree(root / "etc/systemd/system/sockets.target.wants", ignore_errors=True)
    broker = f"listener {machine.mqtt_port} 127.0.0.1\nallow_anonymous true\n"
    (root / "etc/mosquitto/conf.d/proof.conf").write_text(broker)
    return machine


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
