"""What subscribers are told: the retained topics as they change, each event live, and all of it again on request."""

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial

from edge.events.event import Event
from edge.mqtt.discovery import discovery
from edge.mqtt.presence import Change, Presence
from edge.mqtt.settings import Settings
from edge.mqtt.topics import Info, Message, Topics


class Announcer:
    """Turns what happens into messages; any thread may call it. ``publish`` takes each message."""

    def __init__(
        self,
        topics: Topics,
        presence: Presence,
        info: Info,
        publish: Callable[[Message], None],
        discovery_prefix: str | None,
    ) -> None:
        self._topics = topics
        self._presence = presence
        self._info = info
        self._publish = publish
        self._discovery_prefix = discovery_prefix
        self._lock = threading.Lock()
        self._settings: Settings | None = None
        self._latest: Message | None = None

    def microphone(self, online: bool) -> None:
        self._change(partial(self._presence.microphone, online))

    def speech(self, on: bool) -> None:
        self._change(partial(self._presence.speech, on))

    def muted(self) -> None:
        self._change(self._presence.muted)

    def progress(self) -> None:
        with self._lock:
            self._presence.progress(time.monotonic())

    def event(self, event: Event) -> None:
        self._publish(self._topics.event(event))
        self._change(partial(self._presence.heard, event.emotion))

    def tick(self) -> None:
        self._change(self._presence.tick)

    def settings(self, settings: Settings, threshold: float) -> None:
        """The settings as they are now; ``threshold`` is the one in force."""
        with self._lock:
            self._settings = settings
            self._threshold = threshold
            for message in self._set():
                self._publish(message)

    def diagnostics(self, payload: bytes) -> None:
        message = self._topics.diagnostics(payload)
        with self._lock:
            self._latest = message
        self._publish(message)

    def greeting(self) -> Sequence[Message]:
        """What every connection starts with, in the order in which subscribers need it."""
        with self._lock:
            found = []
            if self._discovery_prefix is not None:
                found.append(discovery(self._topics, self._info.labels, self._discovery_prefix))
            found += [self._topics.info(self._info), *self._set()]
            found += [self._topics.change(Change(topic, value)) for topic, value in self._presence.values().items()]
            return found if self._latest is None else [*found, self._latest]

    def _set(self) -> list[Message]:
        if self._settings is None:
            return []
        return [self._topics.listening(self._settings.listening), self._topics.threshold(self._threshold)]

    def _change(self, change: Callable[[float], list[Change]]) -> None:
        with self._lock:  # also while publishing: the order on the wire is that of the changes
            for changed in change(time.monotonic()):
                self._publish(self._topics.change(changed))
