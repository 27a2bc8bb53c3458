"""The examples of docs/fleet.md: two rooms, one broker; a bridge between two."""

import contextlib
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from edge.config import load
from tests.conftest import DEMO, ROOT
from tests.faults.parts import SHIPPED, Broker, Daemon, Recorder

COMPOSE = ROOT / "docs" / "examples" / "compose"
SERVICES = yaml.safe_load((COMPOSE / "compose.yaml").read_text())["services"]
ROOMS = ("kitchen", "hall")


def settings(path: Path) -> list[str]:
    """The lines of a configuration of mosquitto, without its comments."""
    return [line for line in path.read_text().splitlines() if line and not line.startswith("#")]


def test_every_file_that_compose_mounts_is_there() -> None:
    mounts = [volume for service in SERVICES.values() for volume in service.get("volumes", [])]
    files = [volume.split(":")[0] for volume in mounts if volume.startswith(".")]
    assert len(files) >= 8
    for file in files:
        assert (COMPOSE / file).is_file(), file
    assert set(ROOMS) < set(SERVICES)


def test_docker_compose_understands_the_file(tmp_path: Path) -> None:
    """Debian's docker-compose, which needs no docker to read it; an image to build needs its folder."""
    copy = shutil.copytree(COMPOSE, tmp_path / "docs" / "examples" / "compose")
    (tmp_path / "dist" / "homeassistant" / "affectd").mkdir(parents=True)
    command = ["docker-compose", "-f", copy / "compose.yaml", "--profile", "history", "config", "--services"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == set(SERVICES)


def test_the_brokers_configuration_is_the_shipped_one() -> None:
    shipped = {line for line in settings(SHIPPED) if not line.startswith("persistence_location")}
    assert shipped < set(settings(COMPOSE / "mosquitto.conf"))


def test_both_rooms_speak_through_one_broker(broker: int, tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        recorder = Recorder(broker)
        stack.callback(recorder.close)
        for room in ROOMS:
            config = load(COMPOSE / f"{room}.yaml")
            assert (config.source.path, config.mqtt.host) == ("/sound/demo.opus", "mosquitto")
            source = {"kind": "file", "path": str(DEMO), "paced": False}
            stack.callback(Daemon(tmp_path, broker, node=config.node, source=source).kill)
        recorder.wait(lambda: all(recorder.on("journal", room) for room in ROOMS), 120)


def test_a_bridge_forwards_the_journal_also_that_of_an_outage(tmp_path: Path) -> None:
    far = Broker(tmp_path / "far").start()
    away = ("address", "bridge_cafile")  # no TLS between two brokers of one machine
    lines = [line for line in settings(COMPOSE / "bridge.conf") if not line.startswith(away)]
    lines.insert(1, f"address 127.0.0.1:{far.port}")
    listener = "listener {port} 127.0.0.1\nallow_anonymous true\n"
    near = Broker(tmp_path / "near", listener + "\n".join(lines)).start()
    recorder, speaker = Recorder(far.port), Recorder(near.port)
    try:
        speaker.publish("affectd/kitchen/status", "online", retain=True)
        speaker.publish("affectd/kitchen/journal", '{"seq":1}')
        recorder.wait(lambda: recorder.on("journal") and recorder.on("status"))
        far.stop()
        for seq in (2, 3, 4):
            speaker.publish("affectd/kitchen/journal", json.dumps({"seq": seq}))
        speaker.publish("affectd/kitchen/event", "{}")
        far.start()
        recorder.wait(lambda: len({message.payload for message in recorder.on("journal")}) == 4, 90)
        seen = list(dict.fromkeys(message.json["seq"] for message in recorder.on("journal")))
        assert seen == [1, 2, 3, 4]
        assert not recorder.on("event")
    finally:
        recorder.close()
        speaker.close()
        near.stop()
        far.stop()


def test_the_page_shows_the_bridge_that_is_tried() -> None:
    assert (COMPOSE / "bridge.conf").read_text() in (ROOT / "docs" / "fleet.md").read_text()


@pytest.mark.parametrize("page", ["guide.md", "fleet.md"])
def test_every_link_of_the_page_leads_somewhere(page: str) -> None:
    links = re.findall(r"\]\((?!http|#)([^)#]+)", (ROOT / "docs" / page).read_text())
    assert links
    for link in links:
        assert (ROOT / "docs" / link).exists(), link
