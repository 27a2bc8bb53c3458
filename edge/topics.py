"""The topics of a node: names, quality of service, what the broker keeps, and how long a message lives."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import msgspec

from edge import __version__
from edge.errors import UsageError
from edge.events import SCHEMA, Event
from edge.presence import Change

EVENT_MAX_AGE_S = 30.0  # an automation must not fire on what was said longer ago than this
EVENT_EXPIRY_S = 60  # MQTT 5: the broker forgets an undelivered event after this


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


class Info(msgspec.Struct, frozen=True, kw_only=True):
    """What the node is: payload of ``info``."""

    schema: int = SCHEMA
    version: str = __version__
    node: str
    bundle: str
    model: str
    labels: list[str]


@dataclass(frozen=True)
class Topics:
    """Messages of the node ``node`` under ``base``; values in, messages out."""

    base: str
    node: str

    @property
    def root(self) -> str:
        return f"{self.base}/{self.node}"

    def will(self) -> Message:
        return Message(f"{self.root}/status", b"offline")

    def online(self) -> Message:
        return Message(f"{self.root}/status", b"online")

    def info(self, info: Info) -> Message:
        return Message(f"{self.root}/info", msgspec.json.encode(info))

    def change(self, change: Change) -> Message:
        return Message(f"{self.root}/{change.topic}", change.payload.encode())

    def event(self, event: Event) -> Message:
        """The live event: not retained, since a retained one would greet every new subscriber as if just said."""
        return Message(
            f"{self.root}/event",
            msgspec.json.encode(event),
            retain=False,
            max_age_s=EVENT_MAX_AGE_S,
            expiry_s=EVENT_EXPIRY_S,
            user_properties=(("id", event.id), ("schema", str(event.schema))),
        )


def default_node(machine_id: Path = Path("/etc/machine-id")) -> str:
    """A stable name from the machine id; hashed, since machine-id(5) asks not to expose it on a network."""
    try:
        identity = machine_id.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        identity = ""
    if not identity:
        raise UsageError(
            f"{machine_id} is missing, so no stable node name can be derived: set `node` in the configuration"
        )
    return "node-" + hashlib.sha256(b"affectd" + identity.encode()).hexdigest()[:8]
