"""The connection to the broker: one thread that connects, publishes, and reconnects for ever."""

import contextlib
import logging
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edge import log, properties
from edge.backoff import Backoff
from edge.config import MqttSettings
from edge.credentials import authenticate
from edge.errors import AffectdError
from edge.journal import Delivery
from edge.outbox import Backlog, Key, Outbox
from edge.topics import Incoming, Message

CONNECT_TIMEOUT_S = 10.0  # for TCP and TLS, then again for CONNACK
MQTT5_TIMEOUT_S = 3.0  # for CONNACK: some brokers of 3.1.1 do not answer MQTT 5 at all
SILENT_KEEPALIVES = 1.5  # without a byte for so long, a connection is dead (MQTT 5, section 3.1.2.10)
IN_FLIGHT = 16  # unacknowledged messages at a time; under paho's own limit, so that paho never queues
CONTESTED_S = 600.0  # how long a namesake is kept in mind
FLUSH_S = 5.0  # how long a clean stop waits for acknowledgements

_TAKEN_OVER = 142  # MQTT 5, section 3.14.2.1
_UNSUPPORTED_VERSION = 132  # MQTT 5, section 3.2.2.2; paho maps 3.1.1's code 1 to it

_logger = logging.getLogger("affectd")


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


class Connection:
    """Keeps a session with the broker and publishes what it is given, in order, then what the journal holds.

    Every call of paho happens on the thread that runs ``run``; the other methods may be called from any. Raises
    AffectdError when a file with credentials is unusable from the start.
    """

    def __init__(
        self,
        settings: MqttSettings,
        client_id: str,
        conversation: Conversation,
        backlog: Backlog,
        beat: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._client_id = client_id
        self._conversation = conversation
        self._outbox = Outbox(backlog, conversation.envelope)
        self._beat = beat  # called at every turn: this thread is alive
        self._unacknowledged: dict[int, Key | None] = {}
        self._protocol = MQTTProtocolVersion.MQTTv5
        self._fallen_back = False
        self._window = IN_FLIGHT
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._stopping = threading.Event()
        self._repeats = log.Repeats()
        self._connack: ReasonCode | None = None
        self._lost: str | None = None
        self._taken_over = False
        self._contested_until = 0.0
        self._contest = f"another client uses the id {client_id}: give each daemon its own `node`"
        self._greet_at: float | None = None
        self._heard_at = 0.0
        self.connected = False
        self.connections = 0
        authenticate(self._new_client(), settings)

    def publish(self, message: Message) -> None:
        """Send ``message`` as soon as there is a connection."""
        if not self.connected and message.retain:
            return  # the greeting of the next connection brings the latest value
        self._outbox.add(message)
        self._wake()

    def look(self) -> None:
        """The journal has grown."""
        self._outbox.look()
        self._wake()

    def greet_again(self, delay_s: float) -> None:
        """Repeat the greeting in ``delay_s``, once, however often this is asked for until then."""
        if self._greet_at is None:
            self._greet_at = time.monotonic() + delay_s
            self._wake()

    def contested(self) -> None:
        """Somebody else speaks for this node; where the broker does not say so itself, what they publish does."""
        self._contested_until = time.monotonic() + CONTESTED_S
        self._complain(self._contest)

    @property
    def expired(self) -> int:
        """Live messages that waited too long, or were too many."""
        return self._outbox.expired

    def close(self) -> None:
        """Ask ``run`` to flush for at most ``FLUSH_S``, say ``offline``, disconnect and return."""
        self._stopping.set()
        self._wake()

    def run(self) -> None:
        """Connect and serve until ``close``; never raises for anything a broker or a network does."""
        backoff = Backoff(self._settings.reconnect_max_s)
        while not self._stopping.is_set():
            served_s = 0.0
            self._taken_over = False
            try:
                served_s = self._session()
                if served_s > self._settings.reconnect_max_s:
                    self._repeats.clear()
                if self._lost is not None and not self._stopping.is_set():
                    self._complain(self._lost)
            except _UnsupportedError:
                self._protocol = MQTTProtocolVersion.MQTTv311
                if not self._fallen_back:
                    self._fallen_back = True
                    continue  # at once, but only once: a broker that is merely starting looks the same
            except (OSError, ValueError, _RefusedError, AffectdError) as error:
                self._complain(str(error))
                self._protocol = MQTTProtocolVersion.MQTTv5
            contested = self._taken_over or time.monotonic() < self._contested_until
            self._rest(backoff.after_takeover() if contested else backoff.delay(served_s))

    def _rest(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not self._stopping.wait(min(left, 1.0)):
            self._beat()

    def _session(self) -> float:
        """One connection from CONNECT to its end; returns how long it lasted in seconds."""
        client = self._connecting()
        try:
            self._await_connack(client)
            began = time.monotonic()
            self.connections += 1
            _logger.info(log.line("connected", broker=self._address, protocol=self._protocol.name))
            client.subscribe([(topic, 1) for topic in self._conversation.subscriptions])
            self.connected = True  # from here on a change is queued; the greeting, taken after it, is never older
            self._outbox.begin(self._greeting())
            while self._lost is None and not self._stopping.is_set():
                self._turn(client, 1.0)
            if self._lost is None:
                self._leave(client)
            return time.monotonic() - began
        finally:
            self.connected = False
            self._unacknowledged.clear()
            _close_socket(client)

    def _turn(self, client: paho.Client, timeout_s: float) -> None:
        """Send what may be sent, wait for something to happen, take note of what did."""
        if self._greet_at is not None and time.monotonic() >= self._greet_at:
            self._outbox.greet(self._greeting())
        self._drain(client)
        self._step(client, timeout_s)
        self._outbox.settle()
        if time.monotonic() - self._heard_at > SILENT_KEEPALIVES * self._settings.keepalive_s:
            self._lost = self._lost or "the broker has fallen silent"

    def _new_client(self) -> paho.Client:
        five = self._protocol == MQTTProtocolVersion.MQTTv5
        return paho.Client(
            CallbackAPIVersion.VERSION2, self._client_id, clean_session=None if five else False, protocol=self._protocol
        )

    def _connecting(self) -> paho.Client:
        settings, will = self._settings, self._conversation.will
        client = self._new_client()
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.max_inflight_messages_set(2 * IN_FLIGHT)
        authenticate(client, settings)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        client.on_subscribe = self._on_subscribe
        client.on_socket_open = _at_once
        self._connack, self._lost, self._window = None, None, IN_FLIGHT
        self._heard_at = time.monotonic()
        five = self._protocol == MQTTProtocolVersion.MQTTv5
        client.will_set(will.topic, will.payload, will.qos, will.retain, properties.of_will() if five else None)
        if five:
            client.connect(
                settings.host,
                settings.port,
                settings.keepalive_s,
                clean_start=False,
                properties=properties.of_connect(),
            )
        else:
            client.connect(settings.host, settings.port, settings.keepalive_s)
        return client

    def _await_connack(self, client: paho.Client) -> None:
        five = self._protocol == MQTTProtocolVersion.MQTTv5
        deadline = time.monotonic() + (MQTT5_TIMEOUT_S if five else CONNECT_TIMEOUT_S)
        while self._connack is None:
            if self._lost is not None or time.monotonic() > deadline or self._stopping.is_set():
                if five:  # a broker that knows only 3.1.1 may hang up, or say nothing
                    raise _UnsupportedError
                tls = self._settings.tls
                if tls is not None and tls.certificate_file is None and self._lost is not None:
                    raise _RefusedError("the broker hangs up: does it want a certificate (mqtt.tls.certificate_file)?")
                raise _RefusedError("no answer to CONNECT: is this port a broker's?")
            self._step(client, 0.5)
        if self._connack.is_failure:
            if five and self._connack.value == _UNSUPPORTED_VERSION:
                raise _UnsupportedError
            raise _RefusedError(f"refused: {self._connack}: see mqtt.username and mqtt.password_file")

    def _step(self, client: paho.Client, timeout_s: float) -> None:
        """Wait for the broker, for something to publish, or for the time to run out; then let paho work."""
        self._beat()
        broker = client.socket()
        if broker is None:
            self._lost = self._lost or "connection lost"
            return
        pending = isinstance(broker, ssl.SSLSocket) and broker.pending() > 0
        readable, writable, _ = select.select(
            [broker, self._reader], [broker] if client.want_write() else [], [], 0 if pending else timeout_s
        )
        if self._reader in readable:
            self._reader.recv(4096)
        if broker in readable or pending:
            self._heard_at = time.monotonic()
            client.loop_read()
        if broker in writable:
            client.loop_write()
        client.loop_misc()

    def _greeting(self) -> list[Message]:
        self._greet_at = None
        return [*self._conversation.greeting(), self._conversation.online]

    def _drain(self, client: paho.Client) -> None:
        """As far as the window is open."""
        while (room := self._window - len(self._unacknowledged)) > 0 and self._lost is None:
            taken = self._outbox.take(room, in_flight=bool(self._unacknowledged))
            for message, key in taken:
                self._send(client, message, key)
            if not taken:
                return

    def _send(self, client: paho.Client, message: Message, key: Key | None = None) -> None:
        five = self._protocol == MQTTProtocolVersion.MQTTv5
        sent = client.publish(
            message.topic,
            message.payload,
            message.qos,
            message.retain,
            properties.of_publish(message) if five else None,
        )
        if sent.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._lost = self._lost or paho.error_string(sent.rc)
        elif message.qos > 0:
            self._unacknowledged[sent.mid] = key

    def _leave(self, client: paho.Client) -> None:
        deadline = time.monotonic() + FLUSH_S
        while self._lost is None and time.monotonic() < deadline:
            self._drain(client)
            if not (self._outbox.live or self._unacknowledged):
                break
            self._step(client, 0.1)
        self._send(client, self._conversation.will)
        while self._unacknowledged and self._lost is None and time.monotonic() < deadline + 1:
            self._step(client, 0.1)
        if self._lost is None:
            self._outbox.settle(0.0)
        client.disconnect()

    def _complain(self, reason: str) -> None:
        if self._repeats.due(reason, time.monotonic()):
            _logger.warning(
                log.line("broker", address=self._address, error=reason, todo="listening on and trying again")
            )

    @property
    def _address(self) -> str:
        return f"{self._settings.host}:{self._settings.port}"

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):  # enough wake-ups are waiting already
            self._writer.send(b"\0", socket.MSG_DONTWAIT)

    def _on_connect(
        self, _client: paho.Client, _data: object, _flags: object, reason: ReasonCode, answer: Properties | None
    ) -> None:
        self._connack = reason
        self._window = min(IN_FLIGHT, properties.receive_maximum(answer))

    def _on_disconnect(
        self, _client: paho.Client, _data: object, _flags: object, reason: ReasonCode, _properties: object
    ) -> None:
        if reason.value == _TAKEN_OVER:
            self._taken_over = True
            self._lost = self._contest
        else:
            self._lost = self._lost or f"connection lost ({reason})"

    def _on_publish(
        self, _client: paho.Client, _data: object, mid: int, reason: ReasonCode, _properties: object
    ) -> None:
        key = self._unacknowledged.pop(mid, None)
        if reason.is_failure:  # kept, and tried again on the next connection
            self._lost = self._lost or f"the broker refuses to take a message ({reason}): see its access control"
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
        elif message.payload == will.payload and not self._stopping.is_set():
            self.publish(self._conversation.online)  # an older session's will has overwritten it


class _RefusedError(Exception):
    """The broker answered, and the answer was no."""


class _UnsupportedError(Exception):
    """The broker does not speak MQTT 5."""


def _close_socket(client: paho.Client) -> None:
    broker = client.socket()
    if broker is not None:
        broker.close()


def _at_once(_client: paho.Client, _data: object, broker: object) -> None:
    """No packet waits for the acknowledgement of the one before it, 40 ms where that is delayed (RFC 896, RFC 1122)."""
    if isinstance(broker, socket.socket):
        broker.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
