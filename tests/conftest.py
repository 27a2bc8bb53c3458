"""Real parts for the tests: a broker, recordings, a subscriber."""

import csv
import queue
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

import edge  # noqa: F401 (before onnxruntime: it turns its telemetry off)
from tests.chromium import clip, playwright
from tests.places import DATA, DEMO, ROOT

__all__ = ["DATA", "DEMO", "ROOT", "clip", "playwright"]


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The daemons of a test keep their state in a folder of its own."""
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture(scope="session")
def corpus() -> list[dict[str, str]]:
    """The rows of the corpus manifest, each with the file's absolute path under ``file``."""
    if not (DATA / "manifest.csv").exists():
        pytest.skip(f"no recordings at {DATA}: set AFFECTD_DATA to a folder with manifest.csv")
    with (DATA / "manifest.csv").open(newline="") as file:
        return [row | {"file": str(DATA / row["path"])} for row in csv.DictReader(file)]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(true: Callable[[], object], seconds: float = 30) -> None:
    """Wait for something that has no event to wait for: another process becoming ready."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[int]:
    """The port of a mosquitto of this test's own."""
    program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    port = free_port()
    settings = tmp_path / "mosquitto.conf"
    settings.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    process = subprocess.Popen([program, "-c", str(settings)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(lambda: answers(port))
    yield port
    process.terminate()
    process.wait()


class Subscriber:
    """Receives what is published below ``affectd/`` at QoS 1."""

    def __init__(self, port: int) -> None:
        self.messages: queue.Queue[paho.MQTTMessage] = queue.Queue()
        ready: queue.Queue[bool] = queue.Queue()
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.on_message = lambda _client, _data, message: self.messages.put(message)
        self._client.on_subscribe = lambda *_: ready.put(True)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        self._client.subscribe("affectd/#", qos=1)
        ready.get(timeout=10)

    def next(self, topic: str, timeout: float = 30) -> paho.MQTTMessage:
        """The next message whose topic ends in ``topic``; those before it are passed over."""
        deadline = time.monotonic() + timeout
        while True:
            message = self.messages.get(timeout=max(0.01, deadline - time.monotonic()))
            if message.topic.endswith(f"/{topic}"):
                return message

    def drain(self) -> list[paho.MQTTMessage]:
        return [self.messages.get_nowait() for _ in range(self.messages.qsize())]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def subscriber(broker: int) -> Iterator[Subscriber]:
    subscriber = Subscriber(broker)
    yield subscriber
    subscriber.close()


def affectd(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    command = [sys.executable, "-m", "edge", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=ROOT, **options)  # type: ignore[call-overload,no-any-return]
