"""The state of each node, from the messages of its topics: values in, values out."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, replace

import msgspec

from edge.events.event import NO_EMOTION, Event

HISTORY = datetime.timedelta(hours=1)
TOPICS = (
    "status", "microphone", "speech", "state", "listening", "threshold", "info", "diagnostics", "event", "journal",
)  # fmt: skip


class Info(msgspec.Struct, frozen=True):
    """The part of ``info`` that is shown; a node of another version may publish more or less."""

    version: str = ""
    bundle: str = ""
    model: str = ""
    labels: list[str] = []


@dataclass(frozen=True)
class Node:
    """One microphone, from its topics. ``events`` are those of the last hour, the oldest first."""

    name: str
    status: str = "offline"
    microphone: str = "offline"
    speech: str = "OFF"
    state: str = NO_EMOTION
    listening: str = "ON"
    threshold: str = ""
    info: Info | None = None
    diagnostics: Mapping[str, object] | None = None
    events: tuple[Event, ...] = ()

    @property
    def online(self) -> bool:
        return self.status == "online"

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(self.info.labels) if self.info else tuple(sorted(self.last.probabilities) if self.last else ())

    @property
    def last(self) -> Event | None:
        """The latest utterance."""
        return self.events[-1] if self.events else None


Nodes = Mapping[str, Node]


def heard(nodes: Nodes, name: str, topic: str, payload: bytes, now: datetime.datetime) -> Nodes:
    """The nodes after one message. An empty ``status`` removes the node; a foreign message changes nothing."""
    if topic == "status" and not payload:
        return {other: node for other, node in nodes.items() if other != name}
    node = nodes.get(name, Node(name))
    try:
        changed = _changed(node, topic, payload, now)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError):
        return nodes
    return {**nodes, name: changed}


def _changed(node: Node, topic: str, payload: bytes, now: datetime.datetime) -> Node:
    match topic:
        case "status" | "microphone" | "speech" | "state" | "listening" | "threshold":
            return replace(node, **{topic: payload.decode()})  # type: ignore[arg-type]
        case "info":
            return replace(node, info=msgspec.json.decode(payload, type=Info))
        case "diagnostics":
            return replace(node, diagnostics=msgspec.json.decode(payload, type=dict[str, object]))
        case "event" | "journal":
            return _with(node, payload, now)
        case _:
            return node


def _with(node: Node, payload: bytes, now: datetime.datetime) -> Node:
    """Add an utterance. The journal repeats live ones and adds the missing ones."""
    event = msgspec.json.decode(payload, type=Event)
    moment(event.start), moment(event.end)  # refuse an event with a malformed time
    known = {other.id: other for other in node.events} | {event.id: event}
    recent = (other for other in known.values() if now - moment(other.end) < HISTORY)
    return replace(node, events=tuple(sorted(recent, key=lambda other: moment(other.start))))


def moment(stamp: str) -> datetime.datetime:
    """A time stamp of the daemon, with its time zone."""
    return datetime.datetime.fromisoformat(stamp).astimezone(datetime.UTC)
