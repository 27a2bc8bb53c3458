"""What waits, for how long, and what is done when too much does: outbox, backoff, pulse."""

import random

import pytest

from edge.daemon.health import Pulse
from edge.events.delivery import Delivery
from edge.mqtt import outbox
from edge.mqtt.backoff import FIRST_S, Backoff
from edge.mqtt.outbox import Outbox
from edge.mqtt.topics import Message, Topics
from tests.edge.events import event


class Held:
    """A journal in memory."""

    def __init__(self, count: int) -> None:
        self.waiting = {seq: Delivery((seq, False), f"id-{seq}", b"{}") for seq in range(1, count + 1)}

    def pending(self, after: int, count: int) -> list[Delivery]:
        return [delivery for seq, delivery in self.waiting.items() if seq > after][:count]

    def acknowledge(self, keys: object) -> None:
        for seq, _ in keys:  # type: ignore[attr-defined]
            del self.waiting[seq]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(outbox.time, "monotonic", lambda: now[0])
    return now


TOPICS = Topics("affectd", "kitchen")


def taken(box: Outbox, room: int = 16) -> list[str]:
    found = []
    while messages := box.take(room, in_flight=bool(found)):
        found += [message.topic.rsplit("/", 1)[1] for message, _ in messages]
    return found


def test_the_greeting_comes_first_then_what_is_live_then_the_journal(clock: list[float]) -> None:
    box = Outbox(Held(2), TOPICS.journal)
    box.add(TOPICS.event(event(2)))
    box.begin([TOPICS.will(), TOPICS.online()])
    assert taken(box) == ["status", "status", "event", "journal", "journal"]


def test_an_event_is_not_published_live_when_it_is_older_than_thirty_seconds(clock: list[float]) -> None:
    box = Outbox(Held(0), TOPICS.journal)
    box.add(TOPICS.event(event(1)))
    clock[0] += 20
    box.add(TOPICS.event(event(2)))
    clock[0] += 11
    assert taken(box) == ["event"]
    assert box.expired == 1


def test_more_live_messages_than_there_is_room_for_drop_the_oldest(clock: list[float]) -> None:
    box = Outbox(Held(0), TOPICS.journal)
    for number in range(outbox.QUEUED + 5):
        box.add(Message("affectd/kitchen/event", str(number).encode()))
    assert box.expired == 5
    ((first, _),) = box.take(16, in_flight=False)
    assert first.payload == b"5"


def test_an_acknowledgement_counts_once_the_broker_has_outlived_it(clock: list[float]) -> None:
    held = Held(3)
    box = Outbox(held, TOPICS.journal)
    box.begin([])
    keys = [key for _, key in box.take(16, in_flight=False)]
    assert keys == [(1, False), (2, False), (3, False)]
    for key in keys[:2]:
        box.acknowledged(key)  # type: ignore[arg-type]
    box.settle()
    assert len(held.waiting) == 3
    clock[0] += outbox.SETTLED_S
    box.settle()
    assert list(held.waiting) == [3]


def test_what_was_not_settled_is_sent_again_on_the_next_connection(clock: list[float]) -> None:
    box = Outbox(Held(2), TOPICS.journal)
    box.begin([])
    assert taken(box) == ["journal", "journal"]
    box.acknowledged((1, False))
    box.begin([])
    clock[0] += 60
    box.settle()
    assert taken(box) == ["journal", "journal"]


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
    pulse = Pulse(patience_s=45)
    pulse.beat("listener", 0)
    pulse.beat("connection", 40)
    assert pulse.stuck(45) == []
    assert pulse.stuck(46) == ["listener"]
