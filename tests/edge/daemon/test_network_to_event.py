"""The whole way for sound from the network: a satellite or a camera, the daemon, mosquitto, a subscriber."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import psutil
import pytest
import soundfile
import yaml

from edge.audio import SAMPLE_RATE
from edge.events.event import Event
from edge.sources.conversion import read_audio
from tests import satellite
from tests.conftest import DEMO, ROOT, Subscriber, affectd, answers, free_port, until

Start = Callable[..., subprocess.Popen[bytes]]
PASSWORD = 'se cr@t:%"x'


@pytest.fixture
def start(tmp_path: Path, broker: int) -> Iterator[Start]:
    """Starts the daemon on a source; what was started, also by ``others``, is ended with the test."""
    running: list[subprocess.Popen[bytes]] = []

    def begin(*, other: subprocess.Popen[bytes] | None = None, **source: object) -> subprocess.Popen[bytes]:
        if other is None:
            config = tmp_path / "affectd.yaml"
            text = {"node": "room", "source": source, "mqtt": {"host": "127.0.0.1", "port": broker}}
            config.write_text(yaml.safe_dump(text))
            checked = affectd("check-config", config)
            assert checked.returncode == 0, checked.stderr
            with (tmp_path / "log").open("wb") as log:
                command = [sys.executable, "-m", "edge", "run", "--config", str(config)]
                other = subprocess.Popen(command, cwd=ROOT, stderr=log)
        running.append(other)
        return other

    yield begin
    for process in running:
        process.terminate()
        process.wait(20)


def hear(subscriber: Subscriber) -> Event:
    """The next event."""
    return msgspec.json.decode(subscriber.next("event", 60).payload, type=Event)


def microphone(subscriber: Subscriber, state: bytes) -> None:
    """Wait for what is said about the microphone."""
    while subscriber.next("microphone", 60).payload != state:
        pass


def test_wyoming_microphone_at_48_khz_stereo_becomes_an_event_and_comes_back(
    start: Start, subscriber: Subscriber, tmp_path: Path
) -> None:
    port = free_port()
    server = start(other=satellite.start("serve", port, 48000, 2, *satellite.playing(DEMO, 48000, 2)))
    daemon = start(kind="wyoming", url=f"tcp://127.0.0.1:{port}")
    microphone(subscriber, b"online")
    event = hear(subscriber)
    assert event.emotion in {*event.probabilities, "uncertain"}
    assert 0.3 < event.duration_s < 15
    server.terminate()
    microphone(subscriber, b"offline")
    start(other=satellite.start("serve", port, 48000, 2, *satellite.playing(DEMO, 48000, 2)))
    microphone(subscriber, b"online")
    assert daemon.poll() is None
    daemon.terminate()
    assert daemon.wait(20) == 0
    assert f'state=lost reason="tcp://127.0.0.1:{port} has closed the connection' in (tmp_path / "log").read_text()


def test_wyoming_satellite_that_connects_becomes_an_event_and_is_let_go_while_muted(
    start: Start, subscriber: Subscriber, broker: int, tmp_path: Path
) -> None:
    port = free_port()
    start(kind="wyoming", url=f"tcp://127.0.0.1:{port}", listen=True)
    until(lambda: answers(port))
    start(other=satellite.start("visit", port, 16000, 1, *satellite.playing(DEMO, 16000, 1)))
    hear(subscriber)
    publish = ["mosquitto_pub", "-p", str(broker), "-t", "affectd/room/listening/set", "-m"]
    subprocess.run([*publish, "OFF"], check=True)
    until(lambda: not answers(port))
    subprocess.run([*publish, "ON"], check=True)
    until(lambda: answers(port))
    subscriber.drain()
    hear(subscriber)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """What a camera plays: it must last as long as the test."""
    path = tmp_path / "recording.wav"
    soundfile.write(path, read_audio(DEMO), SAMPLE_RATE)
    return path


def camera(recording: Path, port: int, *login: str) -> subprocess.Popen[bytes]:
    """GStreamer's RTSP server, by the system's Python, which Debian's bindings belong to."""
    command = ["/usr/bin/python3", str(ROOT / "tests" / "camera.py"), str(recording), str(port), *login]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    until(lambda: process.poll() is not None or answers(port))
    if process.poll() is not None and process.stderr is not None:
        pytest.fail(f"no camera: {process.stderr.read().decode()[-300:]}")
    return process


def test_rtsp_camera_becomes_an_event_its_password_is_nowhere_and_it_comes_back(
    start: Start, subscriber: Subscriber, recording: Path, tmp_path: Path
) -> None:
    if shutil.which("ffmpeg") is None:
        pytest.fail("ffmpeg is missing: apt-get install ffmpeg")
    port, credentials = free_port(), tmp_path / "credentials"
    credentials.write_text("pi:wrong\n")
    first = start(other=camera(recording, port, f"pi:{PASSWORD}"))
    daemon = start(kind="rtsp", url=f"rtsp://127.0.0.1:{port}/stream", credentials_file=str(credentials))
    log = tmp_path / "log"
    until(lambda: "401 Unauthorized" in log.read_text())
    credentials.write_text(f"pi:{PASSWORD}\n")
    microphone(subscriber, b"online")
    for process in (psutil.Process(daemon.pid), *psutil.Process(daemon.pid).children(recursive=True)):
        shown = " ".join([*process.cmdline(), *process.environ().values()])
        assert "cr@t" not in shown
        assert "cr%40t" not in shown
    hear(subscriber)
    first.kill()
    microphone(subscriber, b"offline")
    start(other=camera(recording, port, f"pi:{PASSWORD}"))
    microphone(subscriber, b"online")
    said = log.read_text()
    assert "cr@t" not in said
    assert "cr%40t" not in said
    assert "wrong" not in said
    assert "see source.credentials_file" in said
