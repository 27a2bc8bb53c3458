"""The real parts of the fault suite: broker, daemon, recorder, systemd's socket, the oracle."""

import getpass
import json
import os
import queue
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import paho.mqtt.client as paho
import yaml
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge.audio import SAMPLE_RATE
from edge.sources.conversion import decode
from tests.conftest import DEMO, ROOT, answers, free_port, until

NODE = "kitchen"
SHIPPED = ROOT / "systemd" / "mosquitto-affectd.conf"


class Broker:
    """A mosquitto with the configuration that affectd ships, and files of its own."""

    def __init__(self, folder: Path, extra: str = "") -> None:
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir()
        shipped = re.sub(r"(?m)^persistence_location .*", f"persistence_location {folder}/", SHIPPED.read_text())
        listener = extra or f"listener {self.port} 127.0.0.1\nallow_anonymous true"
        self._settings = folder / "mosquitto.conf"
        self._settings.write_text(f"{shipped}\nuser {getpass.getuser()}\n{listener.format(port=self.port)}\n")

    def start(self) -> "Broker":
        program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        self._process = subprocess.Popen(
            [program, "-c", str(self._settings)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until(lambda: answers(self.port))
        return self

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait()
            self._process = None


@dataclass(frozen=True)
class Received:
    """A message, as a durable subscriber got it."""

    topic: str
    payload: bytes
    retained: bool
    at: float

    @property
    def json(self) -> dict[str, object]:
        return json.loads(self.payload)


class Recorder:
    """A durable subscriber to everything."""

    def __init__(self, port: int) -> None:
        self.received: list[Received] = []
        self._changed = threading.Condition()
        subscribed = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, "recorder", protocol=paho.MQTTv5)
        self._client.reconnect_delay_set(0.1, 0.2)
        self._client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.on_message = self._on_message
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 3600
        self._client.connect("127.0.0.1", port, clean_start=False, properties=properties)
        self._client.loop_start()
        assert subscribed.wait(10)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, topic: str, payload: bytes | str, retain: bool = False) -> None:
        self._client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(10)

    def on(self, topic: str, node: str = NODE) -> list[Received]:
        return [message for message in list(self.received) if message.topic == f"affectd/{node}/{topic}"]

    def wait(self, true: Callable[[], object], seconds: float = 60) -> None:
        """Until something that was received makes it true."""
        with self._changed:
            assert self._changed.wait_for(true, seconds), self.summary()

    def journalled(self) -> list[tuple[int, int]]:
        """Spans of numbers: events, and what gap records name, in the order received."""
        spans = []
        for message in self.on("journal"):
            found = message.json
            gap = found["event_type"] == "gap"
            spans.append((found["from_seq"], found["to_seq"]) if gap else (found["seq"], found["seq"]))
        return spans

    def covers(self, last: int) -> bool:
        return {seq for first, end in self.journalled() for seq in range(first, end + 1)} >= set(range(1, last + 1))

    def summary(self) -> str:
        return f"journal {self.journalled()[-20:]}, status {[message.payload for message in self.on('status')][-5:]}"

    def _on_message(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        with self._changed:
            self.received.append(Received(message.topic, message.payload, message.retain, time.monotonic()))
            self._changed.notify_all()


def assert_complete(recorder: Recorder, last: int) -> None:
    """The oracle: events and gaps are exactly 1 to ``last``, in order once duplicates are removed."""
    seen: set[int] = set()
    fresh: list[int] = []
    for first, end in recorder.journalled():
        new = [seq for seq in range(first, end + 1) if seq not in seen]
        seen.update(new)
        fresh += new
    assert fresh == list(range(1, last + 1)), recorder.journalled()
    ids: dict[int, set[object]] = {}
    for message in recorder.on("journal"):
        found = message.json
        if found["event_type"] != "gap":
            ids.setdefault(found["seq"], set()).add(found["id"])
    assert all(len(names) == 1 for names in ids.values())


def gaps(recorder: Recorder) -> list[dict[str, object]]:
    return [message.json for message in recorder.on("journal") if message.json["event_type"] == "gap"]


def speech() -> bytes:
    """One utterance of the demonstration recording with the pauses around it, as PCM."""
    samples = np.concatenate(list(decode(DEMO)))
    return samples[round(31.4 * SAMPLE_RATE) : round(36.2 * SAMPLE_RATE)].astype("<i2").tobytes()


def room(seconds: float) -> bytes:
    """A quiet room, as PCM: noise, not digital silence."""
    noise = np.random.default_rng(1).normal(0, 3, round(seconds * SAMPLE_RATE))
    return noise.astype("<i2").tobytes()


class Daemon:
    """affectd as a process that hears what the test says into its standard input."""

    def __init__(
        self,
        folder: Path,
        port: int,
        *,
        program: str | None = None,
        under: Sequence[str] = (),
        **settings: object,
    ) -> None:
        self.folder = folder
        environment = settings.pop("environment", {})
        mqtt = {"host": "127.0.0.1", "port": port, "reconnect_max_s": 0.5} | dict(settings.pop("mqtt", {}))
        config = {
            "node": NODE,
            "source": {"kind": "stdin", "silence_s": 3600},
            "state_directory": str(folder / "state"),
            "mqtt": mqtt,
            **settings,
        }
        path = folder / f"{config['node']}.yaml"
        path.write_text(yaml.safe_dump(config))
        self.state = folder / "state" / "nodes" / str(config["node"])
        start = ["-c", program] if program else ["-m", "edge"]
        self.process = subprocess.Popen(
            [*under, sys.executable, *start, "run", "--config", str(path)],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            env=os.environ | {"OMP_NUM_THREADS": "1"} | dict(environment),
        )
        self.log: list[str] = []
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def say(self, utterances: int = 1) -> None:
        """Say something, and wait until the daemon has accepted it."""
        expected = len(self.accepted) + utterances
        for _ in range(utterances):
            self.hear(speech())
        self.wait(lambda: len(self.accepted) >= expected)

    def hear(self, pcm: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(pcm)
        self.process.stdin.flush()

    @property
    def accepted(self) -> list[int]:
        """The numbers that the log calls accepted, on disk or in memory."""
        found = (re.search(r" (?:accepted|kept in memory) seq=(\d+) ", line) for line in list(self.log))
        return [int(match[1]) for match in found if match]

    def wait(self, true: Callable[[], object], seconds: float = 60) -> None:
        """Until the log makes it true."""
        with self._changed:
            assert self._changed.wait_for(true, seconds), "".join(self.log[-15:])

    def logged(self, text: str) -> list[str]:
        return [line for line in list(self.log) if text in line]

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        code = self.process.wait(30)
        self._reader.join(5)
        return code

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join(5)

    def ended(self, seconds: float = 30) -> int:
        code = self.process.wait(seconds)
        self._reader.join(5)
        return code

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._changed:
                self.log.append(line.decode(errors="replace"))
                self._changed.notify_all()


def delivered(daemon: Daemon, recorder: Recorder, seconds: float = 60) -> None:
    """Wait until the recorder has everything that the daemon accepted, and check it."""
    last = daemon.accepted[-1]
    recorder.wait(lambda: recorder.covers(last), seconds)
    assert_complete(recorder, last)


def source(mode: Path, speed: float = 1.0, silence_s: float = 2.0) -> dict[str, object]:
    """A microphone that does what the file ``mode`` says: see the player."""
    command = [sys.executable, "-m", "tests.faults.player", str(mode), str(speed)]
    return {"kind": "command", "command": command, "silence_s": silence_s}


def last(recorder: Recorder, topic: str) -> bytes:
    """The latest payload of a topic; nothing without one."""
    found = recorder.on(topic)
    return found[-1].payload if found else b""


class Systemd:
    """The socket that systemd listens on."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "notify"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self.path))
        self.said: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def environment(self, watchdog_s: float) -> dict[str, str]:
        return {"NOTIFY_SOCKET": str(self.path), "WATCHDOG_USEC": str(int(watchdog_s * 1e6))}

    def next(self, text: str, seconds: float = 30) -> str:
        deadline = time.monotonic() + seconds
        while text not in (said := self.said.get(timeout=max(0.01, deadline - time.monotonic()))):
            pass
        return said

    def _read(self) -> None:
        while True:
            self.said.put(self._socket.recv(4096).decode())
