"""From a source that is lost and comes back, through capture and inbox, to the gate."""

import threading
from collections.abc import Iterator
from unittest import mock

import numpy as np
from numpy.typing import NDArray

from edge.audio import BLOCK_SAMPLES, SAMPLE_RATE
from edge.config import GateSettings
from edge.errors import SourceError
from edge.sources.capture import Capture
from edge.sources.conversion import into_blocks
from edge.sources.inbox import Block, Gap, Inbox
from edge.vad.gate import Gate, GateItem, SpeechEnded, SpeechStarted, Utterance
from tests.faults.parts import room, speech

SPEECH = np.frombuffer(speech(), "<i2").astype(np.int16)
ONSET = round(1.1 * SAMPLE_RATE)  # just before the first word
ROOM = np.frombuffer(room(2.0), "<i2").astype(np.int16)


class Flaky:
    """A microphone that plays one part after another, and is pulled out after each."""

    endless = True
    name = "flaky"

    def __init__(self, *parts: NDArray[np.int16]) -> None:
        self._parts = list(parts)
        self.whenever_empty = lambda: None

    def blocks(self) -> Iterator[NDArray[np.int16]]:
        if not self._parts:
            self.whenever_empty()
            return
        yield from into_blocks([self._parts.pop(0)])
        raise SourceError("flaky has stopped")

    def close(self) -> None:
        pass


def captured(*parts: NDArray[np.int16]) -> tuple[list[Block | Gap], list[bool]]:
    """What the inbox holds after ``parts``, and what was observed of the microphone, changes only."""
    source, inbox, seen = Flaky(*parts), Inbox(10_000), [False]
    capture = Capture(
        lambda: source,
        inbox,
        silence_s=10.0,
        observe=lambda online: seen.append(online) if online != seen[-1] else None,
        beat=lambda: None,
    )
    source.whenever_empty = capture.close
    capture.run()
    items = []
    while not inbox.exhausted:
        item = inbox.get(0)
        assert isinstance(item, Block | Gap)
        items.append(item)
    return items, seen


def heard(items: list[Block | Gap]) -> list[GateItem]:
    gate, found = Gate(GateSettings()), []
    for item in items:
        found += gate.push(item.samples) if isinstance(item, Block) else gate.finish()
    return found


def test_every_loss_of_the_source_leaves_one_gap() -> None:
    items, seen = captured(SPEECH[: 3 * BLOCK_SAMPLES], SPEECH[: 2 * BLOCK_SAMPLES])
    assert [type(item) for item in items] == [Block, Block, Block, Gap, Block, Block, Gap]
    assert seen == [False, True, False, True, False]


def test_half_an_utterance_is_not_joined_with_what_is_said_after_the_source_is_back() -> None:
    half = SPEECH[: len(SPEECH) // 2 // BLOCK_SAMPLES * BLOCK_SAMPLES]
    whole = np.concatenate([SPEECH[ONSET:], ROOM])
    items, _ = captured(half, whole)
    found = heard(items)
    assert [type(item) for item in found] == [SpeechStarted, Utterance, SpeechEnded] * 2
    first, second = (item for item in found if isinstance(item, Utterance))
    assert first.end == len(half)
    assert second.start == len(half)
    (alone,) = (item for item in heard(captured(whole)[0]) if isinstance(item, Utterance))
    np.testing.assert_array_equal(second.samples, alone.samples)


def test_who_rests_is_called_when_somebody_speaks() -> None:
    """A rest of minutes, as it were, which only the call can end in time."""
    inbox, resting = Inbox(10_000), threading.Event()
    source = Flaky(ROOM)
    capture = Capture(
        lambda: source,
        inbox,
        silence_s=10.0,
        observe=lambda _online: None,
        beat=lambda: None,
        asleep=lambda: resting.set() or True,
    )
    source.whenever_empty = capture.close
    with mock.patch("edge.sources.capture.Rest.after", return_value=600.0):
        reader = threading.Thread(target=capture.run)
        reader.start()
        assert resting.wait(10)
        while reader.is_alive():
            capture.awaken()
            reader.join(0.01)
    assert inbox.waiting > len(ROOM) // BLOCK_SAMPLES


class Piped:
    """A source that may end: it plays until it is closed, and the second time to its end."""

    endless = False
    name = "pipe"

    def __init__(self) -> None:
        self.opened = 0
        self.playing, self.released = threading.Event(), threading.Event()

    def blocks(self) -> Iterator[NDArray[np.int16]]:
        self.opened += 1
        yield ROOM[:BLOCK_SAMPLES]
        if self.opened == 1:
            self.playing.set()
            self.released.wait(10)

    def close(self) -> None:
        pass


def test_listening_again_before_the_source_has_closed_opens_it_again() -> None:
    source = Piped()
    capture = Capture(lambda: source, Inbox(100), silence_s=10.0, observe=lambda online: None, beat=lambda: None)
    running = threading.Thread(target=capture.run)
    running.start()
    assert source.playing.wait(10)
    capture.mute(True)
    capture.mute(False)
    source.released.set()
    running.join(10)
    assert not running.is_alive()
    assert source.opened == 2
