"""The connection to the broker: one thread that connects, publishes, and reconnects for ever."""

import collections
import contextlib
import logging
import os
import random
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edge import log
from edge.config import MqttSettings, TlsSettings
from edge.errors import AffectdError
from edge.topics import Message

CONNECT_TIMEOUT_S = 10.0  # for TCP and TLS, then again for CONNACK
MQTT5_TIMEOUT_S = 3.0  # for CONNACK: some brokers of 3.1.1 do not answer MQTT 5 at all
BACKOFF_FIRST_S, BACKOFF_MAX_S = 4.0, 60.0  # full jitter: a delay is drawn from 0 to the bound, which doubles
IN_FLIGHT = 16  # unacknowledged messages at a time; under paho's own limit, so that paho never queues
FLUSH_S = 5.0  # how long a clean stop waits for acknowledgements

_TAKEN_OVER = 142  # MQTT 5, section 3.14.2.1
_UNSUPPORTED_VERSION = 132  # MQTT 5, section 3.2.2.2; paho maps 3.1.1's code 1 to it

_logger = logging.getLogger("affectd")


class Connection:
    """Keeps a session with the broker and publishes what it is given, in order.

    ``greeting`` returns what every new connection starts with: the retained topics as they are at that moment, so
    that nothing retained needs to be queued through an outage; ``online``, what undoes the ``will``, is sent last.
    Every call of paho happens on the thread that runs ``run``; ``publish`` and ``close`` may be called from any.
    """

    def __init__(
        self,
        settings: MqttSettings,
        client_id: str,
        greeting: Callable[[], Sequence[Message]],
        *,
        will: Message,
        online: Message,
    ) -> None:
        self._settings = settings
        self._will = will
        self._client_id = client_id
        self._greeting = greeting
        self._online = online
        self._queue: collections.deque[tuple[Message, float, Callable[[], None] | None]] = collections.deque(
            maxlen=1000
        )
        self._unacknowledged: dict[int, Callable[[], None] | None] = {}
        self._protocol = MQTTProtocolVersion.MQTTv5
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._stopping = threading.Event()
        self._repeats = log.Repeats()
        self._connack: ReasonCode | None = None
        self._lost: str | None = None
        self.connected = False
        self.too_old = 0  # messages dropped because they waited too long

    def publish(self, message: Message, on_acknowledged: Callable[[], None] | None = None) -> None:
        """Send ``message`` as soon as there is a connection; the callback runs on the broker's acknowledgement."""
        if not self.connected and message.retain:
            return  # the greeting of the next connection brings the latest value
        self._queue.append((message, time.monotonic(), on_acknowledged))
        self._wake()

    def close(self) -> None:
        """Ask ``run`` to flush for at most ``FLUSH_S``, say ``offline``, disconnect and return."""
        self._stopping.set()
        self._wake()

    def run(self) -> None:
        """Connect and serve until ``close``; never raises for anything a broker or a network does."""
        bound = BACKOFF_FIRST_S
        while not self._stopping.is_set():
            fallback = False
            try:
                served_s = self._session()
                bound = BACKOFF_FIRST_S if served_s > BACKOFF_MAX_S else bound
            except _Unsupported:
                self._protocol, fallback = MQTTProtocolVersion.MQTTv311, True
            except (OSError, ValueError, _Refused) as error:
                self._complain(str(error))
                self._protocol = MQTTProtocolVersion.MQTTv5
            if not fallback and not self._stopping.wait(random.uniform(0, bound)):  # noqa: S311 (jitter, not a secret)
                bound = min(2 * bound, BACKOFF_MAX_S)

    def _session(self) -> float:
        """One connection from CONNECT to its end; returns how long it lasted in seconds."""
        client = self._client()
        try:
            self._await_connack(client)
            _logger.info(log.line("connected", broker=self._address, protocol=self._protocol.name))
            self._repeats.clear()
            began = time.monotonic()
            client.subscribe(self._will.topic, qos=1)
            for message in (*self._greeting(), self._online):
                self._send(client, message, None)
            self.connected = True
            while self._lost is None and not self._stopping.is_set():
                self._drain(client)
                self._step(client, 1.0)
            if self._lost is None:
                self._leave(client)
            else:
                self._complain(self._lost)
            return time.monotonic() - began
        finally:
            self.connected = False
            self._unacknowledged.clear()
            _close_socket(client)

    def _client(self) -> paho.Client:
        settings = self._settings
        five = self._protocol == MQTTProtocolVersion.MQTTv5
        client = paho.Client(
            CallbackAPIVersion.VERSION2, self._client_id, clean_session=None if five else False, protocol=self._protocol
        )
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.max_inflight_messages_set(2 * IN_FLIGHT)
        client.will_set(self._will.topic, self._will.payload, self._will.qos, self._will.retain)
        authenticate(client, settings)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        self._connack, self._lost = None, None
        if five:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = 3600
            client.connect(settings.host, settings.port, settings.keepalive_s, clean_start=False, properties=properties)
        else:
            client.connect(settings.host, settings.port, settings.keepalive_s)
        return client

    def _await_connack(self, client: paho.Client) -> None:
        five = self._protocol == MQTTProtocolVersion.MQTTv5
        deadline = time.monotonic() + (MQTT5_TIMEOUT_S if five else CONNECT_TIMEOUT_S)
        while self._connack is None:
            if self._lost is not None or time.monotonic() > deadline or self._stopping.is_set():
                if five:  # a broker that knows only 3.1.1 may hang up, or say nothing
                    raise _Unsupported
                raise _Refused("no answer to CONNECT: is this port a broker's?")
            self._step(client, 0.5)
        if self._connack.is_failure:
            if five and self._connack.value == _UNSUPPORTED_VERSION:
                raise _Unsupported
            raise _Refused(f"refused: {self._connack}")

    def _step(self, client: paho.Client, timeout_s: float) -> None:
        """Wait for the broker, for something to publish, or for the time to run out; then let paho work."""
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
            client.loop_read()
        if broker in writable:
            client.loop_write()
        client.loop_misc()

    def _drain(self, client: paho.Client) -> None:
        while self._queue and len(self._unacknowledged) < IN_FLIGHT and self._lost is None:
            message, queued, on_acknowledged = self._queue.popleft()
            if message.max_age_s is not None and time.monotonic() - queued > message.max_age_s:
                self.too_old += 1
            else:
                self._send(client, message, on_acknowledged)

    def _send(self, client: paho.Client, message: Message, on_acknowledged: Callable[[], None] | None) -> None:
        properties = None
        if self._protocol == MQTTProtocolVersion.MQTTv5 and (message.expiry_s or message.user_properties):
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            if message.expiry_s:
                properties.MessageExpiryInterval = message.expiry_s
            if message.user_properties:
                properties.UserProperty = list(message.user_properties)
        sent = client.publish(message.topic, message.payload, message.qos, message.retain, properties)
        if sent.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._lost = self._lost or paho.error_string(sent.rc)
        elif message.qos > 0:
            self._unacknowledged[sent.mid] = on_acknowledged

    def _leave(self, client: paho.Client) -> None:
        deadline = time.monotonic() + FLUSH_S
        while (self._queue or self._unacknowledged) and self._lost is None and time.monotonic() < deadline:
            self._drain(client)
            self._step(client, 0.1)
        self._send(client, self._will, None)
        while self._unacknowledged and self._lost is None and time.monotonic() < deadline + 1:
            self._step(client, 0.1)
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
        self, _client: paho.Client, _data: object, _flags: object, reason: ReasonCode, _properties: object
    ) -> None:
        self._connack = reason

    def _on_disconnect(
        self, _client: paho.Client, _data: object, _flags: object, reason: ReasonCode, _properties: object
    ) -> None:
        if reason.value == _TAKEN_OVER:
            self._lost = f"another client uses the id {self._client_id}: give each daemon its own `node`"
        else:
            self._lost = self._lost or f"connection lost ({reason})"

    def _on_publish(
        self, _client: paho.Client, _data: object, mid: int, _reason: ReasonCode, _properties: object
    ) -> None:
        on_acknowledged = self._unacknowledged.pop(mid, None)
        if on_acknowledged is not None:
            on_acknowledged()

    def _on_message(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        """Our own status: an older session's will may have overwritten it, and then it is said again."""
        if message.topic == self._will.topic and message.payload == self._will.payload and not self._stopping.is_set():
            self.publish(self._online)


class _Refused(Exception):  # noqa: N818 (an answer, not a failure of ours)
    """The broker answered, and the answer was no."""


class _Unsupported(Exception):  # noqa: N818
    """The broker does not speak MQTT 5."""


def authenticate(client: paho.Client, settings: MqttSettings) -> None:
    """Give a client the name, password and TLS of the settings; AffectdError when a file of theirs is unusable."""
    if settings.username is not None:
        client.username_pw_set(settings.username, _password(settings))
    if settings.tls is not None:
        client.tls_set_context(_tls_context(settings.tls))


def _password(settings: MqttSettings) -> str | None:
    """From the file that the settings name, else from the systemd credential ``mqtt-password``, else none."""
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")  # systemd.exec(5), LoadCredential=
    credential = Path(credentials, "mqtt-password") if credentials else None
    path = Path(settings.password_file) if settings.password_file else credential
    if path is None or (path is credential and not path.exists()):
        return None
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise AffectdError(
            f"the broker's password cannot be read from {path} ({error}): see mqtt.password_file"
        ) from None


def _tls_context(tls: TlsSettings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=tls.ca_file)
        if tls.certificate_file is not None and tls.key_file is not None:
            context.load_cert_chain(tls.certificate_file, tls.key_file)
    except (OSError, ssl.SSLError) as error:
        raise AffectdError(f"a file of mqtt.tls cannot be used ({error}): it must be PEM and readable") from None
    return context


def _close_socket(client: paho.Client) -> None:
    broker = client.socket()
    if broker is not None:
        broker.close()
