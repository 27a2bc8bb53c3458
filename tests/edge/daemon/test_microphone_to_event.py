"""The whole way: sound in a room, PulseAudio, PortAudio, the daemon, mosquitto, a subscriber."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import soundfile
from paho.mqtt.publish import single

from edge.audio import SAMPLE_RATE
from edge.events.event import Event, stamp
from edge.sources.conversion import read_audio
from tests.conftest import DATA, DEMO, ROOT, Subscriber, affectd, until
from tests.room import Room

_CLIPS = ("ravdess", "emodb", "nemo")


@pytest.fixture
def clips(tmp_path: Path) -> list[Path]:
    """One clip of each of three corpora; where there is no corpus, three lines of the demonstration recording."""
    if (DATA / "manifest.csv").exists():
        sources = [read_audio(sorted((DATA / corpus).glob("*.opus"))[7]) for corpus in _CLIPS]
    else:
        demo = read_audio(DEMO)
        sources = [demo[int(a * SAMPLE_RATE) : int(b * SAMPLE_RATE)] for a, b in ((1.3, 4.8), (5.9, 9.6), (22.3, 26.3))]
    paths = [tmp_path / f"clip{index}.wav" for index in range(len(sources))]
    for path, samples in zip(paths, sources, strict=True):
        soundfile.write(path, samples, SAMPLE_RATE)
    return paths


@contextlib.contextmanager
def listening(room: Room, broker: int, folder: Path) -> Iterator[None]:
    """affectd hears the room, and ends when it is told to."""
    config = folder / "affectd.yaml"
    config.write_text(
        f"node: room\nsource: {{kind: microphone, device: default}}\nmqtt: {{host: 127.0.0.1, port: {broker}}}\n"
    )
    command = [*room.isolation, sys.executable, "-m", "edge", "run", "--config", str(config)]
    daemon = subprocess.Popen(command, env=room.environment, cwd=ROOT)
    try:
        yield
    finally:
        daemon.terminate()
        assert daemon.wait(20) == 0


def test_each_clip_played_in_the_room_becomes_an_event(
    room: Room, clips: list[Path], broker: int, subscriber: Subscriber, tmp_path: Path
) -> None:
    with listening(room, broker, tmp_path):
        while subscriber.next("microphone").payload != b"online":
            pass
        for clip in clips:
            room.play(clip)
            while subscriber.next("speech").payload != b"ON":
                pass
            event = msgspec.json.decode(subscriber.next("event").payload, type=Event)
            assert event.emotion in {*event.probabilities, "uncertain"}
            assert sum(event.probabilities.values()) == pytest.approx(1, abs=0.001)
            assert event.explanation is not None
            shares = sum(event.explanation.families.values())
            assert shares == pytest.approx(event.explanation.value - event.explanation.base_value, abs=0.002)
            assert 0.3 < event.duration_s < soundfile.info(clip).duration + 2
            assert subscriber.next("speech").payload == b"OFF"
    assert subscriber.next("status").payload == b"offline"


def test_f31_a_muted_microphone_is_closed_and_what_is_said_meanwhile_is_never_heard(
    room: Room, clips: list[Path], broker: int, subscriber: Subscriber, tmp_path: Path
) -> None:
    def listen(wanted: bytes) -> None:
        single("affectd/room/listening/set", wanted, qos=1, port=broker)
        while subscriber.next("listening").payload != wanted:
            pass

    with listening(room, broker, tmp_path):
        until(room.recorders, 60)
        listen(b"OFF")
        until(lambda: not room.recorders(), 60)
        room.play(clips[0])
        began = stamp(time.time())
        listen(b"ON")
        until(room.recorders, 60)
        room.play(clips[1])
        event = msgspec.json.decode(subscriber.next("event", 60).payload, type=Event)
        assert event.seq == 1
        assert event.start > began


def test_unknown_microphone_is_named_with_those_there_are(room: Room, broker: int, tmp_path: Path) -> None:
    assert "default" in affectd("devices", env=room.environment).stdout
    config = tmp_path / "affectd.yaml"
    config.write_text(f"node: room\nsource: {{device: no such thing}}\nmqtt: {{host: 127.0.0.1, port: {broker}}}\n")
    command = [*room.isolation, sys.executable, "-m", "edge", "run", "--config", str(config)]
    daemon = subprocess.Popen(command, env=room.environment, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    assert daemon.stderr is not None
    complaint = next(line for line in daemon.stderr if "state=lost" in line)
    daemon.terminate()
    assert "no such thing" in complaint
    assert "default" in complaint
    assert daemon.wait(20) == 0  # it went on trying, since a microphone may be plugged in later


LEFTOVER = "mkdir -m 750 /dev/shm/jack_db-$(id -u) && (umask 0137 && : > /dev/shm/jack_db-$(id -u)/__db.001)"


def test_f25_a_microphone_that_hangs_while_it_is_opened_is_named_and_heard_again(
    room: Room, broker: int, subscriber: Subscriber, tmp_path: Path
) -> None:
    """JACK's library waits for ever on an empty file that a killed process has left; see `edge/sources/jack.py`."""
    if not room.isolation:
        pytest.skip("this machine does not let a test have a /dev/shm of its own")
    config = tmp_path / "affectd.yaml"
    config.write_text(f"node: room\nsource: {{device: default}}\nmqtt: {{host: 127.0.0.1, port: {broker}}}\n")
    isolation = [part.replace("&& exec", f"&& {LEFTOVER} && exec") for part in room.isolation]
    command = [*isolation, sys.executable, "-m", "edge", "run", "--config", str(config)]
    daemon = subprocess.Popen(command, env=room.environment, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    try:
        assert daemon.stderr is not None
        lost = next(line for line in daemon.stderr if "state=lost" in line)
        assert "looking for microphones hangs" in lost
        assert "/dev/shm/jack_db-" in lost
        assert "state=open name=default" in next(line for line in daemon.stderr if "state=open" in line)
        while subscriber.next("microphone").payload != b"online":
            pass
    finally:
        daemon.terminate()
        assert daemon.wait(20) == 0


def test_f25_a_daemon_whose_microphone_hangs_ends_when_told_to(room: Room, broker: int, tmp_path: Path) -> None:
    config = tmp_path / "affectd.yaml"
    config.write_text(f"node: room\nsource: {{device: default}}\nmqtt: {{host: 127.0.0.1, port: {broker}}}\n")
    (tmp_path / "pyaudio.py").write_text("import time\ntime.sleep(1000)\n")
    daemon = subprocess.Popen(
        [sys.executable, "-m", "edge", "run", "--config", str(config)],
        env=room.environment | {"PYTHONPATH": str(tmp_path)},
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert daemon.stderr is not None
    next(line for line in daemon.stderr if "listening" in line)
    daemon.terminate()
    assert daemon.wait(5) == 0
