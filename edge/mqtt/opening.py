"""Opening a connection to the broker without waiting for it: no call ends a resolver or a handshake that hangs."""

import logging
from collections.abc import Callable

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from edge import log
from edge.attempts import Attempts
from edge.config import MqttSettings
from edge.mqtt import properties
from edge.mqtt.credentials import authenticate
from edge.mqtt.topics import Message

CONNECT_TIMEOUT_S = 10.0  # for TCP with each address of the broker, then again for TLS
OPEN_S = 90.0  # for all of it, the resolver included; then the attempt is given up
SLOW_S = 10.0  # after which it is said what takes so long
IN_FLIGHT = 16  # unacknowledged messages at a time; under paho's own limit, so that paho never queues

_logger = logging.getLogger("affectd")


def new_client(client_id: str, settings: MqttSettings, *, five: bool, clean: bool = False) -> paho.Client:
    """A client of MQTT 5, or 3.1.1, that can log in; AffectdError when a file with credentials is unusable.

    ``clean``, of 3.1.1: the broker drops what it holds for us. In MQTT 5 that is said at CONNECT.
    """
    client = paho.Client(
        CallbackAPIVersion.VERSION2,
        client_id,
        clean_session=None if five else clean,
        protocol=MQTTProtocolVersion.MQTTv5 if five else MQTTProtocolVersion.MQTTv311,
    )
    client.connect_timeout = CONNECT_TIMEOUT_S
    client.max_inflight_messages_set(2 * IN_FLIGHT)
    authenticate(client, settings)
    return client


class Opener:
    """Opens connections, one after the other; used by one thread."""

    def __init__(self, settings: MqttSettings) -> None:
        self._settings = settings
        self._attempts = Attempts("connecting")

    def open(self, client: paho.Client, will: Message, go_on: Callable[[], bool], *, clean: bool = False) -> bool:
        """Resolve the broker's name, connect, and send CONNECT; raises OSError or ValueError where that fails.

        ``go_on`` is called several times a second meanwhile; the attempt is given up once it returns False. Returns
        whether the connection is open. ``clean``: the broker drops what it holds for us.
        """
        told = False

        def wait(elapsed_s: float) -> bool:
            nonlocal told
            if elapsed_s > OPEN_S:
                raise OSError(f"its name, TCP or TLS took more than {OPEN_S:.0f} s")
            if elapsed_s > SLOW_S and not told:
                told = True
                address = f"{self._settings.host}:{self._settings.port}"
                _logger.warning(log.line("broker", address=address, waits_for="its name, TCP or TLS", since_s=SLOW_S))
            return go_on()

        def connect() -> bool:
            self._connect(client, will, clean=clean)
            return True

        return self._attempts.make(connect, wait, lambda _: close(client)) is not None

    def _connect(self, client: paho.Client, will: Message, *, clean: bool) -> None:
        settings, five = self._settings, client.protocol == MQTTProtocolVersion.MQTTv5
        client.will_set(will.topic, will.payload, will.qos, will.retain, properties.of_will() if five else None)
        if five:
            extra = properties.of_connect()
            client.connect(settings.host, settings.port, settings.keepalive_s, clean_start=clean, properties=extra)
        else:
            client.connect(settings.host, settings.port, settings.keepalive_s)


def close(client: paho.Client) -> None:
    """Close a connection without a goodbye; nothing happens where there is none."""
    broker = client.socket()
    if broker is not None:
        broker.close()
