"""A subscription to the nodes of one broker, on its own thread; reconnects for ever."""

import datetime
import threading
import uuid
from dataclasses import dataclass

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from app import nodes
from app.nodes import Nodes
from edge.config import MqttSettings
from edge.mqtt.credentials import authenticate

_RETRY_S = (1, 8)  # s: the first and the longest pause between two attempts


@dataclass(frozen=True)
class View:
    """The nodes now, and the connection: since when, or why there is none."""

    nodes: Nodes
    connected_since: datetime.datetime | None
    problem: str


class Feed:
    """A subscription that lasts until ``stop``. Raises AffectdError if a file that the settings name is unusable."""

    def __init__(self, settings: MqttSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._view = View({}, None, f"Connecting to {self.address} …")
        self._client = paho.Client(CallbackAPIVersion.VERSION2, f"affectd-app-{uuid.uuid4().hex[:12]}")
        authenticate(self._client, settings)
        self._client.reconnect_delay_set(*_RETRY_S)
        self._client.on_connect = self._on_connect
        self._client.on_connect_fail = self._on_connect_fail
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message
        self._client.connect_async(settings.host, settings.port, settings.keepalive_s)
        self._client.loop_start()

    @property
    def address(self) -> str:
        return f"{self._settings.host}:{self._settings.port}"

    def view(self) -> View:
        with self._lock:
            return self._view

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _set(self, connected_since: datetime.datetime | None, problem: str) -> None:
        with self._lock:
            self._view = View(self._view.nodes, connected_since, problem)

    def _on_connect(
        self, client: paho.Client, _data: object, _flags: object, reason: ReasonCode, _properties: object
    ) -> None:
        if reason.is_failure:
            self._set(None, f"The broker at {self.address} refuses: {reason}. Check the name and password.")
            return
        client.subscribe([(f"{self._settings.base}/+/{topic}", 1) for topic in nodes.TOPICS])
        self._set(datetime.datetime.now(datetime.UTC), "")

    def _on_connect_fail(self, _client: paho.Client, _data: object) -> None:
        self._set(None, f"No broker answers at {self.address}: start one, or name another. Trying again …")

    def _on_disconnect(
        self, _client: paho.Client, _data: object, _flags: object, reason: ReasonCode, _properties: object
    ) -> None:
        if not reason.is_failure:
            return
        with self._lock:
            if self._view.connected_since is not None:
                self._view = View(
                    self._view.nodes, None, f"The connection to {self.address} is lost ({reason}). Trying again …"
                )

    def _on_message(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        _, name, topic = message.topic.rsplit("/", 2)
        with self._lock:
            known = nodes.heard(
                self._view.nodes, name, topic, bytes(message.payload), datetime.datetime.now(datetime.UTC)
            )
            self._view = View(known, self._view.connected_since, self._view.problem)
