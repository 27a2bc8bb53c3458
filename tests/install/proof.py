"""Proof of installation: over ssh into a Debian of another architecture, and what may go wrong with it.

    python -m tests.install.proof --architecture aarch64 --summary docs/arm64.md

Needs root, mmdebstrap, and for aarch64 binfmt_misc in the kernel. Each step asserts; the summary lists what was seen.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from edge.daemon.clock import TIMEDATED
from tests.install import pages
from tests.install.debian import booted
from tests.install.steps import CONFIGURATION, ROOT, Proof, die, files, hang, narrow_node, prepare, retained, write

_TOLERANCE = 1e-3  # of a probability
_CLIPS = 8
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


def first_installation(proof: Proof) -> None:
    machine = proof.machine
    with proof.step("first installation over ssh, offline there") as notes:
        prepare(proof)
        if proof.architecture == "aarch64":
            notes.append("for the emulator's sake without LoadCredential= and PrivateUsers=, and with 240 s to start")
        machine.run("mkdir -p /etc/affectd")
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


def clips_of(data: Path | None) -> list[Path]:
    """The demonstration recording, and a spread of recorded clips where there are corpora."""
    sounds = {".wav", ".flac", ".opus", ".ogg", ".mp3"}
    recorded = sorted(path for path in data.rglob("*") if path.suffix in sounds) if data and data.is_dir() else []
    step = max(len(recorded) // _CLIPS, 1)
    return [ROOT / "edge/demo.opus", *recorded[::step][:_CLIPS]]


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
        record = pages.recording(options.summary, pages.installation)
        proof = Proof(machine, options.architecture, Path(scratch), record)
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
