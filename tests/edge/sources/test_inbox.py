"""What waits for the listener."""

import threading

import numpy as np

from edge.audio import BLOCK_SAMPLES
from edge.sources.inbox import Block, Discontinuity, Inbox


def block(number: int) -> Block:
    return Block(np.full(BLOCK_SAMPLES, number, np.int16), float(number))


def taken_out(inbox: Inbox) -> list[object]:
    """All that waits: the time of each block, and gaps."""
    found = iter(lambda: inbox.get(0), None)
    return [item.heard_at if isinstance(item, Block) else "gap" if item == Discontinuity() else item for item in found]


def test_the_oldest_sound_goes_first_and_is_counted() -> None:
    inbox = Inbox(3)
    for number in range(5):
        inbox.offer([block(number)])
    assert inbox.dropped == 2
    assert taken_out(inbox) == ["gap", 2, 3, 4]


def test_a_gap_comes_between_the_blocks_that_it_parts_and_only_once() -> None:
    inbox = Inbox(9)
    inbox.offer([block(0)])
    inbox.end()
    inbox.end()
    inbox.offer([block(1)])
    assert taken_out(inbox) == [0, "gap", 1]
    inbox.end()
    assert taken_out(inbox) == ["gap"]
    inbox.end()
    assert taken_out(inbox) == []


def test_a_gap_that_makes_room_is_no_sound_and_still_parts() -> None:
    inbox = Inbox(2)
    inbox.end()
    for number in range(2):
        inbox.offer([block(number)])
    assert inbox.dropped == 0
    assert taken_out(inbox) == ["gap", 0, 1]


def test_shut_it_overwrites_what_waits_and_takes_nothing() -> None:
    inbox, waiting = Inbox(9), block(7)
    inbox.offer([waiting])
    inbox.shut()
    assert not waiting.samples.any()
    inbox.offer([block(8)])
    inbox.put([block(8)])
    inbox.open()
    inbox.offer([block(9)])
    assert inbox.get(0) == Discontinuity(sound=False)
    assert taken_out(inbox) == [9]


def test_who_waits_for_room_is_let_go_when_it_is_shut() -> None:
    inbox = Inbox(1)
    giver = threading.Thread(target=inbox.put, args=([block(0), block(1), block(2)],))
    giver.start()
    inbox.shut()
    giver.join(10)
    assert not giver.is_alive()
    assert taken_out(inbox) == []


def test_a_rest_ends_when_the_listener_attends_closely() -> None:
    """A rest of minutes, as it were, which only the listener can end in time."""
    inbox = Inbox(1)
    resting = threading.Thread(target=inbox.rest, args=(600.0,))
    resting.start()
    inbox.attend(closely=True)
    resting.join(10)
    assert not resting.is_alive()
    assert inbox.attentive
    inbox.attend(closely=False)
    assert not inbox.attentive


def test_a_question_is_answered_before_the_sound_that_waits_and_is_never_dropped() -> None:
    inbox = Inbox(1)
    inbox.offer([block(0)])
    inbox.ask(lambda: None)
    inbox.offer([block(1)])
    assert callable(inbox.get(0))
    assert taken_out(inbox) == ["gap", 1]


def test_a_file_waits_for_room_and_loses_nothing() -> None:
    inbox = Inbox(2)
    heard = []
    giver = threading.Thread(target=lambda: ([inbox.put([block(number)]) for number in range(50)], inbox.close()))
    giver.start()
    while not inbox.exhausted:
        item = inbox.get(1)
        if isinstance(item, Block):
            heard.append(item.heard_at)
    giver.join()
    assert heard == list(range(50))
    assert inbox.dropped == 0
