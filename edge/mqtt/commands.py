"""What a node can be told over MQTT: parsed and refused here, carried out elsewhere."""

import re
from dataclasses import dataclass
from typing import Annotated

import msgspec
from msgspec import Meta

from edge.explain.explainer import Part
from edge.mqtt.topics import VERBS, Incoming, Topics

LARGEST = 4096  # bytes; every command is a fraction of it

_FRACTION = re.compile(rb"0(\.\d{1,6})?|1(\.0{1,6})?")


class Body(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON of a request. ``transaction`` comes back with the answer; ``id`` and ``part`` belong to ``explain``."""

    transaction: Annotated[str, Meta(max_length=64)] | None = None
    id: Annotated[str, Meta(max_length=80)] | None = None
    part: Part | None = None


@dataclass(frozen=True)
class SetListening:
    """Open the microphone, or close it."""

    on: bool


@dataclass(frozen=True)
class SetThreshold:
    """The confidence below which the emotion is uncertain."""

    value: float


@dataclass(frozen=True)
class Request:
    """Something that is answered."""

    verb: str
    body: Body


@dataclass(frozen=True)
class Birth:
    """Home Assistant has started, and knows nothing yet."""


@dataclass(frozen=True)
class Refusal:
    """A message that changes nothing, and why; ``verb`` is the request's that wants an answer all the same."""

    reason: str
    verb: str | None = None


Command = SetListening | SetThreshold | Request | Birth | Refusal | None


def parse(message: Incoming, topics: Topics, birth_topic: str) -> Command:
    """What a message asks for; None where it asks for nothing. Retained messages are of the past, and refused."""
    if message.topic == birth_topic:
        return Birth() if message.payload == b"online" and not message.retained else None
    topic = message.topic.removeprefix(f"{topics.root}/")
    verb = topic.removeprefix("request/") if topic.startswith("request/") else None
    problem = _problem(message, verb)
    if problem is not None:
        return Refusal(problem, verb if verb in VERBS else None)
    return _setting(topic, message.payload) if verb is None else _request(verb, message.payload)


def _problem(message: Incoming, verb: str | None) -> str | None:
    if verb is not None and verb not in VERBS:
        return f"there is no request {verb[:40]!r}: allowed are {', '.join(VERBS)}"
    if message.retained:
        return "it is retained: send commands without the retain flag"
    if len(message.payload) > LARGEST:
        return f"{len(message.payload)} bytes are too many: allowed are {LARGEST}"
    return None


def _setting(topic: str, payload: bytes) -> Command:
    match topic, payload:
        case "listening/set", b"ON" | b"OFF":
            return SetListening(payload == b"ON")
        case "listening/set", _:
            return Refusal(f"{_quoted(payload)} is neither ON nor OFF")
        case "threshold/set", _ if _FRACTION.fullmatch(payload):
            return SetThreshold(float(payload))
        case "threshold/set", _:
            return Refusal(f"{_quoted(payload)} is no number from 0.00 to 1.00")
        case _:
            return Refusal("nothing is known by this topic")


def _request(verb: str, payload: bytes) -> Command:
    try:
        body = msgspec.json.decode(payload or b"{}", type=Body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return Refusal(f"the request is not the JSON object that it has to be: {error}", verb)
    if verb == "explain" and body.id is None:
        return Refusal("explain needs the `id` of an event", verb)
    return Request(verb, body)


def _quoted(payload: bytes) -> str:
    return repr(payload[:40].decode(errors="replace"))
