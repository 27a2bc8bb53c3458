"""F27, F28, F34: topics that the broker refuses, that requests ask for, that an earlier version used; their values."""

import contextlib
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.journal.journal import Journal
from edge.mqtt.discovery import every_topic
from edge.mqtt.topics import Topics
from tests.faults.parts import NODE, Broker, Daemon, Recorder, delivered
from tests.faults.proxy import Proxy

Daemons = Callable[..., Daemon]

TOPICS = every_topic(Topics("affectd", NODE), "homeassistant", announced=True)
SOME = ("status", "state", "journal", "config")  # the rest is alike


def guarded(folder: Path, refused: str) -> Broker:
    """A broker whose access list refuses one topic to everybody."""
    folder.mkdir()
    rules = folder / "acl"
    rules.write_text(f"topic readwrite #\ntopic deny {refused}\n")
    rules.chmod(0o600)
    return Broker(folder / "broker", f"listener {{port}} 127.0.0.1\nallow_anonymous true\nacl_file {rules}")


@pytest.mark.parametrize(
    "topic",
    [
        pytest.param(topic, marks=() if topic.endswith(SOME) else pytest.mark.faults)
        for topic in TOPICS.published
        if "/response/" not in topic and not topic.endswith("/diagnostics")  # of QoS 0: nobody hears of a refusal
    ],
)
def test_f27_a_topic_that_is_refused_is_given_up_and_named_and_the_others_go_on(
    tmp_path: Path, daemons: Daemons, topic: str
) -> None:
    broker = guarded(tmp_path / "guarded", topic).start()
    recorder = Recorder(broker.port)
    try:
        daemon = daemons(broker.port)
        daemon.say(2)
        daemon.wait(lambda: daemon.logged("refuses=publish"))
        received = set(TOPICS.published) - {topic}
        recorder.wait(
            lambda: {message.topic for message in recorder.received} >= {t for t in received if "/response/" not in t}
        )
        if not topic.endswith("/journal"):
            delivered(daemon, recorder)
        if not topic.endswith("/event"):
            recorder.wait(lambda: len(recorder.on("event")) == 2)
        assert daemon.stop() == 0
        (line,) = daemon.logged("refuses=publish")
        assert f"topic={topic} " in line
        assert len(daemon.logged(" connected ")) == 1
        kept = Journal(daemon.state, NODE)
        assert kept.depth == (2 if topic.endswith("/journal") else 0)
        kept.close()
    finally:
        recorder.close()
        broker.stop()


def test_f27_events_wait_for_an_access_list_to_be_mended(tmp_path: Path, daemons: Daemons) -> None:
    broker = guarded(tmp_path / "guarded", f"affectd/{NODE}/journal").start()
    daemon = daemons(broker.port)
    daemon.say(2)
    daemon.wait(lambda: daemon.logged("refuses=publish"))
    (tmp_path / "guarded" / "acl").write_text("topic readwrite #\n")
    broker.stop()
    broker.start()
    daemon.wait(lambda: len(daemon.logged(" connected ")) == 2)
    assert daemon.stop() == 0
    broker.stop()
    kept = Journal(daemon.state, NODE)
    assert (kept.last, kept.depth) == (2, 0)  # the broker has acknowledged both
    kept.close()


@pytest.mark.parametrize("topic", ["state", pytest.param("journal", marks=pytest.mark.faults)])
def test_f27_a_broker_that_hangs_up_on_a_topic_costs_that_topic(
    recorder: Recorder, proxy: Proxy, daemons: Daemons, topic: str
) -> None:
    """Brokers of MQTT 3.1.1 cannot refuse a message in any other way."""
    proxy.old = True
    proxy.hang_up_on = f"affectd/{NODE}/{topic}".encode()
    daemon = daemons(proxy.port)
    daemon.say(2)
    daemon.wait(lambda: daemon.logged("refuses=publish"))
    assert f"topic=affectd/{NODE}/{topic} " in daemon.logged("refuses=publish")[0]
    heard = len(recorder.on("event"))
    daemon.say()
    recorder.wait(lambda: len(recorder.on("event")) > heard)  # over the connection after the last that was hung up
    attempts, heard = len(proxy.accepted), len(recorder.on("event"))
    daemon.say(2)
    recorder.wait(lambda: len(recorder.on("event")) >= heard + 2)
    if topic != "journal":
        delivered(daemon, recorder)
    assert len(proxy.accepted) == attempts


@pytest.mark.parametrize("old", [False, pytest.param(True, marks=pytest.mark.faults)], ids=["5", "3.1.1"])
def test_f27_a_subscription_that_is_refused_is_named_and_the_others_stand(
    recorder: Recorder, proxy: Proxy, daemons: Daemons, old: bool
) -> None:
    proxy.old = old
    proxy.refuse_subscription = 1
    daemon = daemons(proxy.port)
    daemon.wait(lambda: daemon.logged("refuses=subscribe"))
    proxy.reset()
    daemon.wait(lambda: len(daemon.logged(" connected ")) == 2)
    recorder.publish(f"affectd/{NODE}/request/ping", "{}")
    recorder.wait(lambda: recorder.on("response/ping"))
    (line,) = daemon.logged("refuses=subscribe")
    assert f"topic={TOPICS.subscribed[2]} " in line  # the first topic is subscribed to alone


def test_f28_after_an_outage_with_speech_going_on_retained_values_are_those_of_now(
    recorder: Recorder, proxy: Proxy, daemons: Daemons
) -> None:
    daemon = daemons(proxy.port, mqtt={"hold_s": 4})
    recorder.wait(lambda: recorder.on("status"))
    proxy.swallow.set()
    daemon.say(5)  # more than may be in flight: what follows waits in the daemon
    proxy.refuse.set()
    proxy.reset()
    proxy.swallow.clear()
    time.sleep(8)  # the emotion has run out, and nobody speaks
    proxy.refuse.clear()
    delivered(daemon, recorder)
    back = max(place for place, message in enumerate(recorder.received) if message.topic.endswith("/info"))
    later = [message for message in recorder.received[back:] if message.topic.endswith(("/speech", "/state"))]
    assert [message.payload for message in later] == [b"OFF", b"none"]


def test_f34_answers_go_nowhere_that_would_end_the_connection(
    recorder: Recorder, broker: Broker, daemons: Daemons
) -> None:
    daemon = daemons(broker.port)
    recorder.wait(lambda: recorder.on("status"))
    hostile = [b"affectd/#", b"+", b"", b"x" * 60_000, b"affectd/kitchen/status", b"$SYS/broker", b"a\x01b", b"\x7f"]
    hostile += [b"\xff\xfea", b"\xed\xa0\x80", b"a\0b"]
    for topic in hostile:
        ask(broker.port, topic, b"1")
    ask(broker.port, b"affectd/answers/response", b"1" * 60_000)
    ask(broker.port, b"affectd/answers/response", b"still there")
    recorder.wait(lambda: recorder.on("response", node="answers"))
    refused = [message.json for message in recorder.on("response/ping")]
    assert 5 <= len(refused) <= len(hostile) + 1  # the broker itself refuses the worst
    assert not any(answer["ok"] for answer in refused)
    assert len(recorder.on("response", node="answers")) == 1
    assert {message.payload for message in recorder.on("status")} == {b"online"}
    assert len(daemon.logged(" connected ")) == 1


def ask(port: int, response_topic: bytes, correlation: bytes) -> None:
    """A request that wants its answer on a topic: the bytes as they are, which no library would send."""
    topic = f"affectd/{NODE}/request/ping".encode()
    extra = b"\x08" + text(response_topic) + b"\x09" + text(correlation)
    body = text(topic) + b"\0\1" + length(extra) + extra + b"{}"
    with socket.create_connection(("127.0.0.1", port)) as wire:
        wire.settimeout(5)
        wire.sendall(b"\x10\x10\x00\x04MQTT\x05\x02\x00\x1e\x00" + text(b"raw"))
        wire.recv(100)
        wire.sendall(b"\x32" + length(body) + body)
        with contextlib.suppress(OSError):
            wire.recv(100)  # the acknowledgement, or the end


def text(content: bytes) -> bytes:
    return len(content).to_bytes(2, "big") + content


def length(content: bytes) -> bytes:
    """A variable byte integer (MQTT 5, section 1.5.5)."""
    found, left = b"", len(content)
    while left >= 128:
        found, left = found + bytes([left % 128 | 128]), left // 128
    return found + bytes([left])


def test_what_an_earlier_version_announced_is_taken_back_and_what_others_did_is_not(
    recorder: Recorder, broker: Broker, daemons: Daemons
) -> None:
    former = f"homeassistant/device/{NODE}/config"
    recorder.publish(former, '{"origin": {"name": "kettle"}}', retain=True)
    daemon = daemons(broker.port)
    recorder.wait(lambda: recorder.on("status"))
    daemon.say()
    delivered(daemon, recorder)
    assert len([message for message in recorder.received if message.topic == former]) == 1
    daemon.stop()
    recorder.publish(former, '{"origin": {"name": "affectd", "sw_version": "0.1.0"}}', retain=True)
    before = len(recorder.received)
    daemons(broker.port)
    recorder.wait(lambda: TOPICS.published[-1] in [message.topic for message in recorder.received[before:]])
    undone, announced = (
        [message for message in recorder.received[before:] if message.topic == topic]
        for topic in (former, TOPICS.published[-1])
    )
    assert [message.payload for message in undone] == [b'{"migrate_discovery":true}', b""]
    assert undone[-1].at <= announced[0].at
