"""The topics of a node: names, quality of service, what the broker keeps, and how long a message lives."""

from dataclasses import dataclass

import msgspec

from edge import __version__
from edge.events.delivery import LATE_S, Delivery
from edge.events.event import SCHEMA, Event

EVENT_EXPIRY_S = 60  # MQTT 5: the broker forgets an undelivered event after this
VERBS = ("ping", "restart", "explain", "forget", "voices")

_PUBLISHED = (
    "status", "microphone", "state", "speech", "event", "journal", "info", "diagnostics", "listening", "threshold",
)  # fmt: skip


@dataclass(frozen=True)
class Message:
    """One MQTT message. ``max_age_s``: seconds after which it is no longer worth sending; None: never."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = True
    max_age_s: float | None = None
    expiry_s: int | None = None
    user_properties: tuple[tuple[str, str], ...] = ()
    correlation: bytes | None = None


@dataclass(frozen=True)
class Incoming:
    """A message that the broker hands us."""

    topic: str
    payload: bytes
    retained: bool = False
    response_topic: str | None = None
    correlation: bytes | None = None


class Info(msgspec.Struct, frozen=True, kw_only=True):
    """What the node is: payload of ``info``."""

    schema: int = SCHEMA
    version: str = __version__
    node: str
    boot: str
    bundle: str
    model: str
    labels: list[str]


def spoken_by_another(info: bytes, boot: str) -> bool:
    """Whether ``info`` on our own topic comes from another process than the one that calls itself ``boot``."""
    try:
        return msgspec.json.decode(info, type=Info).boot != boot
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a request: payload of ``response/<verb>``. ``error`` says why it was refused, if it was."""

    schema: int = SCHEMA
    verb: str
    transaction: str | None
    ok: bool
    error: str | None = None
    result: msgspec.Raw | None = None


@dataclass(frozen=True)
class Topics:
    """Messages of the node ``node`` under ``base``; values in, messages out."""

    base: str
    node: str

    @property
    def root(self) -> str:
        """What all of them begin with."""
        return f"{self.base}/{self.node}"

    def name(self, topic: str) -> str:
        """The whole name of one of the node's topics."""
        return f"{self.root}/{topic}"

    def will(self) -> Message:
        """The last will: what the broker says of a node that is gone."""
        return Message(self.name("status"), b"offline")

    def online(self) -> Message:
        """What undoes the will."""
        return Message(self.name("status"), b"online")

    def info(self, info: Info) -> Message:
        """What the node is."""
        return Message(self.name("info"), msgspec.json.encode(info))

    def present(self, topic: str, payload: str) -> Message:
        """How things are now: ``microphone``, ``speech`` or ``state``."""
        return Message(self.name(topic), payload.encode())

    def listening(self, on: bool) -> Message:
        """The setting of this name."""
        return Message(self.name("listening"), b"ON" if on else b"OFF")

    def threshold(self, value: float) -> Message:
        """The setting of this name, 0-1."""
        return Message(self.name("threshold"), f"{value:.2f}".encode())

    def diagnostics(self, payload: bytes) -> Message:
        """How the daemon is doing, as JSON."""
        return Message(self.name("diagnostics"), payload, qos=0)

    def event(self, event: Event) -> Message:
        """The live event: not retained, since a retained one would greet every new subscriber as if just said."""
        return Message(
            self.name("event"),
            msgspec.json.encode(event),
            retain=False,
            max_age_s=LATE_S,
            expiry_s=EVENT_EXPIRY_S,
            user_properties=(("id", event.id), ("schema", str(SCHEMA))),
        )

    def journal(self, delivery: Delivery) -> Message:
        """The same event, or a gap, for records: never too old."""
        properties = (("id", delivery.id), ("schema", str(SCHEMA)))
        return Message(self.name("journal"), delivery.payload, retain=False, user_properties=properties)

    def response(self, response: Response, to: Incoming) -> Message:
        """An answer goes where the request wants it (MQTT 5, section 4.10), else to ``response/<verb>``."""
        topic = to.response_topic or self.name(f"response/{response.verb}")
        return Message(topic, msgspec.json.encode(response), retain=False, correlation=to.correlation)

    def subscriptions(self) -> list[str]:
        """What the node listens to, among its own."""
        return [self.name(topic) for topic in ("listening/set", "threshold/set", "request/#", "status", "info")]

    def publications(self) -> list[str]:
        """What the node publishes; answers may go elsewhere, where a request wants it."""
        return [*map(self.name, _PUBLISHED), *(self.name(f"response/{verb}") for verb in VERBS)]
