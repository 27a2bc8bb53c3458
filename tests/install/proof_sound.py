"""Proof of the shared microphone: affectd's service, with its whole sandbox, beside an assistant on a user's PipeWire.

    python -m tests.install.proof_sound

A Debian 13 of this machine's architecture with systemd as PID 1 has the package, a user whose PipeWire holds a virtual
microphone, and a program of that user that records from it all the time. The files are those that docs/guide.md shows.
Needs root, mmdebstrap and what `make deb` needs. Each step asserts.
"""

import platform
import re
import sys
import tempfile
import time
from pathlib import Path

import msgspec
import soundfile

from edge.audio import SAMPLE_RATE
from edge.events.event import Event
from edge.sources.conversion import read_audio
from tests.conftest import DEMO, Subscriber
from tests.install.debian import Debian, booted
from tests.install.proof_package import Packages, apt, put
from tests.install.steps import ROOT, Proof, write

_SOUND = ["pipewire", "pipewire-pulse", "wireplumber", "dbus-user-session", "libpam-systemd", "pulseaudio-utils",
          "libasound2-plugins"]  # fmt: skip
_USER = "pi"
_AS_USER = f"runuser -u {_USER} -- env XDG_RUNTIME_DIR=/run/user/1000 HOME=/home/{_USER}"
_CONFIGURATION = """\
node: {node}
source: {{kind: microphone, device: pulse}}
mqtt: {{host: 127.0.0.1, port: {port}}}
"""


def shown(language: str, mark: str) -> str:
    """The one block of this language in the guide that has the mark."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```", (ROOT / "docs/guide.md").read_text(), re.DOTALL | re.MULTILINE)
    (block,) = (block for block in blocks if mark in block)
    return str(block)


def until(machine: Debian, script: str, seconds: float = 120) -> str:
    """What the script prints once it succeeds."""
    deadline = time.monotonic() + seconds
    while True:
        said = machine.run(f"{script} && echo well done", check=False)
        if said.endswith("well done\n"):
            return said.removesuffix("well done\n")
        assert time.monotonic() < deadline, f"{script}: {said}{machine.run('journalctl -n 40 --no-pager')}"
        time.sleep(1)


def sound_server(proof: Proof) -> None:
    machine = proof.machine
    with proof.step("a user's PipeWire with a microphone, and an assistant that records from it") as notes:
        machine.run(f"useradd --create-home {_USER} && loginctl enable-linger {_USER}")
        until(machine, f"{_AS_USER} systemctl --user is-active dbus.socket")
        for command in re.findall(r"^\$ (mkdir -p ~.*|echo 'pulse.*|systemctl --user restart pipewire-pulse)$",
                                  shown("console", "pulse.properties"), re.MULTILINE):  # fmt: skip
            quoted = command.replace('"', '\\"').replace("~", f"/home/{_USER}")
            machine.run(f'{_AS_USER} sh -c "{quoted}"')
        pactl = f"{_AS_USER} pactl"
        until(machine, f"{pactl} load-module module-null-sink sink_name=room rate=48000")
        until(machine, f"{pactl} set-default-source room.monitor")
        record = "parec --format=s16le --rate=16000 --channels=1"
        machine.run(f"{_AS_USER} systemd-run --user --unit=assistant sh -c '{record} > /home/{_USER}/recorded' 2>&1")
        until(machine, f"test -s /home/{_USER}/recorded")
        notes.append(machine.run(f"{pactl} info | grep '^Server Name'").strip())


def hears(proof: Proof, subscriber: Subscriber, node: str) -> str:
    """Somebody speaks in the room: affectd says how, and the assistant has recorded it too."""
    machine = proof.machine
    machine.run(f"truncate -s 0 /home/{_USER}/recorded")
    while (message := subscriber.next("microphone", 180)).payload != b"online" or node not in message.topic:
        pass
    machine.run(f"{_AS_USER} paplay --device=room /srv/proof/clip.wav")
    event = msgspec.json.decode(subscriber.next("event", 120).payload, type=Event)
    assert event.node == node
    assert 0.3 < event.duration_s < 6
    assert machine.run(f"tr -d '\\000' < /home/{_USER}/recorded | wc -c").strip() > "1000"
    return f"{event.emotion} of {event.duration_s:.1f} s, recorded by the assistant too"


def of_the_system(proof: Proof, subscriber: Subscriber) -> None:
    machine = proof.machine
    with proof.step("affectd as the system's service, in its sandbox") as notes:
        write(machine, "/etc/affectd/config.yaml", _CONFIGURATION.format(node="system", port=machine.mqtt_port))
        machine.run("mkdir -p /etc/systemd/system/affectd.service.d")
        write(machine, "/etc/systemd/system/affectd.service.d/override.conf", shown("ini", "PULSE_SERVER=tcp"))
        machine.run("systemctl daemon-reload && systemctl restart affectd")
        notes.append(hears(proof, subscriber, "system"))
        force = machine.run(
            "systemctl show affectd -p ProtectHome,ProtectSystem,PrivateUsers,MemoryDenyWriteExecute"
        ).split()
        assert set(force) == {
            "ProtectHome=yes",
            "ProtectSystem=strict",
            "PrivateUsers=yes",
            "MemoryDenyWriteExecute=yes",
        }
        main = machine.run("systemctl show -p MainPID --value affectd").strip()
        assert machine.run(f"ls -A /proc/{main}/root/home /proc/{main}/root/run/user | grep -v : | xargs") == "\n"
        notes.append("it sees neither /home nor /run/user")
        machine.run("systemctl disable --now affectd")


def of_the_user(proof: Proof, subscriber: Subscriber) -> None:
    machine = proof.machine
    with proof.step("affectd as the assistant's user's service") as notes:
        home = f"/home/{_USER}/.config"
        machine.run(f"{_AS_USER} mkdir -p {home}/affectd {home}/systemd/user")
        write(machine, f"{home}/affectd/config.yaml", _CONFIGURATION.format(node="user", port=machine.mqtt_port))
        write(machine, f"{home}/systemd/user/affectd.service", shown("ini", "systemd/user/affectd.service"))
        machine.run(f"{_AS_USER} systemctl --user daemon-reload && {_AS_USER} systemctl --user enable --now affectd")
        notes.append(hears(proof, subscriber, "user"))
        machine.run(f"test -d /home/{_USER}/.local/state/affectd")


def main() -> int:
    architecture, cache = platform.machine(), ROOT / ".cache/proof"
    with (
        tempfile.TemporaryDirectory(prefix="affectd-proof-") as scratch,
        booted(architecture, cache / f"{architecture}-sound", "trixie", _SOUND) as machine,
    ):
        proof = Proof(machine, architecture, Path(scratch))
        package = Packages(architecture, Path(scratch), cache / "dist").get(proof, "0.9.0")
        machine.run("mkdir -p /srv/proof")
        clip = read_audio(DEMO)[int(1.3 * SAMPLE_RATE) : int(4.8 * SAMPLE_RATE)]
        soundfile.write(machine.root / "srv/proof/clip.wav", clip, SAMPLE_RATE)
        content, said = apt(machine, "install", put(machine, package))
        assert content, said
        sound_server(proof)
        subscriber = Subscriber(machine.mqtt_port)
        of_the_system(proof, subscriber)
        of_the_user(proof, subscriber)
        subscriber.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
