"""Whose voice an utterance is: online clustering of what the bundle's ``voice.onnx`` hears. Values in, values out.

A voice is the mean direction of the utterances that joined it. It holds no audio and no name, and lives in memory.
"""

from dataclasses import dataclass, field
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from edge.model.runtime import Session

Floats = NDArray[np.float32]

MOST = 12
"""Voices that are kept; the least heard goes."""
WAITING = 6
"""Utterances that may still found a voice; the oldest goes."""
MEMORY = 60
"""Utterances after which the oldest fade from a voice's direction."""
SHORTEST = 0.8
"""Seconds of speech, less than which join no voice."""
LONGEST = 1500
"""Frames of 10 ms that are listened to, from the middle: more does not help."""

Cosine = Annotated[float, Meta(ge=-1, le=1)]


class VoiceThresholds(msgspec.Struct, frozen=True):
    """Cosines that decide, chosen on calibration speakers."""

    join: Cosine
    """At least this near to a voice, an utterance is of it."""
    found: Cosine
    """At least this near to each other, two utterances that are of no voice found one."""
    merge: Cosine
    """At least this near to each other, two voices are one."""


def heard(session: Session, spectrum: Floats) -> Floats:
    """The voice [width], of unit length, of an utterance's log-mel [80, time]."""
    start = max(0, (spectrum.shape[1] - LONGEST) // 2)
    piece = np.ascontiguousarray(spectrum[:, start : start + LONGEST])
    (voices,) = session.run(["voice"], {"spectrum": piece[None]})
    found: Floats = voices[0]
    return found


@dataclass(eq=False)
class Voice:
    """One voice: an id that stays, its direction [width] of unit length, and how many utterances joined it."""

    name: str
    direction: Floats
    utterances: int = 1

    def learn(self, other: Floats, count: int = 1) -> None:
        """Moves the direction towards ``count`` utterances of the direction ``other``."""
        weight = min(self.utterances, MEMORY)
        self.direction = _unit(weight * self.direction + min(count, MEMORY) * other)
        self.utterances += count


@dataclass(eq=False)
class Voices:
    """The voices at one microphone."""

    thresholds: VoiceThresholds
    kept: list[Voice] = field(default_factory=list)
    waiting: list[Floats] = field(default_factory=list)
    """Utterances that were near to nobody: one alone founds no voice."""
    founded: int = 0

    def nearest(self, voice: Floats, seconds: float = np.inf) -> tuple[str | None, float]:
        """Whose utterance this is, None where nobody's, and how near it is to the nearest voice; learns nothing."""
        if not self.kept:
            return None, -1.0
        near = [float(one.direction @ voice) for one in self.kept]
        best = int(np.argmax(near))
        sure = near[best] >= self.thresholds.join and seconds >= SHORTEST
        return (self.kept[best].name if sure else None), near[best]

    def hear(self, voice: Floats, seconds: float = np.inf) -> str | None:
        """Takes in one utterance's voice [width], of unit length: the voice that it joined or founded, or None."""
        if seconds < SHORTEST:
            return None
        name, _ = self.nearest(voice)
        if name is None:
            return self._found(voice)
        self._named(name).learn(voice)
        return self._merged(name)

    def forget(self) -> None:
        """Forgets everybody; no id is given twice."""
        self.kept.clear()
        self.waiting.clear()

    def _named(self, name: str) -> Voice:
        return next(one for one in self.kept if one.name == name)

    def _found(self, voice: Floats) -> str | None:
        near = [float(other @ voice) for other in self.waiting]
        if not near or max(near) < self.thresholds.found:
            self.waiting = [*self.waiting, voice][-WAITING:]
            return None
        other = self.waiting.pop(int(np.argmax(near)))
        if len(self.kept) >= MOST:
            self.kept.remove(min(self.kept, key=lambda one: one.utterances))
        self.founded += 1
        self.kept.append(Voice(f"v{self.founded}", _unit(voice + other), 2))
        return self._merged(f"v{self.founded}")

    def _merged(self, name: str) -> str:
        """The name of the voice after it took in, or was taken in by, the one that turned out to be the same."""
        moved = self._named(name)
        others = [one for one in self.kept if one is not moved]
        twin = max(others, key=lambda one: float(one.direction @ moved.direction), default=None)
        if twin is None or float(twin.direction @ moved.direction) < self.thresholds.merge:
            return name
        stays, goes = sorted((moved, twin), key=lambda one: -one.utterances)
        stays.learn(goes.direction, goes.utterances)
        self.kept.remove(goes)
        return stays.name


def _unit(direction: Floats) -> Floats:
    return np.asarray(direction / (np.linalg.norm(direction) + 1e-9), np.float32)
