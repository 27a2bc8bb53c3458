"""Whose voice an utterance is: online clustering of what the bundle's ``voice.onnx`` hears. Values in, values out.

A voice is the mean direction of the utterances that joined it, and the history of how it usually sounds. It holds no
audio.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from edge.errors import UsageError
from edge.model.adapter import Adapter
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
FAINTEST = 3.0
"""dB over the noise, less than which an utterance is of nobody."""
LONGEST = 1500
"""Frames of 10 ms that are listened to, from the middle: more does not help."""

LONGEST_NAME = 40  # characters
LAST, NOBODY = "last", "nobody"
RESERVED = (LAST, NOBODY)
"""What no voice can be called: the one that was heard last, and none."""
_ID = re.compile("v[0-9]+", re.IGNORECASE)

Cosine = Annotated[float, Meta(ge=-1, le=1)]


class VoiceThresholds(msgspec.Struct, frozen=True):
    """Cosines that decide, chosen on calibration speakers."""

    join: Cosine
    """At least this near to a voice, an utterance is of it."""
    found: Cosine
    """At least this near to each other, two utterances that are of no voice found one."""
    merge: Cosine
    """At least this near to each other, two voices are one."""
    between: Annotated[float, Meta(ge=0, le=1)] = 0.0
    """So much nearer an utterance must be to its voice than to another, which is not near to that voice: two people at
    once lie in between."""


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

    id: str
    direction: Floats
    utterances: int = 1
    history: Adapter | None = None
    """How it usually sounds; None where nobody adapts to it."""
    name: str = ""
    """What its owner calls it; empty where nobody did."""
    ignored: bool = False
    """Whether what it says makes no event."""

    @property
    def chosen(self) -> bool:
        """Whether somebody named or ignored it: then it never makes room for another, nor turns into one."""
        return bool(self.name) or self.ignored

    def learn(self, other: Floats, count: int = 1) -> None:
        """Moves the direction towards ``count`` utterances of the direction ``other``."""
        self.direction *= min(self.utterances, MEMORY) / min(count, MEMORY)  # in place: no copy stays behind
        self.direction += other
        _to_unit_length(self.direction)
        self.utterances += count

    def absorb(self, twin: "Voice") -> None:
        """Takes in a voice that turned out to be the same."""
        self.learn(twin.direction, twin.utterances)
        if self.history and twin.history:
            self.history.absorb(twin.history)
        twin.wipe()

    def wipe(self) -> None:
        """Overwrites all that was learnt: freed memory is not cleared."""
        self.direction.fill(0)
        if self.history:
            self.history.forget()
        self.name = ""


@dataclass(frozen=True)
class Turn:
    """Whose utterance one was: nobody's without a ``voice``."""

    voice: Voice | None
    score: float
    """How near it was to that voice, or to the nearest, before it was learnt from: a cosine."""
    merged: str | None = None
    """The id of a voice that turned out to be the same, and is no more."""

    @property
    def id(self) -> str | None:
        """The voice's."""
        return self.voice.id if self.voice else None


NOBODYS = Turn(None, -1.0)


@dataclass(eq=False)
class Voices:
    """The voices at one microphone. ``fresh`` makes the history of a new one."""

    thresholds: VoiceThresholds
    fresh: Callable[[], Adapter] | None = None
    kept: list[Voice] = field(default_factory=list)
    waiting: list[Floats] = field(default_factory=list)
    """Utterances that were near to nobody: one alone founds no voice."""
    founded: int = 0
    last: Voice | None = None
    """Who was heard last, of those who are not ignored."""

    def nearest(self, said: Floats, seconds: float = np.inf, snr_db: float = np.inf) -> Turn:
        """Whose utterance of the voice ``said`` [width], of unit length, is; learns nothing.

        Nobody's where it is too short, too faint or too far from all, or where it lies between two of them.
        """
        near = sorted(((float(one.direction @ said), place) for place, one in enumerate(self.kept)), reverse=True)
        if not near:
            return NOBODYS
        best, place = near[0]
        sure = best >= self.thresholds.join and is_clear(seconds, snr_db) and not self._between(near)
        return Turn(self.kept[place] if sure else None, best)

    def hear(self, said: Floats, seconds: float = np.inf, snr_db: float = np.inf) -> Turn:
        """Takes in one utterance, as ``nearest`` has it: the voice that it joined or founded."""
        turn = self.nearest(said, seconds, snr_db)
        if turn.voice is not None:
            turn.voice.learn(said)
            turn = self._merged(turn)
        elif is_clear(seconds, snr_db) and turn.score < self.thresholds.join:
            turn = self._found(said, turn)
        if turn.voice is not None and not turn.voice.ignored:
            self.last = turn.voice
        return turn

    def forget(self) -> None:
        """Forgets everybody; no id is given twice."""
        for voice in self.kept:
            voice.wipe()
        self.kept.clear()
        self.last = None
        self.forget_waiting()

    def find(self, reference: str) -> Voice:
        """The voice of this id or name, whatever the case; UsageError where there is none."""
        wanted = reference.casefold()
        found = next((one for one in self.kept if wanted and wanted in (one.id, one.name.casefold())), None)
        if found is None:
            known = ", ".join(f"{one.id} ({one.name})" if one.name else one.id for one in self.kept)
            raise UsageError(f"no voice is called {reference!r}: known are {known or 'none yet'}")
        return found

    def name(self, voice: Voice, name: str) -> None:
        """Gives a voice a name, or takes it with an empty one; UsageError where it is taken or no name."""
        tidy = " ".join(name.split()) if name.isprintable() else name
        if not tidy.isprintable() or len(tidy) > LONGEST_NAME or _ID.fullmatch(tidy) or tidy.casefold() in RESERVED:
            raise UsageError(
                f"{name[: 2 * LONGEST_NAME]!r} cannot be a name: give 1 to {LONGEST_NAME} printable characters, "
                f"not {', '.join(RESERVED)} nor what looks like v2"
            )
        taken = next((one for one in self.kept if tidy and one.name.casefold() == tidy.casefold()), voice)
        if taken is not voice:
            raise UsageError(f"{taken.id} is called {taken.name!r}: merge the two, or choose another name")
        voice.name = tidy

    def join(self, goes: Voice, stays: Voice) -> None:
        """Makes one of two voices."""
        self.kept.remove(goes)
        if self.last is goes:
            self.last = stays
        stays.absorb(goes)

    def remove(self, voice: Voice) -> None:
        """Forgets one voice."""
        self.kept.remove(voice)
        if self.last is voice:
            self.last = None
        voice.wipe()

    def forget_waiting(self) -> None:
        """Forgets the utterances that were near to nobody."""
        for said in self.waiting:
            said.fill(0)
        self.waiting.clear()

    def _between(self, near: list[tuple[float, int]]) -> bool:
        """Whether the two nearest voices are about as near, though not one person's that has yet to be merged."""
        if len(near) < 2 or near[0][0] - near[1][0] >= self.thresholds.between:
            return False
        one, other = (self.kept[place].direction for _, place in near[:2])
        return float(one @ other) < self.thresholds.join

    def _found(self, said: Floats, turn: Turn) -> Turn:
        near = [float(other @ said) for other in self.waiting]
        if not near or max(near) < self.thresholds.found:
            self.waiting.append(said.copy())
            for old in self.waiting[:-WAITING]:
                old.fill(0)
            del self.waiting[:-WAITING]
            return turn
        if len(self.kept) >= MOST:
            strangers = [one for one in self.kept if not one.chosen]
            if not strangers:
                return turn
            self.remove(min(strangers, key=lambda one: one.utterances))
        self.founded += 1
        direction = self.waiting.pop(int(np.argmax(near)))
        direction += said
        _to_unit_length(direction)
        founded = Voice(f"v{self.founded}", direction, 2, self.fresh() if self.fresh else None)
        self.kept.append(founded)
        return self._merged(Turn(founded, max(near)))

    def _merged(self, turn: Turn) -> Turn:
        """The turn, after its voice took in, or was taken in by, the one that turned out to be the same."""
        moved = turn.voice
        others = [one for one in self.kept if one is not moved]
        if moved is None or not others:
            return turn
        twin = max(others, key=lambda one: float(one.direction @ moved.direction))
        if float(twin.direction @ moved.direction) < self.thresholds.merge or (twin.chosen and moved.chosen):
            return turn
        stays, goes = sorted((moved, twin), key=lambda one: (not one.chosen, -one.utterances))
        self.join(goes, stays)
        return Turn(stays, turn.score, goes.id)


def is_clear(seconds: float, snr_db: float) -> bool:
    """Whether an utterance is long and loud enough to tell whose it is; an unknown level, NaN, is."""
    return seconds >= SHORTEST and not snr_db < FAINTEST


def _to_unit_length(direction: Floats) -> None:
    direction /= np.linalg.norm(direction) + 1e-9
