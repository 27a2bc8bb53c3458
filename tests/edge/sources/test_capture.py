"""From a source that is lost and comes back, through capture and inbox, to the gate."""

import array
import fcntl
import os
import sys
import termios
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.audio import BLOCK_SAMPLES, SAMPLE_RATE
from edge.config import GateSettings
from edge.errors import SourceError
from edge.sources import CommandSource, StdinSource
from edge.sources.capture import Capture
from edge.sources.conversion import into_blocks
from edge.sources.inbox import Block, Discontinuity, Inbox
from edge.vad.gate import Gate, GateItem, SpeechEnded, SpeechStarted, Utterance
from tests.conftest import until
from tests.faults.parts import room, speech

SPEECH = np.frombuffer(speech(), "<i2").astype(np.int16)
ONSET = round(1.1 * SAMPLE_RATE)  # just before the first word
ROOM = np.frombuffer(room(2.0), "<i2").astype(np.int16)


@pytest.fixture(autouse=True)
def unpaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sources of these tests play as fast as they can, and are to be heard all the same."""
    monkeypatch.setattr("edge.sources.health.BURST_S", 3600.0)


class Flaky:
    """A microphone that plays one part after another, and is pulled out after each."""

    endless = True
    always_on = False
    lost_s = 0.0
    drains = None
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

    def arrived(self) -> None:
        pass

    def close(self) -> None:
        pass


def captured(source: Flaky, silence_s: float = 10.0) -> tuple[Capture, list[Block | Discontinuity], list[bool]]:
    """All that ``source`` plays: its capture, what the inbox holds, and what was observed of it, changes only."""
    inbox, seen = Inbox(10_000), [False]
    capture = Capture(
        lambda: source,
        inbox,
        silence_s=silence_s,
        observe=lambda online: seen.append(online) if online != seen[-1] else None,
        beat=lambda: None,
    )
    source.whenever_empty = capture.close
    capture.run()
    items = []
    while not inbox.exhausted:
        item = inbox.get(0)
        assert isinstance(item, Block | Discontinuity)
        items.append(item)
    return capture, items, seen


def heard(items: list[Block | Discontinuity]) -> list[GateItem]:
    gate, found = Gate(GateSettings()), []
    for item in items:
        found += gate.push(item.samples) if isinstance(item, Block) else gate.finish()
    return found


def test_every_loss_of_the_source_leaves_one_gap() -> None:
    _, items, seen = captured(Flaky(SPEECH[: 3 * BLOCK_SAMPLES], SPEECH[: 2 * BLOCK_SAMPLES]))
    assert [type(item) for item in items] == [Block, Block, Block, Discontinuity, Block, Block, Discontinuity]
    assert seen == [False, True, False, True, False]


def test_half_an_utterance_is_not_joined_with_what_is_said_after_the_source_is_back() -> None:
    half = SPEECH[: len(SPEECH) // 2 // BLOCK_SAMPLES * BLOCK_SAMPLES]
    whole = np.concatenate([SPEECH[ONSET:], ROOM])
    _, items, _ = captured(Flaky(half, whole))
    found = heard(items)
    assert [type(item) for item in found] == [SpeechStarted, Utterance, SpeechEnded] * 2
    first, second = (item for item in found if isinstance(item, Utterance))
    assert first.end == len(half)
    assert second.start == len(half)
    (alone,) = (item for item in heard(captured(Flaky(whole))[1]) if isinstance(item, Utterance))
    np.testing.assert_array_equal(second.samples, alone.samples)


class Lossy(Flaky):
    """A microphone that loses a tenth of a second before its fourth block."""

    def blocks(self) -> Iterator[NDArray[np.int16]]:
        for number, block in enumerate(super().blocks()):
            self.lost_s = 0.1 if number >= 3 else 0.0
            yield block


def test_f26_what_the_sound_system_loses_is_counted_and_nothing_is_joined_across_it() -> None:
    capture, items, _ = captured(Lossy(SPEECH[: 5 * BLOCK_SAMPLES]))
    assert [type(item) for item in items] == [Block] * 3 + [Discontinuity] + [Block] * 2 + [Discontinuity]
    assert capture.lost_s == pytest.approx(0.1)


def test_nothing_rests_on_sound_in_which_nothing_can_be_told() -> None:
    """The sound before the fault was seen is thrown away too; afterwards, all goes on."""
    dead = np.full(4 * SAMPLE_RATE, 1234, np.int16)
    source = Flaky(np.concatenate([SPEECH[: 20 * BLOCK_SAMPLES], dead, ROOM]))
    capture, items, seen = captured(source, silence_s=2.0)
    assert items.count(Discontinuity(sound=False)) == 1
    blocks = sum(isinstance(item, Block) for item in items)
    assert blocks < 20 + (2 * SAMPLE_RATE + len(ROOM)) / BLOCK_SAMPLES + 2
    assert seen[1:] == [True, False, True, False]
    assert capture.problem == "lost"


class Played:
    """A source that may end: it plays until it is closed, and the second time to its end."""

    endless = False
    always_on = False
    lost_s = 0.0
    drains = None
    name = "file"

    def __init__(self) -> None:
        self.opened = 0
        self.playing, self.released = threading.Event(), threading.Event()

    def blocks(self) -> Iterator[NDArray[np.int16]]:
        self.opened += 1
        yield ROOM[:BLOCK_SAMPLES]
        if self.opened == 1:
            self.playing.set()
            self.released.wait(10)

    def arrived(self) -> None:
        pass

    def close(self) -> None:
        pass


def test_listening_again_before_the_source_has_closed_opens_it_again() -> None:
    source = Played()
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


def test_what_a_pipe_brings_while_muted_is_never_heard() -> None:
    """A writer that goes on while nobody listens: zeros and ones before, twos while muted, threes after."""
    reading, writing = os.pipe()
    inbox = Inbox(10_000)
    capture = Capture(
        lambda: StdinSource(descriptor=reading), inbox, silence_s=1e6, observe=lambda _: None, beat=lambda: None
    )
    running = threading.Thread(target=capture.run)
    running.start()
    os.write(writing, loud(1, 5 * BLOCK_SAMPLES))
    until(lambda: inbox.waiting >= 5)
    capture.mute(True)
    for _ in range(20):
        os.write(writing, loud(2, SAMPLE_RATE))  # more than the pipe holds
    capture.mute(False)
    until(lambda: unread(reading) == 0)
    for _ in range(40):
        os.write(writing, loud(3, BLOCK_SAMPLES))
        until(lambda: unread(reading) == 0)
    os.close(writing)
    running.join(10)
    assert not running.is_alive()
    os.close(reading)
    items = taken_out(inbox)
    assert items[0] == Discontinuity(sound=False)
    frequencies = [dominant(item.samples) for item in items if isinstance(item, Block)]
    assert len(frequencies) >= 35
    assert {round(frequency / 1000) for frequency in frequencies[2:]} == {3}


@pytest.mark.parametrize(("rate", "channels"), [(SAMPLE_RATE, 1), (48_000, 2)])
def test_f31_what_waits_in_a_wide_pipe_is_passed_over_to_the_last_sample(rate: int, channels: int) -> None:
    """The reader is held up while a megabyte comes, in the middle of which somebody listens again."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 1 << 20)
    inbox, held, go_on = Inbox(10_000), threading.Event(), threading.Event()

    def beat() -> None:
        if capture.muted:
            held.set()
            go_on.wait(60)

    capture = Capture(
        lambda: StdinSource(rate, channels, descriptor=reading),
        inbox,
        silence_s=1e6,
        observe=lambda _: None,
        beat=beat,
    )
    capture.mute(True)
    running = threading.Thread(target=capture.run)
    running.start()
    block = BLOCK_SAMPLES * rate // SAMPLE_RATE
    os.write(writing, loud(2, 20 * block, rate, channels))  # all of it fits into the pipe, whose reader is held up
    assert held.wait(60)
    size = 2 * channels * block
    old, new = 800_000 // size, 100_000 // size  # blocks
    os.write(writing, loud(2, old * block - 100, rate, channels))
    capture.mute(False)
    os.write(writing, loud(3, new * block + 100, rate, channels))
    os.close(writing)
    go_on.set()
    running.join(60)
    assert not running.is_alive()
    os.close(reading)
    frequencies = [dominant(item.samples) for item in taken_out(inbox) if isinstance(item, Block)]
    assert {round(frequency / 1000) for frequency in frequencies} == {3}
    assert new - 2 <= len(frequencies) <= new


def test_what_cannot_be_counted_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "sound.raw"
    path.write_bytes(loud(3, 400 * BLOCK_SAMPLES))
    with path.open("rb") as file:
        source = StdinSource(descriptor=file.fileno())
        assert source.arrived() is None
        assert len(list(source.blocks())) == 400


def test_a_program_is_stopped_while_muted_and_what_it_had_queued_is_not_heard(tmp_path: Path) -> None:
    """The program hands on at once what somebody else has queued meanwhile, then goes on in real time."""
    program = (
        "import sys, time; from tests.edge.sources.test_capture import loud; w = sys.stdout.buffer\n"
        "w.write(loud(2, 30_000)); w.flush()\n"
        "while True: time.sleep(0.032); w.write(loud(3, 512)); w.flush()"
    )
    inbox = Inbox(10_000)
    capture = Capture(
        lambda: CommandSource([sys.executable, "-c", program]),
        inbox,
        silence_s=1e6,
        observe=lambda _: None,
        beat=lambda: None,
    )
    capture.mute(True)
    running = threading.Thread(target=capture.run)
    running.start()
    capture.mute(False)
    until(lambda: inbox.waiting >= 20)
    capture.close()
    running.join(10)
    frequencies = [dominant(item.samples) for item in taken_out(inbox) if isinstance(item, Block)]
    assert {round(frequency / 1000) for frequency in frequencies[2:]} == {3}


def test_muting_overwrites_what_waits() -> None:
    source, inbox = Played(), Inbox(100)
    capture = Capture(lambda: source, inbox, silence_s=10.0, observe=lambda _: None, beat=lambda: None)
    running = threading.Thread(target=capture.run)
    running.start()
    until(lambda: inbox.waiting)
    capture.mute(True)
    assert inbox.waiting == 0
    capture.close()
    source.released.set()
    running.join(10)


def loud(kilohertz: int, count: int, rate: int = SAMPLE_RATE, channels: int = 1) -> bytes:
    """A tone as PCM, which says by its frequency when it was played."""
    time_s = np.arange(count) / rate
    return np.repeat(3000 * np.sin(2000 * np.pi * kilohertz * time_s), channels).astype("<i2").tobytes()


def dominant(samples: NDArray[np.int16]) -> float:
    """The loudest frequency, Hz."""
    return float(np.argmax(np.abs(np.fft.rfft(samples))[5:]) + 5) * SAMPLE_RATE / len(samples)


def unread(descriptor: int) -> int:
    waiting = array.array("i", [0])
    fcntl.ioctl(descriptor, termios.FIONREAD, waiting)
    return waiting[0]


def taken_out(inbox: Inbox) -> list[object]:
    return list(iter(lambda: inbox.get(0), None))
