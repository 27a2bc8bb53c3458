"""What a node can be told over MQTT: read, refused or carried out, and answered."""

import logging
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal, Protocol

import msgspec
from msgspec import Meta

from edge import log
from edge.explain.explainer import Part
from edge.mqtt import settings
from edge.mqtt.connection import Connection
from edge.mqtt.discovery import birth_topic, former_discovery_topic, is_ours, withdrawal
from edge.mqtt.settings import Settings
from edge.mqtt.topics import VERBS, Incoming, Response, Topics, spoken_by_another

LARGEST = 4096  # bytes; every command is a fraction of it
LONGEST_RESPONSE_TOPIC = 256  # characters
LONGEST_CORRELATION = 256  # bytes
BIRTH_WAIT_S = (1.0, 10.0)  # so that a house full of nodes does not answer in the same second

_FRACTION = re.compile(rb"0(\.\d{1,6})?|1(\.0{1,6})?")
_WITHDRAWN_S = 2.0  # between taking a former announcement back and announcing the device again

_logger = logging.getLogger("affectd")


VoiceAction = Literal["list", "name", "merge", "forget", "ignore", "hear"]
_NEEDS: dict[str, tuple[str, ...]] = {
    "name": ("id", "name"), "merge": ("id", "into"), "forget": ("id",), "ignore": ("id",),
}  # fmt: skip


class Body(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON of a request. ``transaction`` comes back with the answer; ``part`` belongs to ``explain``.

    ``id`` is an event's with ``explain``, and with ``voices`` that of a voice, its name, or ``last``.
    """

    transaction: Annotated[str, Meta(max_length=64)] | None = None
    id: Annotated[str, Meta(max_length=80)] | None = None
    part: Part | Literal["aspects"] | None = None
    do: VoiceAction | None = None
    """``voices`` alone: ``list``, if nothing is said."""
    name: Annotated[str, Meta(max_length=400)] | None = None
    into: Annotated[str, Meta(max_length=80)] | None = None
    """The voice that ``merge`` leaves."""


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
class FormerDiscovery:
    """An earlier version of this node is still announced, under the topic that it used."""


@dataclass(frozen=True)
class Refusal:
    """A message that changes nothing, and why; ``verb`` is the request's that wants an answer all the same."""

    reason: str
    verb: str | None = None


Command = SetListening | SetThreshold | Request | Birth | FormerDiscovery | Refusal | None


def parse(message: Incoming, topics: Topics, prefix: str) -> Command:
    """What a message asks for; None where it asks for nothing. ``prefix``: Home Assistant's.

    Retained messages are of the past, and refused.
    """
    if message.topic == birth_topic(prefix):
        return Birth() if message.payload == b"online" and not message.retained else None
    if message.topic == former_discovery_topic(topics.node, prefix):
        return FormerDiscovery() if message.retained and is_ours(message.payload) else None
    topic = message.topic.removeprefix(f"{topics.root}/")
    verb = topic.removeprefix("request/") if topic.startswith("request/") else None
    problem = _problem(message, verb) or (_no_way_back(message, topics) if verb else None)
    if problem is not None:
        return Refusal(problem, verb if verb in VERBS else None)
    return _setting(topic, message.payload) if verb is None else _request(verb, message.payload)


def _no_way_back(message: Incoming, topics: Topics) -> str | None:
    """Why an answer cannot go where the request wants it; None where it can."""
    topic, correlation = message.response_topic, message.correlation
    if correlation is not None and len(correlation) > LONGEST_CORRELATION:
        return f"{len(correlation)} bytes of correlation data are too many: allowed are {LONGEST_CORRELATION}"
    if topic is None:
        return None
    if not 0 < len(topic) <= LONGEST_RESPONSE_TOPIC:
        return f"a response topic of {len(topic)} characters: allowed are 1 to {LONGEST_RESPONSE_TOPIC}"
    if "+" in topic or "#" in topic or topic.startswith("$") or not topic.isprintable():
        return "the response topic holds a wildcard or control characters, or begins with $"
    if topic.startswith(f"{topics.root}/") and not topic.startswith(f"{topics.root}/response/"):
        return f"the response topic is one of the node's own: name one under {topics.root}/response, or elsewhere"
    return None


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
    if verb == "explain" and body.part == "aspects":
        return Refusal(
            "aspects are measured on the sound, which is not kept: with `explain: aspects` under `model` in the "
            "configuration, each event that is certain has them",
            verb,
        )
    missing = [field for field in _NEEDS.get(body.do or "", ()) if getattr(body, field) is None]
    if verb == "voices" and missing:
        return Refusal(f"{body.do} needs `{missing[0]}`: of a voice, `id` is its id, its name, or last", verb)
    return Request(verb, body)


def _quoted(payload: bytes) -> str:
    return repr(payload[:40].decode(errors="replace"))


@dataclass(frozen=True)
class PendingRequest:
    """A request that is answered on the thread that listens: call ``answer`` or ``refuse``, once."""

    verb: str
    body: Body
    answer: Callable[[bytes | None], None]
    """Takes the result, as JSON, where there is one."""
    refuse: Callable[[str], None]


class Device(Protocol):
    """What commands are for. Each call returns at once: the connection's thread makes it."""

    def apply(self, settings: Settings) -> None:
        """Let the settings take effect, and say so."""

    def restart(self) -> None:
        """Stop, and start again."""

    def ask(self, request: PendingRequest) -> None:
        """Queue a request for the thread that listens."""


class Commands:
    """Carries out what arrives over MQTT, on the connection's thread; what it refuses changes nothing."""

    def __init__(
        self, topics: Topics, boot: str, prefix: str, path: Path, connection: Connection, device: Device
    ) -> None:
        self._topics = topics
        self._boot = boot
        self._prefix = prefix
        self._path = path
        self._connection = connection
        self._device = device
        self._repeats = log.Repeats(every_s=1.0)
        self.settings = settings.load(path)
        self.refused = 0

    def process(self, message: Incoming) -> None:
        """Do what a message asks for."""
        if message.topic == self._topics.name("info"):
            self._compare(message)
            return
        match parse(message, self._topics, self._prefix):
            case SetListening(on):
                self._set(msgspec.structs.replace(self.settings, listening=on))
            case SetThreshold(value):
                self._set(msgspec.structs.replace(self.settings, threshold=value))
            case Birth():
                self._connection.greet_again(random.uniform(*BIRTH_WAIT_S))  # noqa: S311 (jitter, not a secret)
            case FormerDiscovery():
                for undoing in withdrawal(message.topic):
                    self._connection.say(undoing)
                self._connection.greet_again(_WITHDRAWN_S)
            case Request() as request:
                self._answer(request, message)
            case Refusal() as refusal:
                self._refuse(refusal, message)
            case None:
                pass

    def _compare(self, message: Incoming) -> None:
        """Whether our own ``info`` comes from us: what is retained at the first connection may be from before."""
        past = message.retained and self._connection.connections == 1
        if not past and spoken_by_another(message.payload, self._boot):
            self._connection.contested()

    def _set(self, changed: Settings) -> None:
        self.settings = changed
        self._device.apply(changed)
        _logger.info(log.line("settings", listening=changed.listening, threshold=changed.threshold))
        try:
            settings.save(self._path, changed)
        except OSError as error:
            _logger.warning(log.line("settings", error=str(error), todo="they hold until the next restart"))

    def _answer(self, request: Request, message: Incoming) -> None:
        verb, body = request.verb, request.body
        _logger.info(log.line("request", verb=verb, transaction=body.transaction))
        if verb in ("forget", "explain", "voices"):
            self._device.ask(
                PendingRequest(
                    verb,
                    body,
                    answer=lambda result: self._respond(verb, body.transaction, message, result=result),
                    refuse=lambda error: self._respond(verb, body.transaction, message, error=error),
                )
            )
            return
        self._respond(verb, body.transaction, message)
        if verb == "restart":
            self._device.restart()

    def _refuse(self, refusal: Refusal, message: Incoming) -> None:
        self.refused += 1
        if self._repeats.due("refused", time.monotonic()):  # a flood of nonsense must not fill the log
            _logger.warning(log.line("refused", topic=message.topic[:100], reason=refusal.reason))
        if refusal.verb is not None:
            if _no_way_back(message, self._topics) is not None:
                message = replace(message, response_topic=None, correlation=None)
            self._respond(refusal.verb, None, message, error=refusal.reason)

    def _respond(
        self,
        verb: str,
        transaction: str | None,
        message: Incoming,
        *,
        error: str | None = None,
        result: bytes | None = None,
    ) -> None:
        raw = None if result is None else msgspec.Raw(result)
        response = Response(verb=verb, transaction=transaction, ok=error is None, error=error, result=raw)
        self._connection.publish(self._topics.response(response, message))
