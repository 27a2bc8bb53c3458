"""The daemon as a process, against a real broker."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import paho.mqtt.client as paho
import pytest

from edge.events.event import Event
from edge.model.bundle import Bundle
from edge.model.manifest import MANIFEST
from edge.sources.conversion import decode
from tests.conftest import DEMO, ROOT, Subscriber, affectd


@pytest.fixture
def config(tmp_path: Path, broker: int) -> Path:
    """The demonstration recording, as fast as it can be heard."""
    path = tmp_path / "affectd.yaml"
    path.write_text(
        f"node: test\nsource: {{kind: file, path: {DEMO}, paced: false}}\nmqtt: {{host: 127.0.0.1, port: {broker}}}\n"
    )
    return path


def collect(subscriber: Subscriber, config: Path) -> list[paho.MQTTMessage]:
    """Everything that one run of the daemon publishes, up to its last word."""
    done = affectd("run", "--config", config)
    assert done.returncode == 0, done.stderr
    return until_status(subscriber, b"offline")


def until_status(subscriber: Subscriber, status: bytes) -> list[paho.MQTTMessage]:
    """All that is published up to a status."""
    messages: list[paho.MQTTMessage] = []
    while not messages or (messages[-1].topic, messages[-1].payload) != ("affectd/test/status", status):
        messages.append(subscriber.messages.get(timeout=30))
    return messages


def test_daemon_and_analyse_give_the_same_events(config: Path, subscriber: Subscriber) -> None:
    published = [
        msgspec.json.decode(message.payload, type=Event)
        for message in collect(subscriber, config)
        if message.topic.endswith("/event")
    ]
    printed = [json.loads(line) for line in affectd("analyse", "--adapt", DEMO).stdout.splitlines()]
    assert len(published) == len(printed) == 7
    for event, finding in zip(published, printed, strict=True):
        assert event.emotion == finding["emotion"]
        assert event.probabilities == pytest.approx(finding["probabilities"], abs=1e-4)
        assert event.duration_s == pytest.approx(finding["end_s"] - finding["start_s"], abs=2e-3)
        assert event.explanation is not None
        assert event.explanation.families == pytest.approx(finding["explanation"]["families"], abs=1e-3)


def test_retained_topics_come_before_online_and_online_before_events(config: Path, subscriber: Subscriber) -> None:
    topics = [message.topic.removeprefix("affectd/test/") for message in collect(subscriber, config)]
    online = topics.index("status")
    assert {"info", "microphone", "speech", "state"} <= set(topics[:online])
    assert "event" not in topics[:online]


def test_only_a_bundle_that_says_how_strongly_announces_the_intensity(config: Path, subscriber: Subscriber) -> None:
    folder = Path(shutil.copytree(Bundle.load().path, config.with_name("bundle")))
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps({**manifest, "intensity": None}))
    common = config.read_text() + "homeassistant: {prefix: affectd/found}\n"
    for says, bundle in ((True, "default"), (False, str(folder))):
        config.write_text(common + f"model: {{bundle: {bundle}}}\n")
        (announced,) = (
            json.loads(message.payload)["components"]
            for message in collect(subscriber, config)
            if message.topic.startswith("affectd/found/device/")
        )
        assert ("state_topic" in announced["intensity"]) == says


def test_speech_and_state_follow_the_utterances(tmp_path: Path, broker: int, subscriber: Subscriber) -> None:
    """The sound begins once the daemon is connected: a greeting says how things are by then, which may be ON."""
    path = tmp_path / "affectd.yaml"
    path.write_text(f"node: test\nsource: {{kind: stdin}}\nmqtt: {{host: 127.0.0.1, port: {broker}}}\n")
    daemon = subprocess.Popen([sys.executable, "-m", "edge", "run", "--config", path], stdin=subprocess.PIPE, cwd=ROOT)
    messages = until_status(subscriber, b"online")
    daemon.communicate(np.concatenate(list(decode(DEMO))).tobytes(), timeout=120)
    assert daemon.returncode == 0
    messages += until_status(subscriber, b"offline")
    speech = [message.payload for message in messages if message.topic.endswith("/speech")]
    assert speech == [b"OFF", *[b"ON", b"OFF"] * 7]
    assert [message.payload for message in messages if message.topic.endswith("/state")][-1] == b"none"


def test_only_what_describes_the_present_is_retained(config: Path, broker: int, subscriber: Subscriber) -> None:
    collect(subscriber, config)
    late = Subscriber(broker)
    retained = {late.messages.get(timeout=5).topic.removeprefix("affectd/test/") for _ in range(8)}
    late.close()
    assert retained == {
        "diagnostics", "info", "listening", "microphone", "speech", "state", "status", "threshold",
    }  # fmt: skip


def test_the_broker_says_offline_when_the_daemon_is_killed(tmp_path: Path, broker: int, subscriber: Subscriber) -> None:
    path = tmp_path / "affectd.yaml"
    path.write_text(f"node: test\nsource: {{kind: file, path: {DEMO}}}\nmqtt: {{host: 127.0.0.1, port: {broker}}}\n")
    daemon = subprocess.Popen([sys.executable, "-m", "edge", "run", "--config", str(path)], cwd=ROOT)
    assert subscriber.next("status").payload == b"online"
    daemon.kill()
    daemon.wait()
    message = subscriber.next("status")
    assert message.payload == b"offline"


def test_the_device_loads_nothing_of_the_workstation(config: Path, subscriber: Subscriber) -> None:
    code = (
        "import sys; from edge.cli import main; assert main(['run', '--config', sys.argv[1]]) == 0;"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(config)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert {"edge", "onnxruntime", "numpy"} <= loaded
    assert not loaded & {"train", "export", "app", "torch", "librosa", "sklearn", "scipy", "pandas"}
