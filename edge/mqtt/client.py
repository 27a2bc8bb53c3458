"""A short-lived client: for commands that ask a broker or a node something, and for those that listen for a while.

It has no thread. Whoever calls drives paho's loop, so that whatever fails, fails there.
"""

import contextlib
import secrets
import ssl
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self, TypeVar

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from edge.config import MqttSettings
from edge.errors import AffectdError
from edge.mqtt import port, properties
from edge.mqtt.credentials import authenticate
from edge.mqtt.topics import Incoming

TIMEOUT_S = 10.0  # for each step
RETRY_S = (1.0, 8.0)  # the first and the longest pause between two attempts of ``follow``
UNSUPPORTED_VERSION = 132  # MQTT 5, section 3.2.2.2; paho maps 3.1.1's code 1 to it
_CONNECT_S = 5.0  # for TCP
_TURN_S = 0.25  # how often somebody who waits looks whether that is still wanted

Found = TypeVar("Found")


class RefusedError(AffectdError):
    """The broker answered, and the answer was no: to the login, or to ``topics``."""

    def __init__(self, sentence: str, topics: Sequence[str] = ()) -> None:
        super().__init__(sentence)
        self.topics = tuple(topics)


class Client:
    """One connection, whose steps are waited for; a context manager. MQTT 3.1.1, or 5 with ``five``.

    Every method raises AffectdError, one sentence that names the broker, when the broker does not do its part within
    ``TIMEOUT_S``; RefusedError when it refuses.
    """

    def __init__(self, settings: MqttSettings, purpose: str, *, five: bool = False) -> None:
        """``purpose`` becomes part of the client's name. AffectdError where a file of ``settings`` is unusable."""
        self._settings = settings
        self._where = f"{settings.host}:{settings.port}"
        self._connack: ReasonCode | None = None
        self._lost: str | None = None
        self._granted: dict[int, list[ReasonCode]] = {}
        self._published: dict[int, ReasonCode] = {}
        self._received: deque[Incoming] = deque()
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2,
            f"affectd-{purpose}-{secrets.token_hex(4)}",
            protocol=MQTTProtocolVersion.MQTTv5 if five else MQTTProtocolVersion.MQTTv311,
        )
        self._client.connect_timeout = _CONNECT_S
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_publish = self._on_publish
        self._client.on_message = self._on_message
        authenticate(self._client, settings)

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self) -> None:
        """Connect and log in."""
        try:
            self._client.connect(self._settings.host, self._settings.port, self._settings.keepalive_s)
        except (OSError, ValueError) as error:
            raise AffectdError(unreachable(self._settings, error)) from None
        try:
            self._until(lambda: self._connack is not None)
        except AffectdError:
            self.close()
            raise AffectdError(port.mismatch(self._settings)) from None
        if self._connack is not None and self._connack.is_failure:
            self.close()
            if self._connack.value == UNSUPPORTED_VERSION:
                raise AffectdError(f"the broker {self._where} does not speak this version of MQTT")
            raise RefusedError(
                f"the broker {self._where} refuses the login ({self._connack}): see mqtt.username and its password"
            )

    def close(self) -> None:
        """Say goodbye, if there is somebody to say it to."""
        self._client.disconnect()
        with contextlib.suppress(OSError, ValueError):
            self._client.loop(0)
        sock = self._client.socket()
        if sock is not None:
            sock.close()

    def subscribe(self, *topics: str) -> None:
        """Subscribe at QoS 1; RefusedError names the topics that the broker refuses."""
        _, message = self._client.subscribe([(topic, 1) for topic in topics])
        reasons = self._until(lambda: self._granted.pop(message or 0, None))
        refused = [topic for topic, reason in zip(topics, reasons, strict=False) if reason.is_failure]
        if refused:
            raise RefusedError(f"the broker {self._where} refuses to subscribe to {', '.join(refused)}", refused)

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish at QoS 1 and wait for the acknowledgement; MQTT 5 says where it is a refusal, 3.1.1 cannot."""
        sent = self._client.publish(topic, payload, qos=1, retain=retain)
        reason = self._until(lambda: self._published.pop(sent.mid, None))
        if reason.is_failure:
            raise RefusedError(f"the broker {self._where} refuses to take a message to {topic} ({reason})", [topic])

    def receive(self, timeout_s: float = TIMEOUT_S) -> Incoming:
        """The next message."""
        return self._until(lambda: self._received.popleft() if self._received else None, timeout_s)

    def arrived(self, marker: str) -> list[Incoming]:
        """What has arrived, seen to the end by a message to ``marker``, a topic of ours.

        It comes back behind what was sent, and behind what is retained under new subscriptions (MQTT 3.1.1, section
        4.6).
        """
        token = secrets.token_hex(8).encode()
        self.publish(marker, token)
        found = []
        while (message := self.receive()).payload != token or message.topic != marker:
            found.append(message)
        return found

    def retained(self, *topics: str, marker: str) -> dict[str, bytes]:
        """Subscribe to ``topics``, of which one covers ``marker``, and return what the broker keeps under them."""
        self.subscribe(*topics)
        return {message.topic: message.payload for message in self.arrived(marker) if message.retained}

    def messages(self, wanted: Callable[[], bool]) -> Iterator[Incoming]:
        """What arrives for as long as it is ``wanted``, which is asked several times a second, and right after."""
        more = True
        while more:
            more = wanted()
            self._turn()
            while self._received:
                yield self._received.popleft()

    def _until(self, answer: Callable[[], Found | None], timeout_s: float = TIMEOUT_S) -> Found:
        deadline = time.monotonic() + timeout_s
        while not (found := answer()):
            if time.monotonic() > deadline:
                raise AffectdError(f"the broker {self._where} does not answer: is this port a broker's?")
            self._turn()
        return found

    def _turn(self) -> None:
        if self._lost is None:
            code = self._client.loop(_TURN_S)
            if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
                self._lost = self._lost or paho.error_string(code)
        if self._lost is not None and not self._received:
            raise AffectdError(f"the connection to the broker {self._where} is lost ({self._lost})")

    def _on_connect(
        self, _client: paho.Client, _data: object, _flags: object, reason: ReasonCode, _properties: object
    ) -> None:
        self._connack = reason

    def _on_disconnect(
        self, _client: paho.Client, _data: object, _flags: object, reason: ReasonCode, _properties: object
    ) -> None:
        self._lost = str(reason)

    def _on_subscribe(
        self, _client: paho.Client, _data: object, message: int, reasons: list[ReasonCode], _properties: object
    ) -> None:
        self._granted[message] = reasons

    def _on_publish(
        self, _client: paho.Client, _data: object, message: int, reason: ReasonCode, _properties: object
    ) -> None:
        self._published[message] = reason

    def _on_message(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        found = properties.incoming(message)
        if found is not None:
            self._received.append(found)


@dataclass(frozen=True)
class Connected:
    """``follow`` is connected and subscribed."""


@dataclass(frozen=True)
class Disconnected:
    """``follow`` has no connection, for this reason; it tries again."""

    reason: str


def follow(
    settings: MqttSettings, purpose: str, topics: Sequence[str], wanted: Callable[[], bool]
) -> Iterator[Connected | Disconnected | Incoming]:
    """Subscribe and yield what arrives, reconnecting for as long as it is ``wanted``.

    ``wanted`` is asked several times a second. Raises AffectdError where a file of ``settings`` is unusable.
    """
    pause_s = RETRY_S[0]
    while wanted():
        client = Client(settings, purpose)
        try:
            with client:
                client.subscribe(*topics)
                pause_s = RETRY_S[0]
                yield Connected()
                yield from client.messages(wanted)
        except AffectdError as error:
            if not wanted():
                return
            yield Disconnected(str(error))
            until = time.monotonic() + pause_s
            pause_s = min(2 * pause_s, RETRY_S[1])
            while wanted() and (left := until - time.monotonic()) > 0:
                time.sleep(min(left, _TURN_S))


def unreachable(settings: MqttSettings, error: Exception) -> str:
    """Why there is no connection, in a sentence: the name, TCP or TLS; ``error`` is what connecting raised."""
    where = f"{settings.host}:{settings.port}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"the certificate of the broker {where} is refused ({error.verify_message}): set mqtt.tls.ca_file to the "
            "authority's certificate, and mqtt.host to the name in the broker's"
        )
    if settings.tls is not None and isinstance(error, ssl.SSLError | ConnectionResetError):
        return f"the broker {where} does not speak TLS there: name its TLS port, often 8883, or take mqtt.tls out"
    reason = error.strerror if isinstance(error, OSError) and error.strerror else error
    return f"the broker {where} cannot be reached ({reason}): start it, or see mqtt.host and mqtt.port"
