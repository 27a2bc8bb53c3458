"""``affectd watch``: what daemons publish, live, in a terminal; a subscriber like any other."""

import argparse
import re
import select
import signal
import sys
import threading
from collections.abc import Iterator

import msgspec

from edge.cli import configuration, output, render
from edge.config import Config, MqttSettings, changed, load
from edge.errors import AffectdError, UsageError
from edge.events.event import Event
from edge.mqtt.client import Connected, Disconnected, follow
from edge.mqtt.topics import Incoming

SHOWN = ("status", "microphone", "speech", "state", "event")
_NODE = re.compile(r"\+|[^#+/\0]+")


def run(options: argparse.Namespace) -> int:
    """Show what arrives until a signal comes or nobody reads any more; raises as ``watch`` does."""
    config = load(options.config) if options.config else Config()
    overrides = {name: getattr(options, name) for name in ("host", "port") if getattr(options, name) is not None}
    settings = configuration.broker(changed(config.mqtt, **overrides))
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    for item in watch(settings, options.node, stop):
        show(item, as_json=options.json, colour=sys.stdout is not None and sys.stdout.isatty())
    return 0


def watch(settings: MqttSettings, node: str, stop: threading.Event) -> Iterator[Connected | Incoming]:
    """What the node says (``+``: all nodes), reconnecting until ``stop`` is set or standard output has lost its reader.

    Raises UsageError for a name that no node can have, AffectdError where the first connection fails.
    """
    if not _NODE.fullmatch(node):
        raise UsageError(f"--node {node!r} names no node: give the name of one, or leave it out to see all")
    connected = False
    for item in follow(
        settings,
        "watch",
        [f"{settings.base}/{node}/{topic}" for topic in SHOWN],
        lambda: not stop.is_set() and not _unread(),
    ):
        if not isinstance(item, Disconnected):
            connected = True
            yield item
        elif not connected:
            raise AffectdError(item.reason)
        else:
            print(f"affectd: {item.reason}; trying again", file=sys.stderr)


def show(item: Connected | Incoming, *, as_json: bool, colour: bool) -> None:
    """Write what arrived on standard output, for people or ``as_json``; raises as ``output.line`` does."""
    if isinstance(item, Connected):
        return
    node, topic = item.topic.split("/")[-2:]
    if as_json:
        line = {"node": node, "topic": topic, "retained": item.retained, "payload": _json(topic, item.payload)}
        output.json(msgspec.json.encode(line))
        return
    text = output.printable(item.payload.decode(errors="replace"))
    if topic == "event":
        try:
            output.line(render.event(msgspec.json.decode(item.payload, type=Event), colour=colour))
        except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
            output.line(f"{output.printable(item.topic)}: not an event of affectd ({error})")
    elif topic in ("status", "microphone"):  # speech and state are part of the event, as people read it
        output.line(render.change(f"{output.printable(node)} {topic}", text, colour=colour))


def _json(topic: str, payload: bytes) -> msgspec.Raw | str:
    """An event's object as it came, on one line; anything else as a string."""
    if topic == "event":
        try:
            return msgspec.Raw(msgspec.json.format(payload, indent=-1))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
    return payload.decode(errors="replace")


def _unread() -> bool:
    """Whether standard output is a pipe whose reader has gone (poll(2), POLLERR)."""
    if sys.stdout is None:
        return False
    try:
        descriptor = sys.stdout.fileno()
    except OSError:  # not a file
        return False
    poll = select.poll()
    poll.register(descriptor, 0)
    return any(found & select.POLLERR for _, found in poll.poll(0))
