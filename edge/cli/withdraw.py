"""Clearing what a node has left on its broker: every retained message of its own, and its discovery."""

import queue
import secrets
from typing import TypeVar

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from edge.config import MqttSettings
from edge.errors import AffectdError
from edge.mqtt.credentials import authenticate

_TIMEOUT_S = 10.0
Item = TypeVar("Item")


def withdraw(settings: MqttSettings, root: str, discovery: str) -> list[str]:
    """Empty the retained topics under ``root`` and the topic ``discovery``; returns those that were there.

    A marker that is published behind the subscriptions and comes back behind the retained messages (MQTT 3.1.1,
    section 4.6) tells when all of them have been seen. Raises AffectdError when the broker cannot be asked.
    """
    session = _Session(settings)
    try:
        marker = f"{root}/withdraw/{secrets.token_hex(8)}"
        session.subscribe(f"{root}/#")
        session.subscribe(discovery)
        session.publish(marker, b"-", retain=False)
        retained = sorted(session.retained_until(marker))
        for topic in retained:
            session.publish(topic, b"", retain=True)
        return retained
    finally:
        session.close()


class _Session:
    """A connection whose steps are waited for."""

    def __init__(self, settings: MqttSettings) -> None:
        self._where = f"{settings.host}:{settings.port}"
        self._connected: queue.Queue[ReasonCode] = queue.Queue()
        self._subscribed: queue.Queue[ReasonCode] = queue.Queue()
        self._messages: queue.Queue[tuple[str, bool]] = queue.Queue()
        client = paho.Client(CallbackAPIVersion.VERSION2, f"affectd-withdraw-{secrets.token_hex(4)}")
        client.on_connect = lambda _client, _data, _flags, reason, _properties: self._connected.put(reason)
        client.on_subscribe = lambda _client, _data, _mid, reasons, _properties: self._subscribed.put(reasons[0])
        client.on_message = lambda _client, _data, message: self._messages.put((message.topic, message.retain))
        authenticate(client, settings)
        try:
            client.connect(settings.host, settings.port, 30)
        except OSError as error:
            raise AffectdError(f"the broker {self._where} cannot be reached ({error.strerror or error})") from None
        self._client = client
        client.loop_start()
        reason = self._wait(self._connected)
        if reason.is_failure:
            self.close()
            raise AffectdError(f"the broker {self._where} refuses the login ({reason})")

    def subscribe(self, pattern: str) -> None:
        self._client.subscribe(pattern, qos=1)
        reason = self._wait(self._subscribed)
        if reason.is_failure:
            raise AffectdError(f"the broker {self._where} refuses to subscribe to {pattern} ({reason})")

    def publish(self, topic: str, payload: bytes, *, retain: bool) -> None:
        sent = self._client.publish(topic, payload, qos=1, retain=retain)
        sent.wait_for_publish(_TIMEOUT_S)
        if not sent.is_published():
            raise AffectdError(f"the broker {self._where} did not take the message to {topic}")

    def retained_until(self, marker: str) -> set[str]:
        topics: set[str] = set()
        while (message := self._wait(self._messages))[0] != marker:
            if message[1]:
                topics.add(message[0])
        return topics

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _wait(self, items: "queue.Queue[Item]") -> Item:
        try:
            return items.get(timeout=_TIMEOUT_S)
        except queue.Empty:
            raise AffectdError(f"the broker {self._where} does not answer") from None
