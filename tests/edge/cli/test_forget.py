"""What the adapter has learnt: kept between runs, counted in events, emptied on request."""

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from edge.events.event import Event
from tests.conftest import DEMO, ROOT, Subscriber, affectd


@pytest.fixture
def config(tmp_path: Path, broker: int) -> Path:
    path = tmp_path / "affectd.yaml"
    path.write_text(
        f"node: test\nstate_directory: {tmp_path}/state\nsource: {{kind: file, path: {DEMO}, paced: false}}\n"
        f"mqtt: {{host: 127.0.0.1, port: {broker}}}\nvoices: {{mode: off}}\n"
    )
    return path


def adapted_on(subscriber: Subscriber, config: Path) -> list[int]:
    assert affectd("run", "--config", config).returncode == 0
    events = [message for message in subscriber.drain() if message.topic.endswith("/event")]
    return [msgspec.json.decode(message.payload, type=Event).adapted_on for message in events]


def test_history_grows_survives_a_restart_and_is_forgotten(config: Path, subscriber: Subscriber) -> None:
    assert adapted_on(subscriber, config) == [0, 1, 2, 3, 4, 5, 6]
    assert adapted_on(subscriber, config) == [7, 8, 9, 10, 11, 12, 13]
    done = affectd("forget", "--config", config)
    assert done.returncode == 0, done.stderr
    assert adapted_on(subscriber, config)[0] == 0


def test_running_daemon_forgets_when_asked(tmp_path: Path, config: Path, subscriber: Subscriber) -> None:
    config.write_text(config.read_text().replace("paced: false", "paced: true"))
    daemon = subprocess.Popen([sys.executable, "-m", "edge", "run", "--config", str(config)], cwd=ROOT)
    first, second = (msgspec.json.decode(subscriber.next("event").payload, type=Event) for _ in range(2))
    assert (first.adapted_on, second.adapted_on) == (0, 1)
    done = affectd("forget", "--config", config)
    assert "has forgotten" in done.stdout
    assert msgspec.json.decode(subscriber.next("event").payload, type=Event).adapted_on == 0
    daemon.terminate()
    assert daemon.wait(20) == 0


def test_history_holds_numbers_alone_and_only_of_its_bundle(
    tmp_path: Path, config: Path, subscriber: Subscriber
) -> None:
    adapted_on(subscriber, config)
    path = next((tmp_path / "state").rglob("adapter.json"))
    kept = json.loads(path.read_text())
    assert len(path.read_bytes()) < 16_000
    path.write_text(json.dumps(kept | {"bundle": "sha256:another"}))
    assert adapted_on(subscriber, config)[0] == 0


def test_without_adaptation_nothing_is_learnt(tmp_path: Path, config: Path, subscriber: Subscriber) -> None:
    config.write_text(config.read_text() + "model: {adapt: false}\n")
    assert adapted_on(subscriber, config) == [0] * 7
    assert not list((tmp_path / "state").rglob("adapter.json"))


def test_files_are_one_microphones_history_on_request() -> None:
    plain, adapted = (
        [json.loads(line) for line in affectd("analyse", *option, DEMO).stdout.splitlines()]
        for option in ((), ("--adapt",))
    )
    assert adapted[0]["probabilities"] == plain[0]["probabilities"]
    assert adapted[-1]["probabilities"] != plain[-1]["probabilities"]
    assert "adapted" in adapted[-1]["explanation"]["baseline"]
