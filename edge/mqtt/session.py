"""One connection to the broker, from CONNECT to its end."""

import logging
import select
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edge import log
from edge.config import MqttSettings
from edge.events.delivery import Delivery
from edge.mqtt import properties
from edge.mqtt.credentials import authenticate
from edge.mqtt.outbox import Key, Outbox
from edge.mqtt.topics import Incoming, Message
from edge.mqtt.wakeup import Wakeup

CONNECT_TIMEOUT_S = 10.0  # for TCP and TLS, then again for CONNACK
MQTT5_TIMEOUT_S = 3.0  # for CONNACK: some brokers of 3.1.1 do not answer MQTT 5 at all
SILENT_KEEPALIVES = 1.5  # without a byte for so long, a connection is dead (MQTT 5, section 3.1.2.10)
IN_FLIGHT = 16  # unacknowledged messages at a time; under paho's own limit, so that paho never queues
FLUSH_S = 5.0  # how long a clean stop waits for acknowledgements

_TAKEN_OVER = 142  # MQTT 5, section 3.14.2.1
_UNSUPPORTED_VERSION = 132  # MQTT 5, section 3.2.2.2; paho maps 3.1.1's code 1 to it

_logger = logging.getLogger("affectd")


class RefusedError(Exception):
    """The broker answered, and the answer was no."""


class UnsupportedError(Exception):
    """The broker does not speak MQTT 5."""


@dataclass(frozen=True)
class Conversation:
    """What is said on every connection.

    ``greeting`` returns the retained topics as they are at that moment, so that nothing retained needs to be queued
    through an outage; ``online``, what undoes the ``will``, is sent after it; ``envelope`` addresses a delivery of the
    journal; ``hear`` is given what arrives on the topics of ``subscriptions``, on the connection's thread.
    """

    will: Message
    online: Message
    subscriptions: Sequence[str]
    greeting: Callable[[], Sequence[Message]]
    envelope: Callable[[Delivery], Message]
    hear: Callable[[Incoming], None]


def new_client(client_id: str, settings: MqttSettings, *, five: bool) -> paho.Client:
    """A client of MQTT 5, or 3.1.1, that can log in; AffectdError when a file with credentials is unusable."""
    client = paho.Client(
        CallbackAPIVersion.VERSION2,
        client_id,
        clean_session=None if five else False,
        protocol=MQTTProtocolVersion.MQTTv5 if five else MQTTProtocolVersion.MQTTv311,
    )
    client.connect_timeout = CONNECT_TIMEOUT_S
    client.max_inflight_messages_set(2 * IN_FLIGHT)
    authenticate(client, settings)
    return client


class Session:
    """Sends what the outbox holds and hands on what arrives; used by one thread. ``lost`` says how it ended."""

    def __init__(
        self,
        client: paho.Client,
        settings: MqttSettings,
        conversation: Conversation,
        outbox: Outbox,
        wakeup: Wakeup,
        beat: Callable[[], None],
    ) -> None:
        self._client = client
        self._settings = settings
        self._conversation = conversation
        self._outbox = outbox
        self._wakeup = wakeup
        self._beat = beat  # called at every turn: this thread is alive
        self._five = client.protocol == MQTTProtocolVersion.MQTTv5
        self._unacknowledged: dict[int, Key | None] = {}
        self._window = IN_FLIGHT
        self._connack: ReasonCode | None = None
        self._heard_at = time.monotonic()
        self._leaving = False
        self.lost: str | None = None
        self.taken_over = False
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        client.on_subscribe = self._on_subscribe
        client.on_socket_open = _at_once

    def open(self, wanted: Callable[[], bool]) -> None:
        """Connect, while it is ``wanted``; raises OSError, RefusedError or UnsupportedError."""
        settings, will, five = self._settings, self._conversation.will, self._five
        self._client.will_set(will.topic, will.payload, will.qos, will.retain, properties.of_will() if five else None)
        if five:
            self._client.connect(
                settings.host,
                settings.port,
                settings.keepalive_s,
                clean_start=False,
                properties=properties.of_connect(),
            )
        else:
            self._client.connect(settings.host, settings.port, settings.keepalive_s)
        self._await_connack(wanted)
        self._client.subscribe([(topic, 1) for topic in self._conversation.subscriptions])

    def turn(self, timeout_s: float) -> None:
        """Send what may be sent, wait for something to happen, take note of what did."""
        self._drain()
        self._step(timeout_s)
        self._outbox.settle()
        if time.monotonic() - self._heard_at > SILENT_KEEPALIVES * self._settings.keepalive_s:
            self.lost = self.lost or "the broker has fallen silent"

    def leave(self) -> None:
        """Flush for at most ``FLUSH_S``, say ``offline``, disconnect."""
        self._leaving = True
        deadline = time.monotonic() + FLUSH_S
        while self.lost is None and time.monotonic() < deadline:
            self._drain()
            if not (self._outbox.live or self._unacknowledged):
                break
            self._step(0.1)
        self._send(self._conversation.will)
        while self._unacknowledged and self.lost is None and time.monotonic() < deadline + 1:
            self._step(0.1)
        if self.lost is None:
            self._outbox.settle(0.0)
        self._client.disconnect()

    def close(self) -> None:
        """Without a goodbye, unless ``leave`` has said it."""
        broker = self._client.socket()
        if broker is not None:
            broker.close()

    def _await_connack(self, wanted: Callable[[], bool]) -> None:
        deadline = time.monotonic() + (MQTT5_TIMEOUT_S if self._five else CONNECT_TIMEOUT_S)
        while self._connack is None:
            if self.lost is not None or time.monotonic() > deadline or not wanted():
                if self._five:  # a broker that knows only 3.1.1 may hang up, or say nothing
                    raise UnsupportedError
                tls = self._settings.tls
                if tls is not None and tls.certificate_file is None and self.lost is not None:
                    raise RefusedError("the broker hangs up: does it want a certificate (mqtt.tls.certificate_file)?")
                raise RefusedError("no answer to CONNECT: is this port a broker's?")
            self._step(0.5)
        if self._connack.is_failure:
            if self._five and self._connack.value == _UNSUPPORTED_VERSION:
                raise UnsupportedError
            raise RefusedError(f"refused: {self._connack}: see mqtt.username and mqtt.password_file")

    def _step(self, timeout_s: float) -> None:
        """Wait for the broker, for something to publish, or for the time to run out; then let paho work."""
        self._beat()
        client, broker = self._client, self._client.socket()
        if broker is None:
            self.lost = self.lost or "connection lost"
            return
        pending = isinstance(broker, ssl.SSLSocket) and broker.pending() > 0
        wire, call = broker.fileno(), self._wakeup.fileno()
        readable, writable, _ = select.select(
            [wire, call], [wire] if client.want_write() else [], [], 0 if pending else timeout_s
        )
        if call in readable:
            self._wakeup.clear()
        if wire in readable or pending:
            self._heard_at = time.monotonic()
            client.loop_read()
        if wire in writable:
            client.loop_write()
        client.loop_misc()

    def _drain(self) -> None:
        """As far as the window is open."""
        while (room := self._window - len(self._unacknowledged)) > 0 and self.lost is None:
            taken = self._outbox.take(room, in_flight=bool(self._unacknowledged))
            for message, key in taken:
                self._send(message, key)
            if not taken:
                return

    def _send(self, message: Message, key: Key | None = None) -> None:
        extra = properties.of_publish(message) if self._five else None
        sent = self._client.publish(message.topic, message.payload, message.qos, message.retain, extra)
        if sent.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            self.lost = self.lost or paho.error_string(sent.rc)
        elif message.qos > 0:
            self._unacknowledged[sent.mid] = key

    def _on_connect(
        self, _client: paho.Client, _data: object, _flags: object, reason: ReasonCode, answer: Properties | None
    ) -> None:
        self._connack = reason
        self._window = min(IN_FLIGHT, properties.receive_maximum(answer))

    def _on_disconnect(
        self, _client: paho.Client, _data: object, _flags: object, reason: ReasonCode, _properties: object
    ) -> None:
        self.taken_over = reason.value == _TAKEN_OVER
        self.lost = self.lost or f"connection lost ({reason})"

    def _on_publish(
        self, _client: paho.Client, _data: object, mid: int, reason: ReasonCode, _properties: object
    ) -> None:
        key = self._unacknowledged.pop(mid, None)
        if reason.is_failure:  # kept, and tried again on the next connection
            self.lost = self.lost or f"the broker refuses to take a message ({reason}): see its access control"
        elif key is not None:
            self._outbox.acknowledged(key)

    def _on_subscribe(
        self, _client: paho.Client, _data: object, _mid: int, reasons: list[ReasonCode], _properties: object
    ) -> None:
        for topic, reason in zip(self._conversation.subscriptions, reasons, strict=False):
            if reason.is_failure:
                _logger.warning(log.line("broker", topic=topic, error=f"refuses the subscription ({reason})"))

    def _on_message(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        will = self._conversation.will
        if message.topic != will.topic:
            self._conversation.hear(properties.incoming(message))
        elif message.payload == will.payload and not self._leaving:
            self._outbox.add(self._conversation.online)  # an older session's will has overwritten it


def _at_once(_client: paho.Client, _data: object, broker: object) -> None:
    """No packet waits for the acknowledgement of the one before it, 40 ms where that is delayed (RFC 896, RFC 1122)."""
    if isinstance(broker, socket.socket):
        broker.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
