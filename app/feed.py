"""A subscription to the nodes of one broker, on its own thread; reconnects for ever."""

import datetime
import threading
from dataclasses import dataclass, replace

from app import nodes
from app.nodes import Nodes
from edge.config import MqttSettings
from edge.mqtt.client import Client, Connected, Disconnected, follow
from edge.mqtt.topics import Incoming


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
        self._stopped = threading.Event()
        Client(settings, "app")  # raises here, and not on the thread
        threading.Thread(target=self._receive, name="feed", daemon=True).start()

    @property
    def address(self) -> str:
        """Host and port of the broker."""
        return f"{self._settings.host}:{self._settings.port}"

    def view(self) -> View:
        """What is known at this moment; any thread may ask."""
        with self._lock:
            return self._view

    def stop(self) -> None:
        """End the subscription soon."""
        self._stopped.set()

    def _receive(self) -> None:
        topics = [f"{self._settings.base}/+/{topic}" for topic in nodes.TOPICS]
        for item in follow(self._settings, "app", topics, lambda: not self._stopped.is_set()):
            changed = after(self.view(), item, datetime.datetime.now(datetime.UTC))
            with self._lock:
                self._view = changed


def after(view: View, item: Connected | Disconnected | Incoming, now: datetime.datetime) -> View:
    """The view after one thing that the subscription brought."""
    match item:
        case Connected():
            return replace(view, connected_since=now, problem="")
        case Disconnected(reason):
            return replace(view, connected_since=None, problem=f"{reason[:1].upper()}{reason[1:]}. Trying again …")
        case Incoming():
            _, name, topic = item.topic.rsplit("/", 2)
            return replace(view, nodes=nodes.heard(view.nodes, name, topic, item.payload, now))
