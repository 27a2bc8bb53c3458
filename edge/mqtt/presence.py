"""The three retained topics that say how things are now, as a pure state machine with deadlines."""

from dataclasses import dataclass

from edge.events.event import NO_EMOTION


@dataclass(frozen=True)
class Change:
    """A value that has just changed: publish it, retained, under ``topic`` of the node."""

    topic: str
    payload: str


class Presence:
    """``state``, ``speech`` and ``microphone`` as subscribers should see them.

    Each call takes the monotonic time in seconds and returns the values that it changed. An emotion is kept for
    ``hold_s``; ``speech`` goes OFF by itself when no block has kept it ON for ``stall_s``, so that it cannot stick.
    """

    def __init__(self, *, hold_s: float, stall_s: float) -> None:
        self._hold_s = hold_s
        self._stall_s = stall_s
        self._values = {"microphone": "offline", "speech": "OFF", "state": NO_EMOTION}
        self._state_until = float("inf")
        self._speech_until = float("inf")

    def values(self) -> dict[str, str]:
        """The current payload of each topic, for publishing all of them again."""
        return dict(self._values)

    def microphone(self, online: bool, now: float) -> list[Change]:
        """Blocks arrive and carry sound, or not; without a microphone nobody speaks and nothing is felt."""
        changes = self._set("microphone", "online" if online else "offline")
        return changes if online else changes + self.speech(False, now) + self._emotion(NO_EMOTION, float("inf"))

    def muted(self, now: float) -> list[Change]:
        """The microphone is closed because somebody wants it so: that is no fault of it."""
        return self._set("microphone", "online") + self.speech(False, now) + self._emotion(NO_EMOTION, float("inf"))

    def speech(self, on: bool, now: float) -> list[Change]:
        on = on and self._values["microphone"] == "online"
        self._speech_until = now + self._stall_s if on else float("inf")
        return self._set("speech", "ON" if on else "OFF")

    def progress(self, now: float) -> None:
        """A block has arrived: speech, if it is on, is still on."""
        if self._values["speech"] == "ON":
            self._speech_until = now + self._stall_s

    def heard(self, emotion: str, now: float) -> list[Change]:
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
