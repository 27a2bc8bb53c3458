"""A connection to brokers that do what none should."""

import socket
import threading
from collections.abc import Iterator

import pytest

from edge.config import MqttSettings
from edge.events.delivery import Delivery
from edge.mqtt.connection import Connection
from edge.mqtt.session import Conversation
from edge.mqtt.topics import Incoming, Topics
from tests.conftest import until

TOPICS = Topics("affectd", "kitchen")
CONNACK = b"\x20\x03\x00\x00\x00"
CLEAN_START = 0x02  # MQTT 5, section 3.1.2.4


class Empty:
    """A journal with nothing in it."""

    def pending(self, after: int, count: int) -> list[Delivery]:
        return []

    def acknowledge(self, through: int) -> None:
        raise AssertionError("nothing was sent")


class Heard:
    """A connection on a thread of its own, and what it handed on."""

    def __init__(self, port: int) -> None:
        self.messages: list[Incoming] = []
        self.beats = 0
        conversation = Conversation(
            will=TOPICS.will(),
            online=TOPICS.online(),
            subscriptions=TOPICS.subscriptions(),
            envelope=TOPICS.journal,
            on_message=self.messages.append,
        )
        settings = MqttSettings(host="127.0.0.1", port=port, reconnect_max_s=0.1)
        self.connection = Connection(settings, "affectd-kitchen", conversation, Empty(), self._beat)
        self._thread = threading.Thread(target=self.connection.run)
        self._thread.start()

    def close(self) -> None:
        self.connection.close()
        self._thread.join(10)
        assert not self._thread.is_alive()

    def _beat(self) -> None:
        self.beats += 1


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)
        yield server


def publish(topic: bytes, properties: bytes = b"") -> bytes:
    body = len(topic).to_bytes(2, "big") + topic + bytes([len(properties)]) + properties + b"ON"
    return bytes([0x30, len(body)]) + body


@pytest.mark.parametrize(
    "nonsense",
    [
        publish(b"affectd/kitchen/request/ping", b"\x08\x00\x02\xff\xfe"),  # a response topic that is not UTF-8
        publish(b"affectd/kitchen/request/ping", b"\x08\xff\xff"),  # longer than the packet
        publish(b"affectd/kitchen/request/ping", b"\x7f"),  # a property that there is not
        b"\xf0\x05hello",
    ],
    ids=["no UTF-8", "too long", "unknown property", "unknown packet"],
)
def test_bytes_that_are_no_mqtt_cost_the_connection_and_what_the_broker_held(
    server: socket.socket, nonsense: bytes
) -> None:
    heard = Heard(server.getsockname()[1])
    try:
        first, _ = server.accept()
        assert not first.recv(1000)[9] & CLEAN_START
        first.sendall(CONNACK + nonsense)
        second, _ = server.accept()
        assert second.recv(1000)[9] & CLEAN_START
        assert not heard.messages
        second.close()
        first.close()
    finally:
        heard.close()


def test_a_topic_that_is_not_utf_8_is_nobodys_and_the_connection_stays(server: socket.socket) -> None:
    heard = Heard(server.getsockname()[1])
    try:
        first, _ = server.accept()
        first.recv(1000)
        first.sendall(CONNACK + publish(b"affectd/\xff\xfe") + publish(b"affectd/kitchen/listening/set"))
        until(lambda: heard.messages)
        assert [message.topic for message in heard.messages] == ["affectd/kitchen/listening/set"]
        assert heard.connection.connections == 1
    finally:
        heard.close()
        first.close()


def test_a_server_that_says_nothing_is_waited_for_with_a_beating_heart(server: socket.socket) -> None:
    heard = Heard(server.getsockname()[1])
    try:
        first, _ = server.accept()
        until(lambda: heard.beats > 3)
        assert not heard.connection.connected
    finally:
        heard.close()
        first.close()
