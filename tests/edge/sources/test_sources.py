"""Sources: what they yield, how they end, and that they end when told to."""

import os
import sys
import threading
from collections.abc import Iterator
from time import monotonic

import numpy as np
import psutil
import pytest
import soundfile

from edge.audio import BLOCK_SAMPLES, BLOCK_SECONDS, SAMPLE_RATE
from edge.config import SourceSettings
from edge.errors import SourceError
from edge.sources import (
    CommandSource,
    FileSource,
    Microphone,
    MicrophoneSource,
    Reopening,
    RtspSource,
    StdinSource,
    WyomingSource,
    open_source,
)
from edge.sources.microphone import choose_microphone

RNG = np.random.default_rng(1)
NOISE = RNG.integers(-3000, 3000, 3 * BLOCK_SAMPLES + 100).astype(np.int16)


def writing(samples: np.ndarray, after: str = "") -> list[str]:
    """A program that writes ``samples`` as PCM in odd pieces, then runs ``after``."""
    script = (
        f"import sys, os, time; data = bytes.fromhex({samples.astype('<i2').tobytes().hex()!r})\n"
        "while data: data = data[os.write(1, data[:777]):]\n" + after
    )
    return [sys.executable, "-c", script]


def joined(blocks: Iterator[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.zeros(0, np.int16), *blocks])


def test_command_delivers_every_sample_and_fills_up_the_last_block():
    played = joined(CommandSource(writing(NOISE)).blocks())
    np.testing.assert_array_equal(played[: len(NOISE)], NOISE)
    assert len(played) == 4 * BLOCK_SAMPLES
    assert not played[len(NOISE) :].any()


def test_command_with_another_rate_and_channels_is_converted():
    stereo = np.repeat(NOISE, 2)
    mono = joined(CommandSource(writing(stereo), rate=SAMPLE_RATE, channels=2).blocks())
    np.testing.assert_array_equal(mono[: len(NOISE)], NOISE)
    halved = joined(CommandSource(writing(stereo), rate=48000, channels=2).blocks())
    assert len(halved) == -(-len(NOISE) // 3 // BLOCK_SAMPLES) * BLOCK_SAMPLES


def test_failing_command_is_reported_with_its_last_words():
    source = CommandSource(writing(NOISE, "sys.stderr.write('first\\nno such device\\n'); sys.exit(3)"))
    with pytest.raises(SourceError, match="ended with exit code 3: no such device"):
        joined(source.blocks())


def test_killed_command_is_reported():
    with pytest.raises(SourceError, match="SIGKILL"):
        joined(CommandSource(writing(NOISE, "os.kill(os.getpid(), 9)")).blocks())


def test_command_that_does_not_exist_is_reported():
    with pytest.raises(SourceError, match="no-such-program cannot be run"):
        joined(CommandSource(["no-such-program"]).blocks())


def test_talkative_command_does_not_block_on_its_stderr():
    source = CommandSource(writing(NOISE, "sys.stderr.write('x' * 1_000_000); os.write(1, bytes(1024))"))
    assert len(joined(source.blocks())) == 5 * BLOCK_SAMPLES


def test_closed_command_is_stopped_with_its_children_and_leaves_no_zombie():
    others = set(psutil.Process().children(recursive=True))
    source = CommandSource(["sh", "-c", "cat /dev/zero | cat"])
    blocks = source.blocks()
    next(blocks)
    children = [process for process in psutil.Process().children(recursive=True) if process not in others]
    assert children
    source.close()
    for _ in blocks:
        pass
    _, alive = psutil.wait_procs(children, timeout=5)
    assert alive == []


def test_silent_command_can_be_closed_from_another_thread():
    source = CommandSource(["sleep", "1000"])
    reader = threading.Thread(target=lambda: joined(source.blocks()))
    reader.start()
    source.close()
    reader.join(10)
    assert not reader.is_alive()


def test_stdin_is_read_to_its_end():
    reading, writing_end = os.pipe()
    os.write(writing_end, NOISE.astype("<i2").tobytes() + b"\x01")
    os.close(writing_end)
    played = joined(StdinSource(descriptor=reading).blocks())
    np.testing.assert_array_equal(played[: len(NOISE)], NOISE)
    os.close(reading)


def test_a_pipe_holds_half_a_second_of_what_most_microphones_bring_while_nobody_reads():
    reading, writing = os.pipe()
    blocks = StdinSource(rate=48000, channels=2, descriptor=reading).blocks()
    os.write(writing, bytes(48000))
    next(blocks)
    os.set_blocking(writing, False)
    assert os.write(writing, bytes(48000 // 2 * 4)) == 48000 // 2 * 4
    os.close(writing)
    os.close(reading)


def test_stdin_that_brings_nothing_can_be_closed():
    reading, writing_end = os.pipe()
    source = StdinSource(descriptor=reading)
    reader = threading.Thread(target=lambda: joined(source.blocks()))
    reader.start()
    source.close()
    reader.join(10)
    assert not reader.is_alive()
    os.close(reading)
    os.close(writing_end)


@pytest.fixture
def recording(tmp_path):
    path = tmp_path / "recording.wav"
    soundfile.write(path, NOISE, SAMPLE_RATE)
    return path


def test_paced_file_never_runs_ahead_of_real_time(recording):
    began = monotonic()
    for count, _ in enumerate(FileSource(recording, paced=True).blocks(), start=1):
        assert monotonic() - began >= count * BLOCK_SECONDS - 0.001
    assert count == 4


def test_paced_file_ends_at_once_when_closed(recording):
    source = FileSource(recording, paced=True)
    blocks = source.blocks()
    next(blocks)
    source.close()
    assert list(blocks) == []


def test_repeated_file_begins_again(recording):
    source = FileSource(recording, repeat=True)
    blocks = source.blocks()
    once = [next(blocks) for _ in range(4)]
    np.testing.assert_array_equal(next(blocks), once[0])
    source.close()


def test_missing_file_is_a_source_error(tmp_path):
    with pytest.raises(SourceError, match="there is no file"):
        next(FileSource(tmp_path / "none.wav").blocks())


class Flaky:
    """A source that fails at its first and third opening, and yields a block at every other."""

    name = "flaky"
    endless = True
    always_on = False
    lost_s = 0.0
    drains = None

    def __init__(self) -> None:
        self.openings = 0

    def blocks(self) -> Iterator[np.ndarray]:
        self.openings += 1
        if self.openings in (1, 3):
            raise SourceError(f"not there ({self.openings})")
        yield np.full(BLOCK_SAMPLES, self.openings, np.int16)

    def arrived(self) -> None:
        pass

    def close(self) -> None:
        pass


def test_lost_source_is_opened_again_and_says_when_it_comes_and_goes():
    states: list[tuple[bool, str]] = []
    source = Reopening(Flaky(), lambda online, reason: states.append((online, reason)), first_delay_s=0.001)
    blocks = source.blocks()
    assert [int(next(blocks)[0]) for _ in range(3)] == [2, 4, 5]
    source.close()
    assert list(blocks) == []
    assert states == [
        (False, "not there (1)"),
        (True, "flaky"),
        (False, "flaky has ended"),
        (False, "not there (3)"),
        (True, "flaky"),
        (False, "flaky has ended"),
        (True, "flaky"),
    ]


def test_close_ends_the_wait_for_a_lost_source():
    lost = threading.Event()
    source = Reopening(CommandSource(["no-such-program"]), lambda *_: lost.set(), first_delay_s=1000)
    reader = threading.Thread(target=lambda: joined(source.blocks()))
    reader.start()
    assert lost.wait(10)
    source.close()
    reader.join(10)
    assert not reader.is_alive()


def test_file_is_played_once_and_its_errors_come_through(recording, tmp_path):
    assert len(list(Reopening(FileSource(recording), lambda *_: None).blocks())) == 4
    with pytest.raises(SourceError, match="there is no file"):
        next(Reopening(FileSource(tmp_path / "none"), lambda *_: None).blocks())


MICROPHONES = [
    Microphone("HDA Intel PCH: ALC257 Analog", 2, 44100, default=False, index=0),
    Microphone("USB PnP Sound Device: Audio", 1, 48000, default=False, index=3),
    Microphone("default", 32, 44100, default=True, index=5),
]


def test_microphone_is_chosen_by_part_of_its_name_or_by_default():
    assert choose_microphone(MICROPHONES, "usb pnp").index == 3
    assert choose_microphone(MICROPHONES, None).index == 5


def test_whole_name_wins_over_a_part():
    longer = Microphone("default (old)", 1, 16000, default=False, index=1)
    assert choose_microphone([longer, *MICROPHONES], "default").index == 5


def test_unknown_microphone_lists_what_there_is():
    with pytest.raises(SourceError, match=r"'Blue Yeti'; there are 'HDA Intel .*', 'USB PnP .*', 'default'"):
        choose_microphone(MICROPHONES, "Blue Yeti")


def test_no_microphone_at_all_is_said():
    with pytest.raises(SourceError, match="no microphone on this machine"):
        choose_microphone([], None)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("microphone", MicrophoneSource),
        ("command", CommandSource),
        ("file", FileSource),
        ("stdin", StdinSource),
        ("wyoming", WyomingSource),
        ("rtsp", RtspSource),
    ],
)
def test_settings_name_the_source(kind, expected):
    url = {"wyoming": "tcp://pi:1", "rtsp": "rtsp://camera/"}.get(kind)
    settings = SourceSettings(kind=kind, command=["arecord"], path="a.wav", url=url)
    source = open_source(settings)
    assert isinstance(source, expected)
    assert source.endless == (kind not in ("file", "stdin"))
