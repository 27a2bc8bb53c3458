"""The page as a node: what it hears reaches a broker over websockets, in the daemon's payloads."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import expect

from edge.events.event import Event
from edge.mqtt.topics import Info
from tests.conftest import Subscriber, answers, free_port, until
from tests.web.conftest import Visitor


@pytest.fixture
def ports(tmp_path: Path) -> Iterator[tuple[int, int]]:
    """Of a mosquitto that speaks MQTT at the one and websockets at the other."""
    program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    plain, sockets = free_port(), free_port()
    settings = tmp_path / "mosquitto.conf"
    settings.write_text(
        f"allow_anonymous true\nlistener {plain} 127.0.0.1\nlistener {sockets} 127.0.0.1\nprotocol websockets\n"
    )
    process = subprocess.Popen([program, "-c", str(settings)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(lambda: answers(plain) and answers(sockets))
    yield plain, sockets
    process.terminate()
    process.wait()


def test_phone_becomes_a_sensor(visitor: Visitor, ports: tuple[int, int]) -> None:
    plain, sockets = ports
    subscriber = Subscriber(plain)
    visitor.open("/node.html", node="shelf", broker=f"ws://127.0.0.1:{sockets}")
    page = visitor.page
    page.get_by_role("button", name="Settings").click()
    page.get_by_role("button", name="Connect").click()
    expect(page.locator(".broker")).to_have_text("Connected: publishes under affectd/shelf.")
    info = msgspec.json.decode(subscriber.next("info").payload, type=Info)
    assert (info.node, info.bundle) == ("shelf", "light")
    assert subscriber.next("status").payload == b"online"
    page.get_by_role("button", name="Close", exact=True).click()
    page.get_by_role("button", name="Listen").click()
    assert subscriber.next("microphone").payload == b"online"
    assert subscriber.next("speech").payload == b"ON"
    message = subscriber.next("event")
    event = msgspec.json.decode(message.payload, type=Event, strict=True)
    heard = visitor.said("heard")[0]["utterance"]
    assert set(json.loads(message.payload)) == set(json.loads(msgspec.json.encode(event)))  # as the daemon's, no more
    assert (event.node, event.seq, event.emotion, event.model) == ("shelf", 1, heard["emotion"], info.model)
    assert event.id == f"shelf-{info.boot}-000001"
    assert event.probabilities == pytest.approx(heard["probabilities"], abs=1e-4)
    (voice,) = [said["voice"] for said in visitor.said("voice")][:1]
    assert event.explanation is not None
    assert event.explanation.sentence == voice["sentence"]
    effects = {name: each["effect"] for name, each in voice["aspects"]["effects"].items()}
    assert event.explanation.aspects == pytest.approx(effects, abs=1e-4)
    assert not message.retain
    assert subscriber.next("state").payload.decode() == event.emotion
    page.get_by_role("button", name="Stop").click()
    assert subscriber.next("microphone").payload == b"offline"
    page.close()
    assert subscriber.next("status").payload == b"offline"  # the last will
    subscriber.close()
    visitor.page = visitor.context.new_page()


def test_broker_that_is_not_there_gets_a_sentence(visitor: Visitor) -> None:
    visitor.open("/node.html", node="Shelf!", broker="http://127.0.0.1")
    page = visitor.page
    page.get_by_role("button", name="Settings").click()
    connect, state = page.get_by_role("button", name="Connect", exact=True), page.locator(".broker")
    connect.click()
    expect(state).to_contain_text("address begins with ws:// or wss://")
    page.get_by_label("Broker").fill(f"ws://127.0.0.1:{free_port()}")
    connect.click()
    expect(state).to_contain_text("A node's name has 1 to 40 characters")
    page.get_by_label("Node").fill("shelf")
    connect.click()
    expect(state).to_contain_text("The broker cannot be reached")
    page.get_by_role("button", name="Disconnect").click()
    expect(state).to_have_text("Not connected.")
    visitor.complaints.clear()  # the browser names the address that did not answer


def test_only_the_sensors_page_knows_brokers(visitor: Visitor) -> None:
    visitor.open()
    visitor.page.get_by_role("button", name="Settings").click()
    expect(visitor.page.get_by_label("Broker")).to_have_count(0)
    expect(visitor.page.get_by_role("link", name="Open the sensor's page")).to_have_attribute("href", "node.html")
