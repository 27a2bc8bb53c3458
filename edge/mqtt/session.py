"""One connection to the broker, from CONNECT to its end."""

import select
import socket
import ssl
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import paho.mqtt.client as paho
from paho.mqtt import MQTTException
from paho.mqtt.enums import MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edge.config import MqttSettings
from edge.events.delivery import Delivery
from edge.mqtt import properties
from edge.mqtt.opening import CONNECT_TIMEOUT_S, IN_FLIGHT, Opener, close
from edge.mqtt.outbox import Outbox, Sendable
from edge.mqtt.refusals import Action, Refusals
from edge.mqtt.topics import Incoming, Message
from edge.mqtt.waker import Waker

MQTT5_TIMEOUT_S = 3.0  # for CONNACK: some brokers of 3.1.1 do not answer MQTT 5 at all
SILENT_KEEPALIVES = 1.5  # without a byte for so long, a connection is dead (MQTT 5, section 3.1.2.10)
LISTEN_S = 1.0  # at most, for SUBACK before the first greeting
FLUSH_S = 5.0  # how long a clean stop waits for acknowledgements

_TAKEN_OVER = 142  # MQTT 5, section 3.14.2.1
_NOT_AUTHORISED = 135  # MQTT 5, section 3.4.2.1
_UNSUPPORTED_VERSION = 132  # MQTT 5, section 3.2.2.2; paho maps 3.1.1's code 1 to it
# What paho raises for bytes that are no MQTT. Its callbacks only take notes, so that no fault of ours is among them.
_NO_MQTT = (MQTTException, ValueError, IndexError, KeyError, TypeError, struct.error)


class RefusedError(Exception):
    """The broker answered, and the answer was no."""


class UnsupportedError(Exception):
    """The broker does not speak MQTT 5."""


class NotWantedError(Exception):
    """The daemon stops before the connection is open."""


@dataclass(frozen=True)
class Conversation:
    """What is said on every connection.

    ``online``, what undoes the ``will``, is sent after the retained topics; ``envelope`` addresses a delivery of the
    journal; ``on_message`` is given what arrives on the topics of ``subscriptions``, on the connection's thread. What
    the broker keeps on the first of these is heard before anything is said on the first connection.
    """

    will: Message
    online: Message
    subscriptions: Sequence[str]
    envelope: Callable[[Delivery], Message]
    on_message: Callable[[Incoming], None]


class BrokerSession:
    """Sends what the outbox holds and hands on what arrives; used by one thread. ``lost`` says how it ended.

    A ``careful`` one has one packet in flight at a time: where the broker hangs up, it is known for which.
    """

    def __init__(
        self,
        client: paho.Client,
        settings: MqttSettings,
        conversation: Conversation,
        outbox: Outbox,
        refusals: Refusals,
        waker: Waker,
        beat: Callable[[], None],
        *,
        careful: bool = False,
    ) -> None:
        self._client = client
        self._settings = settings
        self._conversation = conversation
        self._outbox = outbox
        self._refusals = refusals
        self._waker = waker
        self._beat = beat  # called at every turn: this thread is alive
        self._careful = careful
        self._five = client.protocol == MQTTProtocolVersion.MQTTv5
        self._unacknowledged: dict[int, Sendable] = {}
        self._subscribing: dict[int, list[str]] = {}
        self._arrived: list[paho.MQTTMessage] = []
        self._window = 1 if careful else IN_FLIGHT
        self._connack: ReasonCode | None = None
        self._last_byte_at = time.monotonic()
        self._leaving = False
        self._hung_up: ReasonCode | None = None
        self.lost: str | None = None
        self.taken_over = False
        self.no_mqtt = False  # what arrived could not be read
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        client.on_subscribe = self._on_subscribe
        client.on_socket_open = _at_once

    def open(self, opener: Opener, wanted: Callable[[], bool], *, clean: bool = False) -> None:
        """Connect and subscribe, while it is ``wanted``; ``clean``: without what the broker holds for us.

        Raises OSError or ValueError where there is no way to the broker, RefusedError, UnsupportedError, and
        NotWantedError.
        """

        def go_on() -> bool:
            self._beat()
            return wanted()

        if not opener.open(self._client, self._conversation.will, go_on, clean=clean):
            raise NotWantedError
        self._last_byte_at = time.monotonic()
        self._await_connack(wanted)
        self._refusals.reconnected()
        self._subscribe(wanted)

    def listen(self) -> None:
        """Take what the broker keeps on the first topic subscribed to: it comes before the other topics' SUBACK."""
        deadline = time.monotonic() + LISTEN_S
        while self._subscribing and self.lost is None and time.monotonic() < deadline:
            self._step(LISTEN_S)

    def turn(self, timeout_s: float) -> None:
        """Send what may be sent, wait for something to happen, take note of what did."""
        self._drain()
        self._step(timeout_s)
        self._outbox.settle()
        if time.monotonic() - self._last_byte_at > SILENT_KEEPALIVES * self._settings.keepalive_s:
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
        self._send(Sendable(self._conversation.will))
        while self._unacknowledged and self.lost is None and time.monotonic() < deadline + 1:
            self._step(0.1)
        if self.lost is None:
            self._outbox.settle(0.0)
        self._client.disconnect()

    def close(self) -> None:
        """Without a goodbye, unless ``leave`` has said it."""
        close(self._client)

    def blame(self) -> bool:
        """Whether the broker may have hung up because of what was in flight; where that was one thing, it is noted."""
        flying: list[tuple[str, Action]] = [(item.message.topic, "publish") for item in self._unacknowledged.values()]
        flying += [(topic, "subscribe") for topics in self._subscribing.values() for topic in topics]
        said_so = self._hung_up is not None and self._hung_up.value == _NOT_AUTHORISED
        if not flying or self._hung_up is None or (self._five and not said_so):
            return False
        if len(flying) == 1 and self._careful:
            topic, action = flying[0]
            if said_so:
                self._refusals.refused(topic, str(self._hung_up), action, hung_up=True)
            else:
                self._refusals.suspected(topic, action)
        return True

    def _await_connack(self, wanted: Callable[[], bool]) -> None:
        deadline = time.monotonic() + (MQTT5_TIMEOUT_S if self._five else CONNECT_TIMEOUT_S)
        while self._connack is None:
            if not wanted():
                raise NotWantedError
            if self.lost is not None or time.monotonic() > deadline:
                if self._five:  # a broker that knows only 3.1.1 may hang up, or say nothing
                    raise UnsupportedError
                raise RefusedError(self._silence())
            self._step(0.5)
        if self._connack.is_failure:
            if self._five and self._connack.value == _UNSUPPORTED_VERSION:
                raise UnsupportedError
            raise RefusedError(f"refused: {self._connack}: see mqtt.username and mqtt.password_file")

    def _silence(self) -> str:
        """What it may mean that nothing answers CONNECT."""
        tls = self._settings.tls
        if self.lost is None:
            return "no answer to CONNECT: is this port a broker's?"
        if tls is None:
            return "the broker hangs up at CONNECT: is this port one for TLS (mqtt.tls) or for websockets?"
        if tls.certificate_file is None:
            return "the broker hangs up: does it want a certificate (mqtt.tls.certificate_file)?"
        return "the broker hangs up at CONNECT: is this port one for MQTT, and this certificate known to it?"

    def _subscribe(self, wanted: Callable[[], bool]) -> None:
        topics = [topic for topic in self._conversation.subscriptions if self._refusals.allows(topic, "subscribe")]
        packets = [[topic] for topic in topics] if self._careful else [topics[:1], topics[1:]]
        for some in filter(None, packets):
            _, mid = self._client.subscribe([(topic, 1) for topic in some])
            if mid is not None:
                self._subscribing[mid] = some
            deadline = time.monotonic() + CONNECT_TIMEOUT_S
            while self._careful and self._subscribing and self.lost is None and wanted():
                self._step(0.5)
                if time.monotonic() > deadline:
                    self.lost = "no answer to SUBSCRIBE"

    def _step(self, timeout_s: float) -> None:
        """Wait for the broker, for something to publish, or for the time to run out; then let paho work."""
        self._beat()
        client, broker = self._client, self._client.socket()
        if broker is None:
            self.lost = self.lost or "connection lost"
            return
        pending = isinstance(broker, ssl.SSLSocket) and broker.pending() > 0
        wire, woken = broker.fileno(), self._waker.fileno()
        readable, writable, _ = select.select(
            [wire, woken], [wire] if client.want_write() else [], [], 0 if pending else timeout_s
        )
        if woken in readable:
            self._waker.clear()
        if wire in readable or pending:
            self._last_byte_at = time.monotonic()
            try:
                self.no_mqtt = client.loop_read() == MQTTErrorCode.MQTT_ERR_PROTOCOL
            except _NO_MQTT as error:
                self.no_mqtt = True
                self.lost = self.lost or f"the broker sends what is no MQTT ({error})"
        if wire in writable:
            client.loop_write()
        client.loop_misc()
        while self._arrived:
            self._process(self._arrived.pop(0))

    def _drain(self) -> None:
        """As far as the window is open."""
        while (room := self._window - len(self._unacknowledged)) > 0 and self.lost is None:
            taken = self._outbox.take(room)
            for item in taken:
                self._send(item)
            if not taken:
                return

    def _send(self, item: Sendable) -> None:
        message = item.message
        extra = properties.of_publish(message) if self._five else None
        qos = max(message.qos, int(self._careful))  # so that every one is acknowledged, or was in flight
        sent = self._client.publish(message.topic, message.payload, qos, message.retain, extra)
        if sent.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            self.lost = self.lost or paho.error_string(sent.rc)
        if qos > 0:
            self._unacknowledged[sent.mid] = item

    def _on_connect(
        self, _client: paho.Client, _data: object, _flags: object, reason: ReasonCode, answer: Properties | None
    ) -> None:
        self._connack = reason
        self._window = min(self._window, properties.receive_maximum(answer))

    def _on_disconnect(
        self, _client: paho.Client, _data: object, _flags: object, reason: ReasonCode, _properties: object
    ) -> None:
        self._hung_up = reason
        self.taken_over = reason.value == _TAKEN_OVER
        self.lost = self.lost or f"connection lost ({reason})"

    def _on_publish(
        self, _client: paho.Client, _data: object, mid: int, reason: ReasonCode, _properties: object
    ) -> None:
        item = self._unacknowledged.pop(mid, None)
        if item is None:
            return
        if reason.is_failure:  # of this one topic: the others go on
            self._refusals.refused(item.message.topic, str(reason))
            if item.seq is not None:
                self._outbox.rewind()  # the journal keeps it
        else:
            self._refusals.accepted(item.message.topic)
            if item.seq is not None:
                self._outbox.acknowledged(item.seq)

    def _on_subscribe(
        self, _client: paho.Client, _data: object, mid: int, reasons: list[ReasonCode], _properties: object
    ) -> None:
        for topic, reason in zip(self._subscribing.pop(mid, []), reasons, strict=False):
            if reason.is_failure:
                self._refusals.refused(topic, str(reason), "subscribe")
            else:
                self._refusals.accepted(topic, "subscribe")

    def _on_message(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        self._arrived.append(message)

    def _process(self, message: paho.MQTTMessage) -> None:
        arrived, will = properties.incoming(message), self._conversation.will
        if arrived is None:
            return
        if arrived.topic != will.topic:
            self._conversation.on_message(arrived)
        elif arrived.payload == will.payload and not self._leaving:
            self._outbox.say(self._conversation.online)  # an older session's will has overwritten it


def _at_once(_client: paho.Client, _data: object, broker: object) -> None:
    """No packet waits for the acknowledgement of the one before it, 40 ms where that is delayed (RFC 896, RFC 1122)."""
    if isinstance(broker, socket.socket):
        broker.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
