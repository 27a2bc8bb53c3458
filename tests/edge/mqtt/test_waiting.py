"""What waits, for how long, and what is done when too much does: outbox, backoff, pulse."""

import random

import pytest

from edge.daemon.supervisor import Heartbeats
from edge.events.delivery import Delivery
from edge.mqtt import outbox
from edge.mqtt.backoff import FIRST_S, Backoff
from edge.mqtt.outbox import Outbox
from edge.mqtt.refusals import AGAIN_S, Refusals
from edge.mqtt.topics import Message, Topics
from tests.edge.events import event


class Held:
    """A journal in memory."""

    def __init__(self, count: int) -> None:
        self.waiting = {seq: Delivery(seq, f"id-{seq}", b"{}") for seq in range(1, count + 1)}

    def pending(self, after: int, count: int) -> list[Delivery]:
        return [delivery for seq, delivery in self.waiting.items() if seq > after][:count]

    def acknowledge(self, through: int) -> None:
        self.waiting = {seq: delivery for seq, delivery in self.waiting.items() if seq > through}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(outbox.time, "monotonic", lambda: now[0])
    return now


TOPICS = Topics("affectd", "kitchen")


def outbox_of(count: int) -> tuple[Outbox, Held]:
    held = Held(count)
    return Outbox(held, TOPICS.journal, Refusals()), held


def taken(box: Outbox, room: int = 16) -> list[str]:
    """What is sent, each as `topic payload`, or `journal number`."""
    found = []
    while items := box.take(room):
        for item in items:
            topic = item.message.topic.rsplit("/", 1)[1]
            found.append(f"{topic} {item.seq or item.message.payload.decode()[:8]}")
    return found


def test_the_greeting_comes_first_then_what_is_live_then_the_journal(clock: list[float]) -> None:
    box, _ = outbox_of(2)
    box.keep(TOPICS.listening(True))
    box.say(Message("affectd/kitchen/event", b"1", retain=False))
    box.begin()
    box.greet(TOPICS.online())
    assert taken(box) == ["listening ON", "status online", "event 1", "journal 1", "journal 2"]


def test_an_outage_leaves_of_each_retained_topic_the_latest_value(clock: list[float]) -> None:
    """`speech ON` that was queued before the connection broke is not said after it."""
    box, _ = outbox_of(0)
    box.begin()
    box.greet(TOPICS.online())
    assert taken(box) == ["status online"]
    box.keep(TOPICS.present("speech", "ON"))
    box.keep(TOPICS.present("state", "anger"))
    box.end()
    box.keep(TOPICS.present("speech", "OFF"))
    box.keep(TOPICS.present("state", "none"))
    box.begin()
    box.greet(TOPICS.online())
    assert taken(box) == ["speech OFF", "state none", "status online"]


def test_while_connected_every_value_is_said_in_order(clock: list[float]) -> None:
    box, _ = outbox_of(0)
    box.begin()
    box.greet(TOPICS.online())
    taken(box)
    for value in ("ON", "OFF", "ON"):
        box.keep(TOPICS.present("speech", value))
    assert taken(box) == ["speech ON", "speech OFF", "speech ON"]


def test_an_event_is_not_published_live_when_it_is_older_than_thirty_seconds(clock: list[float]) -> None:
    box, _ = outbox_of(0)
    box.say(TOPICS.event(event(1)))
    clock[0] += 20
    box.say(TOPICS.event(event(2)))
    clock[0] += 11
    assert len(taken(box)) == 1
    assert box.expired == 1


def test_more_live_messages_than_there_is_room_for_drop_the_oldest_but_not_how_things_are(clock: list[float]) -> None:
    box, _ = outbox_of(0)
    box.begin()
    box.greet(TOPICS.online())
    taken(box)
    for value in ("ON", "OFF"):
        box.keep(TOPICS.present("speech", value))
    for number in range(outbox.QUEUED + 5):
        box.say(Message("affectd/kitchen/event", str(number).encode(), retain=False))
    found = taken(box)
    assert len(found) == outbox.QUEUED
    assert box.expired == 6
    assert found[0] == "event 6"
    assert [item for item in found if item.startswith("speech")] == ["speech OFF"]


def test_an_acknowledgement_counts_once_the_connection_has_outlived_it_and_all_before_it(clock: list[float]) -> None:
    box, held = outbox_of(3)
    box.begin()
    box.greet(TOPICS.online())
    assert taken(box) == ["status online", "journal 1", "journal 2", "journal 3"]
    box.acknowledged(1)
    box.acknowledged(3)
    box.settle()
    assert len(held.waiting) == 3
    clock[0] += outbox.SETTLED_S
    box.settle()
    assert list(held.waiting) == [2, 3]
    box.acknowledged(2)
    clock[0] += outbox.SETTLED_S
    box.settle()
    assert not held.waiting


def test_what_was_not_settled_is_sent_again_on_the_next_connection(clock: list[float]) -> None:
    box, _ = outbox_of(2)
    box.begin()
    box.greet(TOPICS.online())
    assert taken(box) == ["status online", "journal 1", "journal 2"]
    box.acknowledged(1)
    box.end()
    box.begin()
    box.greet(TOPICS.online())
    clock[0] += 60
    box.settle()
    assert taken(box) == ["status online", "journal 1", "journal 2"]


def test_a_topic_that_is_refused_is_left_alone_and_the_others_go_on(clock: list[float]) -> None:
    refusals = Refusals(lambda: clock[0])
    box = Outbox(Held(2), TOPICS.journal, refusals)
    refusals.refused("affectd/kitchen/journal", "Not authorized")
    refusals.refused("affectd/kitchen/speech", "Not authorized")
    box.keep(TOPICS.present("speech", "ON"))
    box.begin()
    box.greet(TOPICS.online())
    assert taken(box) == ["status online"]
    clock[0] += AGAIN_S
    assert taken(box) == ["journal 1", "journal 2"]


def test_a_refusal_is_named_once_until_it_is_mended(clock: list[float], caplog: pytest.LogCaptureFixture) -> None:
    refusals = Refusals(lambda: clock[0])
    for _ in range(3):
        refusals.refused("affectd/kitchen/state", "Not authorized")
        clock[0] += AGAIN_S
    assert len(caplog.messages) == 1
    assert "topic=affectd/kitchen/state" in caplog.messages[0]
    refusals.accepted("affectd/kitchen/state")
    refusals.refused("affectd/kitchen/state", "Not authorized")
    assert len(caplog.messages) == 2


def test_a_topic_for_which_the_broker_hangs_up_is_given_up_after_three_times(clock: list[float]) -> None:
    refusals = Refusals(lambda: clock[0])
    for expected in (True, True, False):
        refusals.suspected("affectd/kitchen/state", "publish")
        assert refusals.allows("affectd/kitchen/state") is expected
    assert refusals.allows("affectd/kitchen/state", "subscribe")
    assert refusals.allows("affectd/kitchen/speech")


def test_delays_double_up_to_the_longest_and_start_over_after_a_long_connection() -> None:
    backoff = Backoff(60, draw=lambda _low, high: high)
    assert [backoff.delay() for _ in range(6)] == [FIRST_S, 8, 16, 32, 60, 60]
    assert backoff.delay(served_s=61) == FIRST_S


def test_delays_are_jittered_in_full() -> None:
    draw = random.Random(1).uniform
    delays = [Backoff(60, draw).delay() for _ in range(1000)]
    assert min(delays) < 0.1
    assert max(delays) > FIRST_S - 0.1


def test_two_namesakes_connect_less_than_ten_times_a_minute() -> None:
    backoff = Backoff(60, draw=lambda low, _high: low)
    assert 2 * 60 / backoff.after_takeover() < 10


def test_a_worker_that_no_longer_beats_is_named() -> None:
    pulse = Heartbeats(patience_s=45)
    pulse.beat("listener", 0)
    pulse.beat("connection", 40)
    assert pulse.stuck(45) == []
    assert pulse.stuck(46) == ["listener"]
