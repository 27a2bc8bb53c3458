"""How things are: the retained topics of a node, from what happens to what subscribers see."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from edge.events.event import NO_EMOTION, Event
from edge.mqtt.discovery import discovery
from edge.mqtt.settings import Settings
from edge.mqtt.topics import Info, Message, Topics


@dataclass(frozen=True)
class Change:
    """A value that has just changed: publish it, retained, under ``topic`` of the node."""

    topic: str
    payload: str


class Presence:
    """``state``, ``speech`` and ``microphone`` as subscribers should see them: a pure state machine with deadlines.

    Each call takes the monotonic time in seconds and returns the values that it changed. An emotion is kept for
    ``hold_s``; ``speech`` goes OFF by itself when no block has kept it ON for ``stall_s``, so that it cannot stick.
    """

    def __init__(self, *, hold_s: float, stall_s: float) -> None:
        self._hold_s = hold_s
        self._stall_s = stall_s
        self._values = {"microphone": "offline", "speech": "OFF", "state": NO_EMOTION}
        self._state_until = float("inf")
        self._speech_until = float("inf")

    def values(self) -> list[Change]:
        """The current payload of each topic."""
        return [Change(topic, payload) for topic, payload in self._values.items()]

    def microphone(self, online: bool, now: float) -> list[Change]:
        """Blocks arrive and carry sound, or not; without a microphone nobody speaks and there is no emotion."""
        changes = self._set("microphone", "online" if online else "offline")
        return changes if online else changes + self.speech(False, now) + self._emotion(NO_EMOTION, float("inf"))

    def muted(self, now: float) -> list[Change]:
        """The microphone is closed because somebody wants it so: that is no fault of it."""
        return self._set("microphone", "online") + self.speech(False, now) + self._emotion(NO_EMOTION, float("inf"))

    def speech(self, on: bool, now: float) -> list[Change]:
        """Somebody begins to speak, or has ended."""
        on = on and self._values["microphone"] == "online"
        self._speech_until = now + self._stall_s if on else float("inf")
        return self._set("speech", "ON" if on else "OFF")

    def progress(self, now: float) -> None:
        """A block has arrived: speech, if it is on, is still on."""
        if self._values["speech"] == "ON":
            self._speech_until = now + self._stall_s

    def emotion(self, emotion: str, now: float) -> list[Change]:
        """An emotion was named; what was said before the microphone was lost is no longer how things are."""
        return self._emotion(emotion, now + self._hold_s) if self._values["microphone"] == "online" else []

    def tick(self, now: float) -> list[Change]:
        """What has run out by ``now``."""
        changes = self.speech(False, now) if now >= self._speech_until else []
        if now >= self._state_until:
            changes += self._emotion(NO_EMOTION, float("inf"))
        return changes

    def _emotion(self, emotion: str, until: float) -> list[Change]:
        self._state_until = until
        return self._set("state", emotion)

    def _set(self, topic: str, payload: str) -> list[Change]:
        if self._values[topic] == payload:
            return []
        self._values[topic] = payload
        return [Change(topic, payload)]


class RetainedState:
    """Turns what happens into messages, each handed to ``publish``; any thread may call it.

    The first of them are what every connection begins with, in the order in which subscribers need it: discovery,
    unless ``discovery_prefix`` is None, ``info``, the settings, then the presence. Whoever publishes keeps the latest
    of each topic for the next connection. ``intensity``: the bundle says how strongly, so it is announced; ``voices``:
    events say whose voice it is.
    """

    def __init__(
        self,
        topics: Topics,
        presence: Presence,
        info: Info,
        settings: Settings,
        threshold: float,
        publish: Callable[[Message], None],
        discovery_prefix: str | None,
        *,
        intensity: bool,
        voices: bool,
    ) -> None:
        self._topics = topics
        self._presence = presence
        self._publish = publish
        self._lock = threading.Lock()
        if discovery_prefix is not None:
            publish(discovery(topics, info.labels, discovery_prefix, intensity=intensity, voices=voices))
        publish(topics.info(info))
        self.settings(settings, threshold)
        self._change(lambda _now: presence.values())

    def microphone(self, online: bool) -> None:
        """Whether blocks arrive and carry sound."""
        self._change(partial(self._presence.microphone, online))

    def speech(self, on: bool) -> None:
        """Somebody begins to speak, or has ended."""
        self._change(partial(self._presence.speech, on))

    def muted(self) -> None:
        """The microphone is closed because somebody wants it so."""
        self._change(self._presence.muted)

    def progress(self) -> None:
        """A block has arrived."""
        with self._lock:
            self._presence.progress(time.monotonic())

    def event(self, event: Event) -> None:
        """Somebody said something: the live event, and the emotion that it leaves behind."""
        self._publish(self._topics.event(event))
        self._change(partial(self._presence.emotion, event.emotion))

    def tick(self) -> None:
        """Call it every few seconds: what has run out changes."""
        self._change(self._presence.tick)

    def settings(self, settings: Settings, threshold: float) -> None:
        """The settings as they are now; ``threshold`` is the one in force."""
        with self._lock:
            self._publish(self._topics.listening(settings.listening))
            self._publish(self._topics.threshold(threshold))

    def diagnostics(self, payload: bytes) -> None:
        """How the daemon is doing, as JSON."""
        self._publish(self._topics.diagnostics(payload))

    def _change(self, change: Callable[[float], list[Change]]) -> None:
        with self._lock:  # also while publishing: the order on the wire is that of the changes
            for changed in change(time.monotonic()):
                self._publish(self._topics.present(changed.topic, changed.payload))
