"""What is published about one utterance."""

import datetime

import msgspec
from msgspec import UNSET, UnsetType

SCHEMA = 1
UNCERTAIN = "uncertain"  # the emotion of a prediction below the threshold
NO_EMOTION = "none"  # the emotion while nobody speaks


class EventExplanation(msgspec.Struct, frozen=True, kw_only=True):
    """Why: signed contributions to the log-odds of ``target``; they add up to ``value - base_value``."""

    method: str
    target: str
    families: dict[str, float]
    base_value: float
    value: float
    residual: float
    aspects: dict[str, float] | UnsetType = UNSET
    """What each aspect of the voice adds to the same log-odds, from all of them as usual."""
    sentence: str | UnsetType = UNSET
    """The same for people, in one sentence."""


class EventVoice(msgspec.Struct, frozen=True, kw_only=True):
    """Whose voice it is: an id that names nobody. ``score``: how near the utterance is to it, a cosine."""

    id: str
    score: float
    name: str | UnsetType = UNSET
    """What the owner calls it."""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One utterance. Times are UTC RFC 3339, confidence and probabilities 0-1, ``snr_db`` dB over the noise.

    Without ``id`` and ``seq`` it is a draft, which the journal numbers.
    """

    schema: int = SCHEMA
    id: str = ""
    node: str
    boot: str
    seq: int = 0
    event_type: str
    emotion: str
    confidence: float
    intensity: float | UnsetType = UNSET
    """How strongly it is expressed, 0-1: 0.5 lies between normal and strong; absent where the bundle does not say."""
    probabilities: dict[str, float]
    start: str
    end: str
    duration_s: float
    snr_db: float
    bandwidth_hz: int = 0
    """The highest frequency at which the utterance holds speech, Hz; 0 where none was measured."""
    explanation: EventExplanation | None = None
    adapted_on: int = 0
    voice: EventVoice | UnsetType = UNSET
    """Absent where it is nobody's, and where voices are not published."""
    model: str
    clock: str
    replayed: bool = False

    def numbered(self, seq: int) -> "Event":
        """The same event as number ``seq`` of its node; its ``id`` names the run of the daemon, too."""
        return msgspec.structs.replace(self, seq=seq, id=f"{self.node}-{self.boot}-{seq:06d}")


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """Stands in the journal, in order, for the utterances from ``from_seq`` to ``to_seq`` that it could not keep."""

    schema: int = SCHEMA
    id: str
    node: str
    event_type: str = "gap"
    from_seq: int
    to_seq: int
    reason: str


def stamp(seconds: float) -> str:
    """Seconds since the epoch as UTC RFC 3339 with milliseconds."""
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
