"""What daemons publish, live, in a terminal: a subscriber like any other."""

import sys
import threading
import uuid
from collections.abc import Callable

import msgspec
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from edge.cli import render
from edge.config import MqttSettings
from edge.errors import AffectdError
from edge.events.event import Event
from edge.mqtt.credentials import authenticate

SHOWN = ("status", "microphone", "speech", "state", "event")


class Watcher:
    """Subscribes to the nodes under ``mqtt.base`` and hands each line to ``write``; reconnects by itself."""

    def __init__(
        self, settings: MqttSettings, node: str, write: Callable[[str], None], *, as_json: bool, colour: bool
    ) -> None:
        self._settings = settings
        self._node = node
        self._write = write
        self._as_json = as_json
        self._colour = colour
        self.subscribed = threading.Event()
        self.events = 0
        self._client = paho.Client(CallbackAPIVersion.VERSION2, f"affectd-watch-{uuid.uuid4().hex[:12]}")
        authenticate(self._client, settings)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = lambda *_: self.subscribed.set()
        self._client.on_message = self._on_message

    def start(self) -> None:
        """Connect and receive on a thread of paho's; raises AffectdError when the broker cannot be reached."""
        try:
            self._client.connect(self._settings.host, self._settings.port, self._settings.keepalive_s)
        except OSError as error:
            address = f"{self._settings.host}:{self._settings.port}"
            raise AffectdError(
                f"no broker answers at {address} ({error}): start one, or name another with --host"
            ) from None
        self._client.loop_start()

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(
        self, client: paho.Client, _data: object, _flags: object, reason: ReasonCode, _properties: object
    ) -> None:
        if reason.is_failure:
            print(f"affectd: the broker refuses: {reason}", file=sys.stderr)
            return
        client.subscribe([(f"{self._settings.base}/{self._node}/{topic}", 1) for topic in SHOWN])

    def _on_message(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        _, node, topic = message.topic.rsplit("/", 2)
        text = message.payload.decode(errors="replace")
        if self._as_json:
            payload = msgspec.Raw(message.payload) if topic == "event" else text
            line = {"node": node, "topic": topic, "retained": message.retain, "payload": payload}
            self._write(msgspec.json.encode(line).decode())
        elif topic == "event":
            try:
                self._write(render.event(msgspec.json.decode(message.payload, type=Event), colour=self._colour))
            except msgspec.DecodeError as error:
                self._write(f"{message.topic}: not an event of affectd ({error})")
        elif topic in ("status", "microphone"):  # speech and state are part of the event, as people read it
            self._write(render.change(f"{node} {topic}", text, colour=self._colour))
        self.events += topic == "event"
