"""Beside a voice assistant: one microphone, PipeWire, two programs that record from it at once."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile
import yaml

from edge.audio import SAMPLE_RATE
from edge.events.event import Event
from edge.sources.conversion import read_audio
from tests.conftest import DEMO, ROOT, Subscriber, free_port, until

# What ProtectHome= makes of a user's folders, and PortAudio's JACK of a /dev/shm that others have used.
SANDBOX = [*("unshare", "--mount", "sh", "-c")]
HIDE = 'mount -t tmpfs tmpfs /dev/shm && mount -t tmpfs tmpfs "$HIDDEN" && exec "$@"'


class Assistant:
    """A user whose PipeWire holds the microphone, and an assistant that records from it all the time.

    The assistant records as linux-voice-assistant does, through PulseAudio's protocol.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = free_port()
        self.recorded = home.parent / "recorded"
        runtime = home / "run"
        runtime.mkdir(parents=True, mode=0o700)
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("PULSE_", "DBUS_", "PIPEWIRE_"))
        } | {"HOME": str(home), "XDG_RUNTIME_DIR": str(runtime)}
        settings = home / ".config" / "pipewire" / "pipewire-pulse.conf.d"
        settings.mkdir(parents=True)
        # As the guide says, but for the port.
        addresses = f'"unix:native" "tcp:127.0.0.1:{self.port}"'
        (settings / "affectd.conf").write_text(f"pulse.properties = {{ server.address = [ {addresses} ] }}\n")
        # Each ends where what it needs is not there yet.
        there = 'until [ -S "$XDG_RUNTIME_DIR/pipewire-0" ]; do sleep 0.1; done'
        servers = f"pipewire & {there}; wireplumber & exec pipewire-pulse"
        self._processes = [self._run("dbus-run-session", "--", "sh", "-c", servers)]
        until(lambda: self._pactl("info"), 60)
        # Called again until the session manager is there to link what it plays.
        until(lambda: self._pactl("load-module", "module-null-sink", "sink_name=room", "rate=48000"), 60)
        until(lambda: self._pactl("set-default-source", "room.monitor"), 60)
        record = "exec parec --format=s16le --rate=16000 --channels=1 --latency-msec=50 >"
        self._processes.append(self._run("sh", "-c", f'{record} "{self.recorded}"'))
        until(lambda: self.recorded.exists() and self.recorded.stat().st_size > 0, 60)

    def play(self, clip: Path) -> None:
        """Somebody speaks in the room."""
        subprocess.run(["paplay", "--device=room", str(clip)], env=self.environment, check=True, timeout=60)

    def close(self) -> None:
        for process in reversed(self._processes):
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(20)

    def _run(self, *command: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(command, env=self.environment, stderr=subprocess.DEVNULL, start_new_session=True)

    def _pactl(self, *arguments: str) -> bool:
        command = ["pactl", *arguments]
        return subprocess.run(command, env=self.environment, capture_output=True, check=False).returncode == 0


@pytest.fixture
def assistant(tmp_path: Path) -> Iterator[Assistant]:
    for program in ("pipewire", "wireplumber", "pipewire-pulse", "dbus-run-session", "parec"):
        if shutil.which(program) is None:
            pytest.fail(f"{program} is missing: apt-get install pipewire pipewire-pulse wireplumber dbus-daemon")
    assistant = Assistant(tmp_path / "user")
    yield assistant
    assistant.close()


@pytest.mark.parametrize("service", ["of the system", "of the user"])
def test_affectd_and_a_voice_assistant_record_from_one_microphone_at_once(
    assistant: Assistant, broker: int, subscriber: Subscriber, tmp_path: Path, service: str
) -> None:
    environment, before = assistant.environment, []
    if service == "of the system":
        if subprocess.run([*SANDBOX, "true"], capture_output=True, check=False).returncode:
            pytest.skip("this machine does not let a test hide a folder")
        environment = {name: value for name, value in environment.items() if name not in ("HOME", "XDG_RUNTIME_DIR")}
        environment |= {"PULSE_SERVER": f"tcp:127.0.0.1:{assistant.port}", "HIDDEN": str(assistant.home)}
        before = [*SANDBOX, HIDE, "sh"]
    clip, config = tmp_path / "clip.wav", tmp_path / "affectd.yaml"
    soundfile.write(clip, read_audio(DEMO)[int(1.3 * SAMPLE_RATE) : int(4.8 * SAMPLE_RATE)], SAMPLE_RATE)
    source = {"kind": "microphone", "device": "pulse"}
    config.write_text(yaml.safe_dump({"node": "room", "source": source, "mqtt": {"host": "127.0.0.1", "port": broker}}))
    command = [*before, sys.executable, "-m", "edge", "run", "--config", str(config)]
    daemon = subprocess.Popen(command, env=environment, cwd=ROOT)
    try:
        while subscriber.next("microphone", 60).payload != b"online":
            pass
        heard = assistant.recorded.stat().st_size
        assistant.play(clip)
        event = msgspec.json.decode(subscriber.next("event", 60).payload, type=Event)
        assert 0.3 < event.duration_s < 6
    finally:
        daemon.terminate()
        assert daemon.wait(20) == 0
    recorded = assistant.recorded.read_bytes()
    samples = np.frombuffer(recorded[: len(recorded) // 2 * 2], "<i2")[heard // 2 :]
    assert np.abs(samples.astype(int)).max() > 1000
