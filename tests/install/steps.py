"""What the proofs of installation are made of: steps on one machine, editions of the sources, what is seen there."""

import contextlib
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from tests.install.debian import Debian

ROOT = Path(__file__).resolve().parents[2]
CONFIGURATION = """\
node: proof
source: {{kind: command, command: [/usr/bin/python3, /srv/proof/hum.py]}}
mqtt: {{host: 127.0.0.1, port: {port}}}
"""
_SLOW = "[Service]\nTimeoutStartSec=240\nWatchdogSec=240\n"
# A hum, in real time: so that the daemon hears something that is neither silence nor speech.
_HUM = """\
import array, math, sys, time
block = array.array("h", (int(300 * math.sin(i * 0.049)) for i in range(1600))).tobytes()
while True:
    sys.stdout.buffer.write(block)
    sys.stdout.buffer.flush()
    time.sleep(0.1)
"""


class Proof:
    """All steps on one machine; ``seen`` collects a line for each step, and ``record`` is called after each."""

    def __init__(
        self, machine: Debian, architecture: str, scratch: Path, record: Callable[["Proof"], object] = lambda _: None
    ) -> None:
        self.machine = machine
        self.architecture = architecture
        self.scratch = scratch
        self.record = record
        self.seen: list[tuple[str, str, float]] = []

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[list[str]]:
        """Times a step; the notes that it appends to the list go into the summary."""
        notes: list[str] = []
        began = time.monotonic()
        print(f"== {name}", flush=True)
        yield notes
        taken = time.monotonic() - began
        self.seen.append((name, "; ".join(notes), taken))
        print(f"   {'; '.join(notes)} ({taken:.0f} s)", flush=True)
        self.record(self)

    def cross_install(self, sources: Path) -> subprocess.CompletedProcess[str]:
        """What `make cross-install` runs, from ``sources``."""
        command = [sys.executable, "-m", "install", "there", "root@127.0.0.1", "--ssh", " ".join(self.machine.ssh)]
        return subprocess.run(
            [*command, "--into", str(self.scratch / "dist")], cwd=sources, capture_output=True, text=True, check=False
        )

    def version(self) -> str:
        return self.machine.run("affectd --version").split()[-1]

    def process(self) -> str:
        """Of the daemon: its main process and when it was started."""
        return self.machine.run("systemctl show -p MainPID,ExecMainStartTimestamp,ActiveState affectd").strip()

    def edition(self, version: str, change: Callable[[Path], None] = lambda _: None) -> Path:
        """The sources as they were at the beginning, with another version, and something else changed."""
        original, copy = self.scratch / "sources", self.scratch / f"sources-{version}"
        if not original.exists():
            for name in ("edge", "install", "systemd", "configs", "docs"):
                shutil.copytree(ROOT / name, original / name, ignore=shutil.ignore_patterns("__pycache__"))
            for name in ("pyproject.toml", "README.md", "LICENSE", "LICENSE-weights", "CHANGELOG.md"):
                shutil.copy(ROOT / name, original / name)
        shutil.copytree(original, copy)
        replace(copy / "edge/__init__.py", r'__version__ = ".*"', f'__version__ = "{version}"')
        change(copy)
        return copy


def prepare(proof: Proof) -> None:
    """Before the installation: a hum to be heard, and the time that the unit needs under the emulator."""
    machine = proof.machine
    machine.run("mkdir -p /srv/proof && chmod 755 /srv/proof")
    write(machine, "/srv/proof/hum.py", _HUM)
    if proof.architecture == "aarch64":
        machine.run("mkdir -p /etc/systemd/system/affectd.service.d")
        write(machine, "/etc/systemd/system/affectd.service.d/emulated.conf", _SLOW)


def replace(path: Path, pattern: str, replacement: str) -> None:
    text, count = re.subn(pattern, replacement, path.read_text(), count=1)
    assert count == 1, f"{path} has nothing like {pattern}"
    path.write_text(text)


def narrow_node(sources: Path) -> None:
    replace(sources / "edge/config/settings.py", r"\{1,40\}\$", "{1,3}$")


def die(sources: Path) -> None:
    _insert_in_run(sources, "raise __import__('edge.errors').errors.AffectdError('this release is broken on purpose')")


def hang(sources: Path) -> None:
    _insert_in_run(sources, "__import__('time').sleep(3600)")


def _insert_in_run(sources: Path, statement: str) -> None:
    replace(
        sources / "edge/cli/run.py",
        r"def run\(options: argparse.Namespace\) -> int:\n",
        f"def run(options: argparse.Namespace) -> int:\n    {statement}\n",
    )


def write(machine: Debian, path: str, text: str) -> None:
    (machine.root / path.lstrip("/")).write_text(text)


def files(machine: Debian) -> set[str]:
    """Every path but those that change by themselves."""
    alive = ("/proc", "/sys", "/dev", "/run", "/tmp", "/var/log", "/root/.cache", "/var/tmp/systemd-private-*")
    pruned = " -o ".join(f"-path '{path}'" for path in alive)
    listed = machine.run(
        f"find / \\( {pruned} -o -path /var/lib/mosquitto -o -path /var/lib/affectd/nodes \\) -prune -o -print"
    )
    return set(listed.splitlines())


def retained(port: int, pattern: str) -> dict[str, bytes]:
    """Retained messages, all of them: a marker that comes back behind them says when."""
    messages: dict[str, bytes] = {}
    done = False
    client = paho.Client(CallbackAPIVersion.VERSION2, "proof-watcher")

    def on_message(_client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        nonlocal done
        if message.topic == "proof/marker":
            done = True
        elif message.retain:
            messages[message.topic] = bytes(message.payload)

    client.on_message = on_message
    client.connect("127.0.0.1", port, 30)
    client.subscribe([(pattern, 1), ("proof/marker", 1)])
    client.publish("proof/marker", b"-", qos=1)
    deadline = time.monotonic() + 30
    while not done and time.monotonic() < deadline:
        client.loop(1)
    client.disconnect()
    assert done, "the broker does not answer"
    return messages
