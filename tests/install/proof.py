"""Proof of installation: over ssh into a Debian of another architecture, and what may go wrong with it.

    python -m tests.install.proof --architecture aarch64 --summary docs/arm64.md

Needs root, mmdebstrap, and for aarch64 qemu-user in binfmt_misc. Each step asserts; the summary lists what was seen.
"""

import argparse
import contextlib
import datetime
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from edge.daemon.clock import TIMEDATED
from tests.install.debian import Debian, booted

ROOT = Path(__file__).resolve().parents[2]
_TOLERANCE = 1e-3
_CLIPS = 8
CONFIGURATION = """\
node: proof
source: {{kind: command, command: [/usr/bin/python3, /srv/proof/hum.py]}}
mqtt: {{host: 127.0.0.1, port: {port}}}
"""
# qemu-user 7.2 can neither mount credentials nor make a user namespace, and is slow.
EMULATED = "[Service]\nTimeoutStartSec=240\nWatchdogSec=240\nLoadCredential=\nPrivateUsers=no\n"
# In place of the daemon, once; what it prints, and why it fails, goes to a file.
_ASK = """\
[Service]
Type=oneshot
ExecStart=
ExecStart=/usr/bin/{command}
Restart=no
WatchdogSec=0
StandardOutput=truncate:/srv/proof/clock
StandardError=append:/srv/proof/clock
"""
# A hum, in real time: so that the daemon hears something that is neither silence nor speech.
HUM = """\
import array, math, sys, time
block = array.array("h", (int(300 * math.sin(i * 0.049)) for i in range(1600))).tobytes()
while True:
    sys.stdout.buffer.write(block)
    sys.stdout.buffer.flush()
    time.sleep(0.1)
"""


class Proof:
    """All steps on one machine; ``seen`` collects a line for each step."""

    def __init__(self, machine: Debian, architecture: str, scratch: Path, page: Path | None) -> None:
        self.machine = machine
        self.architecture = architecture
        self.scratch = scratch
        self.page = page
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
        if self.page:
            self.page.write_text(summary(self))

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


def replace(path: Path, pattern: str, replacement: str) -> None:
    text, count = re.subn(pattern, replacement, path.read_text(), count=1)
    assert count == 1, f"{path} has nothing like {pattern}"
    path.write_text(text)


def first_installation(proof: Proof) -> None:
    machine = proof.machine
    with proof.step("first installation over ssh, offline there") as notes:
        machine.run("mkdir -p /etc/affectd /srv/proof && chmod 755 /srv/proof")
        write(machine, "/srv/proof/hum.py", HUM)
        if proof.architecture == "aarch64":
            machine.run("mkdir -p /etc/systemd/system/affectd.service.d")
            write(machine, "/etc/systemd/system/affectd.service.d/emulated.conf", EMULATED)
            notes.append("for the emulator's sake without LoadCredential= and PrivateUsers=, and with 240 s to start")
        write(machine, "/etc/affectd/config.yaml", CONFIGURATION.format(port=machine.mqtt_port))
        sources = proof.edition("0.9.0")
        done = proof.cross_install(sources)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "is running" in done.stdout, done.stdout
        notes.append(machine.run("uname -m").strip())
        notes.append(machine.run("python3 --version").strip())
        notes.append(
            f"affectd {proof.version()} is running as {machine.run('ps -o user= -C affectd').strip().splitlines()[0]}"
        )
        notes.append(f"{machine.run('du -sm /opt/affectd').split()[0]} MB under /opt/affectd")
        said = done.stdout.strip().splitlines()[-1]
        notes.append(f"last line: `{said}`")
    with proof.step("what the broker hears from it") as notes:
        heard = retained(machine.mqtt_port, "affectd/proof/#")
        assert heard.get("affectd/proof/status") == b"online", heard
        notes.append(f"{len(heard)} retained topics, status online")
    doctor(proof)
    clock(proof)
    with proof.step("the same installation again changes nothing") as notes:
        before, there = proof.process(), files(machine)
        done = proof.cross_install(sources)
        assert done.returncode == 0, done.stdout + done.stderr
        assert proof.process() == before
        assert files(machine) == there
        notes.append("same process, same files")


def clock(proof: Proof) -> None:
    """The daemon takes any failure for a clock that is not synchronised: so ask as it does, in the same sandbox."""
    machine = proof.machine
    with proof.step("whether the clock is synchronised, asked inside the unit's sandbox") as notes:
        machine.run(
            "cd /run/systemd/system && cp $(systemctl show -P FragmentPath affectd) proof-clock.service && "
            "mkdir proof-clock.service.d && cp /etc/systemd/system/affectd.service.d/* proof-clock.service.d || true"
        )
        write(machine, "/srv/proof/clock.conf", _ASK.format(command=" ".join(TIMEDATED)))
        machine.run("mv /srv/proof/clock.conf /run/systemd/system/proof-clock.service.d/zz-ask.conf")
        machine.run("systemctl daemon-reload && systemctl start proof-clock")
        said = machine.run("cat /srv/proof/clock").strip()
        assert said in ("yes", "no"), said
        notes.append(f"`{' '.join(TIMEDATED)}` says {said}")
        machine.run("rm -r /run/systemd/system/proof-clock.service* && systemctl daemon-reload")


def doctor(proof: Proof) -> None:
    with proof.step("doctor") as notes:
        said = proof.machine.run("affectd doctor --json 2>/dev/null", check=False)  # an emulated processor is too slow
        findings = {one["stage"]: one for one in json.loads(said)["findings"]}
        for stage in ("runtime", "bundle", "cpu", "level", "gate", "broker.publish", "disk", "unit"):
            assert findings[stage]["verdict"] == "ok", findings[stage]
        notes.append(", ".join(f"{stage} {one['verdict']}" for stage, one in findings.items()))
        notes.append(findings["speed"]["found"])


def parity(proof: Proof, clips: list[Path]) -> None:
    machine = proof.machine
    with proof.step("affectd analyse, there and here") as notes:
        machine.run("mkdir -p /srv/proof/clips")
        names = [f"{index:02d}-{clip.parent.name}-{clip.name}" for index, clip in enumerate(clips)]
        for clip, name in zip(clips, names, strict=True):
            shutil.copy(clip, machine.root / "srv/proof/clips" / name)
        there_began = time.monotonic()
        there = machine.run(
            "exec 2>/dev/null; cd /srv/proof/clips; affectd analyse --whole *; affectd analyse --explain families 00-*"
        )
        there_s = time.monotonic() - there_began
        folder = machine.root / "srv/proof/clips"
        command = [sys.executable, "-m", "edge", "analyse"]
        environment = {**os.environ, "PYTHONPATH": str(proof.scratch / "sources-0.9.0")}
        here = "".join(
            subprocess.run(
                [*command, *options], cwd=folder, env=environment, capture_output=True, text=True, check=True
            ).stdout
            for options in (["--whole", *sorted(names)], ["--explain", "families", sorted(names)[0]])
        )
        ours, theirs = ([json.loads(line) for line in text.splitlines()] for text in (here, there))
        assert [_what(one) for one in ours] == [_what(one) for one in theirs]
        worst = max(
            abs(a["probabilities"][label] - b["probabilities"][label])
            for a, b in zip(ours, theirs, strict=True)
            for label in a["probabilities"]
        )
        worst_reason = max(
            abs(a["explanation"]["families"][family] - b["explanation"]["families"][family])
            for a, b in zip(ours, theirs, strict=True)
            if a.get("explanation") and b.get("explanation")
            for family in a["explanation"]["families"]
        )
        assert worst <= _TOLERANCE, worst
        notes.append(f"{len(ours)} utterances of {len(clips)} clips, {there_s:.0f} s there")
        notes.append(f"same emotions and the same cuts, probabilities at most {worst:.1e} apart")
        notes.append(f"explanations at most {worst_reason:.1e} log-odds apart")


def _what(one: dict[str, object]) -> tuple[object, ...]:
    return one["file"], one["start_s"], one["end_s"], one["emotion"]


def upgrade_and_rollback(proof: Proof) -> None:
    machine = proof.machine
    machine.run("echo 'log_level: info # mine' >> /etc/affectd/config.yaml")
    machine.run("runuser -u affectd -- touch /var/lib/affectd/mine")
    configuration = machine.run("cat /etc/affectd/config.yaml")
    with proof.step("upgrade to 0.9.1") as notes:
        done = proof.cross_install(proof.edition("0.9.1"))
        assert done.returncode == 0, done.stdout + done.stderr
        assert proof.version() == "0.9.1"
        assert len(machine.run("ls /opt/affectd/releases").split()) == 1
        notes.append("0.9.1 runs; configuration and state kept; the old release is gone")
    with proof.step("a release that dies as it starts") as notes:
        done = proof.cross_install(proof.edition("0.9.2", die))
        _assert_rolled_back(proof, done)
        notes.append(f"0.9.1 runs again; it said: {_said(done)}")
    assert machine.run("cat /etc/affectd/config.yaml") == configuration
    machine.run("test -e /var/lib/affectd/mine")


def failing_upgrades(proof: Proof) -> None:
    before = proof.process()
    with proof.step("a release that no longer takes the configuration") as notes:
        done = proof.cross_install(proof.edition("0.9.3", narrow_node))
        assert done.returncode == 1, done.stdout
        assert "node" in done.stdout + done.stderr, done.stdout + done.stderr
        assert "0.9.1" in done.stdout + done.stderr, done.stdout + done.stderr
        assert proof.process() == before
        notes.append(f"0.9.1 was not even restarted; it said: {_said(done)}")
    with proof.step("a release that never says that it is ready") as notes:
        done = proof.cross_install(proof.edition("0.9.4", hang))
        _assert_rolled_back(proof, done)
        assert "was not ready within" in done.stdout + done.stderr, done.stdout + done.stderr
        notes.append(f"0.9.1 runs again; it said: {_said(done)}")


def power_cuts(proof: Proof) -> None:
    machine = proof.machine
    with proof.step("power cut while a release is unpacked, and while it stands its trial") as notes:
        hanging = proof.edition("0.9.5", hang)
        for moment in ("test -d /opt/affectd/releases/0.9.5-*", "test -e /run/systemd/system/affectd.service"):
            _cut_power_when(proof, hanging, moment)
            machine.boot()
            assert proof.version() == "0.9.1"
            machine.run("systemctl is-active --wait affectd")
            assert retained(machine.mqtt_port, "affectd/proof/status")["affectd/proof/status"] == b"online"
        notes.append("after both, the next boot starts 0.9.1")
        done = proof.cross_install(proof.edition("0.9.6"))
        assert done.returncode == 0, done.stdout + done.stderr
        assert proof.version() == "0.9.6"
        assert len(machine.run("ls /opt/affectd/releases").split()) == 1
        notes.append("the next installation cleans up and upgrades to 0.9.6")


def bad_input(proof: Proof) -> None:
    machine = proof.machine
    payload = machine.run(f"ls -d .cache/affectd/affectd-{proof.version()}-*").strip()
    before = proof.process()
    with proof.step("a half-copied payload") as notes:
        machine.run(f"cp -r {payload} /tmp/torn && cd /tmp/torn/wheels && truncate -s 1000 numpy-*.whl && rm msgspec-*")
        said = machine.run("sh /tmp/torn/setup install", check=False)
        assert "incomplete, 2 of its files" in said, said
        notes.append(said.strip())
    with proof.step("a payload for another Python") as notes:
        machine.run(f"cp -r {payload} /tmp/other && sed -i 's/3\\.[0-9]*\"/3.12\"/' /tmp/other/payload.json")
        said = machine.run("sh /tmp/other/setup install", check=False)
        assert "Python 3.12" in said, said
        notes.append(said.strip())
    with proof.step("a full disk") as notes:
        said = machine.run(
            f"mount -t tmpfs -o size=20m tmpfs /mnt && sh {payload}/setup install --prefix /mnt/affectd; umount /mnt",
            check=False,
        )
        assert "too full" in said, said
        notes.append(said.strip().splitlines()[-1])
    assert proof.process() == before


def uninstallation(proof: Proof, before: set[str]) -> None:
    machine = proof.machine
    with proof.step("uninstall") as notes:
        machine.run("rm -rf /etc/systemd/system/affectd.service.d")
        command = [
            sys.executable,
            "-m",
            "install",
            "there",
            "root@127.0.0.1",
            "--ssh",
            " ".join(machine.ssh),
            "--uninstall",
        ]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        new = {path for path in files(machine) - before if not path.startswith("/srv/proof")}
        left = {path for path in new if "affectd" in path}
        assert left <= {"/etc/affectd", "/etc/affectd/config.yaml"}, left
        assert "affectd" not in machine.run("getent passwd")
        assert "affectd" not in machine.run("systemctl list-unit-files; systemctl list-units --all")
        topics = {**retained(machine.mqtt_port, "affectd/#"), **retained(machine.mqtt_port, "homeassistant/#")}
        assert topics == {}, topics
        notes.append(f"left of affectd: {', '.join(sorted(left))}, which the user had edited; no user, no unit")
        notes.append(f"other new paths: {', '.join(sorted(new - left)) or 'none'}")
        notes.append("no retained topic left on the broker")


def _assert_rolled_back(proof: Proof, done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 1, done.stdout + done.stderr
    assert proof.version() == "0.9.1"
    assert "ActiveState=active" in proof.process()
    assert "0.9.1" in done.stdout + done.stderr, done.stdout + done.stderr
    assert len(proof.machine.run("ls /opt/affectd/releases").split()) == 1


def _cut_power_when(proof: Proof, sources: Path, condition: str) -> None:
    command = [sys.executable, "-m", "install", "there", "root@127.0.0.1", "--ssh", " ".join(proof.machine.ssh)]
    installing = subprocess.Popen(
        [*command, "--into", str(proof.scratch / "dist")],
        cwd=sources,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        if proof.machine.run(f"{condition} && echo yes", check=False).strip().endswith("yes"):
            break
        assert installing.poll() is None, "the installation ended before the power could be cut"
    proof.machine.cut_power()
    assert installing.wait() != 0


def _said(done: subprocess.CompletedProcess[str]) -> str:
    lines = [line for line in (done.stderr + done.stdout).splitlines() if line.startswith("affectd: ")]
    return f"`{lines[0].removeprefix('affectd: ')}`" if lines else done.stderr.strip()


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


def clips_of(data: Path | None) -> list[Path]:
    """The demonstration recording, and a spread of recorded clips where there are corpora."""
    sounds = {".wav", ".flac", ".opus", ".ogg", ".mp3"}
    recorded = sorted(path for path in data.rglob("*") if path.suffix in sounds) if data and data.is_dir() else []
    step = max(len(recorded) // _CLIPS, 1)
    return [ROOT / "edge/demo.opus", *recorded[::step][:_CLIPS]]


def summary(proof: Proof) -> str:
    """The run as a page."""
    today = datetime.datetime.now(datetime.UTC).date()
    target, how = ("test-arm64", "under qemu-user") if proof.architecture == "aarch64" else ("test-systemd", "natively")
    lines = [
        f"# Proof of installation on {proof.architecture}",
        "",
        f"Written by `make {target}` on {today}.",
        "",
        "The device is a Debian bookworm of this architecture, made by mmdebstrap. It runs",
        f"{how} with systemd as PID 1 in its own namespaces, and with sshd and mosquitto on loopback",
        "ports. The workstation runs `python -m install there`, as `make cross-install` does. The times",
        "say nothing about a Raspberry Pi.",
        "",
        "| step | what was seen | s |",
        "|---|---|---|",
        *(f"| {name} | {notes.replace('|', '/')} | {taken:.0f} |" for name, notes, taken in proof.seen),
        "",
    ]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description="Installs affectd on a Debian of its own and breaks it in every way.")
    parser.add_argument("--architecture", choices=("aarch64", "x86_64"), default="aarch64")
    parser.add_argument("--cache", type=Path, default=ROOT / ".cache/proof")
    parser.add_argument("--data", type=Path, default=os.environ.get("AFFECTD_DATA"), help="corpora, for real clips")
    parser.add_argument("--quick", action="store_true", help="leave out two failing upgrades, power cuts and bad input")
    parser.add_argument("--summary", type=Path, help="write the page there")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="affectd-proof-") as scratch,
        booted(options.architecture, options.cache / options.architecture) as machine,
    ):
        proof = Proof(machine, options.architecture, Path(scratch), options.summary)
        before = files(machine)
        first_installation(proof)
        parity(proof, clips_of(options.data))
        upgrade_and_rollback(proof)
        if not options.quick:
            failing_upgrades(proof)
            power_cuts(proof)
            bad_input(proof)
        uninstallation(proof, before)
    return 0


if __name__ == "__main__":
    sys.exit(main())
