"""F12, F15, F18, F20, F22, F23, F24: clocks, microphones, hours, privacy and too much of everything."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest

from edge.audio import SAMPLE_RATE
from tests.conftest import until
from tests.faults.parts import Broker, Daemon, Recorder, assert_complete, delivered, last, room, source, speech
from tests.faults.test_broker import QUICK_AND_FULL

Daemons = Callable[..., Daemon]

FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)


def test_f12_clock_jumps_touch_neither_order_nor_durations_nor_timers(
    tmp_path: Path, broker: Broker, recorder: Recorder, daemons: Daemons
) -> None:
    if FAKETIME is None:
        pytest.fail("faketime is missing: apt-get install faketime")
    clock = tmp_path / "clock"
    clock.write_text("@1970-01-01 00:05:00")
    environment = {
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    daemon = daemons(broker.port, environment=environment, mqtt={"hold_s": 1})
    for wall in ("@1970-01-01 00:05:00", "+0", "+1d", "-1d"):
        clock.write_text(wall)
        recorder.wait(lambda: recorder.on("state") and recorder.on("state")[-1].payload == b"none")
        daemon.say()
        recorder.wait(lambda: recorder.on("state")[-1].payload != b"none")
    recorder.wait(lambda: recorder.on("state")[-1].payload == b"none")
    delivered(daemon, recorder)
    events = [message.json for message in recorder.on("journal")]
    assert events[0]["start"].startswith("1970")
    assert len({event["start"][:10] for event in events}) == 4
    assert max(event["duration_s"] for event in events) - min(event["duration_s"] for event in events) < 0.3
    assert all(event["start"] < event["end"] for event in events)
    assert {event["clock"] for event in events} <= {"synced", "unsynced"}


LONG = pytest.mark.faults


@pytest.mark.parametrize(
    ("fault", "silence_s"),
    [
        ("error", 2),
        pytest.param("silence", 2, marks=LONG),
        pytest.param("silence", 60, marks=LONG),
        pytest.param("end", 2, marks=LONG),
        pytest.param("half", 2, marks=LONG),
    ],
)
def test_f15_a_microphone_that_breaks_is_reported_and_comes_back(
    microphone: Path, broker: Broker, recorder: Recorder, daemons: Daemons, fault: str, silence_s: float
) -> None:
    daemon = daemons(broker.port, source=source(microphone, silence_s=silence_s), mqtt={"hold_s": 3600})
    recorder.wait(lambda: last(recorder, "microphone") == b"online")
    recorder.wait(lambda: last(recorder, "state") not in (b"", b"none"))
    microphone.write_text(fault)
    recorder.wait(lambda: last(recorder, "microphone") == b"offline", silence_s + 30)
    recorder.wait(lambda: last(recorder, "speech") == b"OFF" and last(recorder, "state") == b"none")
    microphone.write_text("speech")
    recorder.wait(lambda: last(recorder, "microphone") == b"online")
    heard = len(daemon.accepted)
    daemon.wait(lambda: len(daemon.accepted) > heard)
    assert daemon.process.poll() is None


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("hum", "hum"),
        pytest.param("constant", "no signal", marks=LONG),
        pytest.param("dither", "no signal", marks=LONG),
        pytest.param("offset", "offset", marks=LONG),
        pytest.param("clipping", "clipping", marks=LONG),
        pytest.param("half", "too slow", marks=LONG),
    ],
)
def test_f23_a_dead_microphone_is_named_nothing_rests_on_it_and_it_comes_back(
    microphone: Path, broker: Broker, recorder: Recorder, daemons: Daemons, fault: str, reason: str
) -> None:
    named_and_mended(microphone, broker, recorder, daemons, fault, reason)


@pytest.mark.parametrize("fault", ["fast", pytest.param("stereo", marks=LONG)])
def test_f24_sound_that_comes_too_fast_is_named_and_nothing_rests_on_it(
    microphone: Path, broker: Broker, recorder: Recorder, daemons: Daemons, fault: str
) -> None:
    named_and_mended(microphone, broker, recorder, daemons, fault, "too fast")


def test_f24_narrow_band_sound_is_named_and_events_state_their_bandwidth(
    microphone: Path, broker: Broker, recorder: Recorder, daemons: Daemons
) -> None:
    microphone.write_text("narrow")
    daemon = daemons(broker.port, source=source(microphone), health={"diagnostics_s": 1})
    daemon.wait(lambda: daemon.logged("state=problem reason=narrow-band"), 120)
    recorder.wait(lambda: recorder.on("diagnostics")[-1].json["microphone_problem"] == "narrow-band")
    recorder.wait(lambda: len(recorder.on("event")) >= 2)
    assert all(0 < message.json["bandwidth_hz"] <= 4250 for message in recorder.on("event"))
    assert last(recorder, "microphone") == b"online"


def named_and_mended(
    microphone: Path, broker: Broker, recorder: Recorder, daemons: Daemons, fault: str, reason: str
) -> None:
    daemon = daemons(
        broker.port, source=source(microphone, silence_s=3), mqtt={"hold_s": 3600}, health={"diagnostics_s": 1}
    )
    daemon.wait(lambda: daemon.accepted)
    microphone.write_text(fault)
    recorder.wait(lambda: last(recorder, "microphone") == b"offline", 3 + 10)
    assert daemon.logged(f'state=problem reason="{reason}"' if " " in reason else f"state=problem reason={reason}")
    recorder.wait(lambda: recorder.on("diagnostics")[-1].json["microphone_problem"] == reason)
    heard = len(daemon.accepted)
    time.sleep(5)
    assert len(daemon.accepted) == heard
    microphone.write_text("speech")
    recorder.wait(lambda: last(recorder, "microphone") == b"online")
    daemon.wait(lambda: len(daemon.accepted) > heard)
    recorder.wait(lambda: recorder.on("diagnostics")[-1].json["microphone_problem"] is None)


@pytest.mark.faults
def test_f15_a_device_that_is_unplugged_and_plugged_in_again_is_heard_again(
    microphone: Path, broker: Broker, recorder: Recorder, daemons: Daemons, tmp_path: Path
) -> None:
    plugged = tmp_path / "device"
    plugged.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    plugged.chmod(0o755)
    settings = source(microphone)
    settings["command"] = [str(plugged), *settings["command"][1:]]
    daemon = daemons(broker.port, source=settings)
    recorder.wait(lambda: last(recorder, "microphone") == b"online")
    plugged.rename(tmp_path / "pulled out")
    microphone.write_text("error")
    recorder.wait(lambda: last(recorder, "microphone") == b"offline")
    daemon.wait(lambda: daemon.logged("cannot be run"))
    microphone.write_text("speech")
    (tmp_path / "pulled out").rename(plugged)
    recorder.wait(lambda: last(recorder, "microphone") == b"online")
    daemon.wait(lambda: daemon.accepted)


@pytest.mark.faults
@pytest.mark.timeout(1200)
def test_f18_hours_of_sound_leave_memory_files_and_disk_alone(
    broker: Broker, recorder: Recorder, daemons: Daemons
) -> None:
    minutes = float(os.environ.get("AFFECTD_SOAK_MINUTES", "5"))
    daemon = daemons(broker.port, model={"explain": "families"})
    process = psutil.Process(daemon.process.pid)
    hour = speech() + room(15.0)  # one utterance in twenty seconds
    daemon.say(60)
    heard, memory, files = [0.0], [process.memory_info().rss], [process.num_fds()]
    began = time.monotonic()
    while time.monotonic() - began < 60 * minutes:
        for _ in range(10):
            daemon.hear(hour)
        heard.append(heard[-1] + 10 * len(hour) / 2 / SAMPLE_RATE / 3600)
        memory.append(process.memory_info().rss)
        files.append(process.num_fds())
    slope = np.polyfit(heard, np.array(memory) / 1e6, 1)[0]
    print(f"{heard[-1]:.1f} h of sound, {slope:.2f} MB/h, {files[-1]} descriptors")
    assert slope < 1.0
    assert max(files) <= files[0] + 1
    delivered(daemon, recorder)
    until(lambda: last_depth(daemon, recorder) == 0, 90)
    before = process.io_counters().write_bytes
    for _ in range(20):
        daemon.hear(room(30.0))
    assert process.io_counters().write_bytes == before


def last_depth(daemon: Daemon, recorder: Recorder) -> int:
    found = recorder.on("diagnostics")
    return int(found[-1].json["journal_depth"]) if found else -1


@pytest.mark.parametrize("full", QUICK_AND_FULL)
def test_f20_no_file_and_no_message_holds_what_was_said(
    tmp_path: Path, broker: Broker, recorder: Recorder, daemons: Daemons, full: bool
) -> None:
    generator = np.random.default_rng()
    samples = np.frombuffer(speech(), "<i2").astype(np.int32)
    marked = np.clip(samples + generator.integers(-60, 60, len(samples)), -32768, 32767).astype("<i2")
    began = time.time()
    daemon = daemons(broker.port, log_level="debug")
    for _ in range(3):
        daemon.hear(marked.tobytes())
    daemon.wait(lambda: len(daemon.accepted) >= 3)
    delivered(daemon, recorder)
    recorder.publish("affectd/kitchen/request/explain", f'{{"id":"{recorder.on("event")[0].json["id"]}"}}')
    recorder.wait(lambda: recorder.on("response/explain"))
    daemon.stop()
    broker.stop()
    size = round(0.2 * SAMPLE_RATE)
    pieces = [marked[start : start + size] for start in range(0, len(marked) - size, size)]
    needles = [piece.tobytes() for piece in pieces] + [(piece / np.float32(32768)).tobytes() for piece in pieces]
    roots = [Path("/")] if full else [tmp_path, Path("/dev/shm"), Path("/var/tmp"), Path.home() / ".cache"]
    searched = 0
    for path in young_files(roots, began):
        try:
            content = path.read_bytes()
        except OSError:  # somebody else's, and gone
            continue
        assert not any(needle in content for needle in needles), path
        searched += 1
    assert searched > 3
    said = b"".join(message.payload for message in recorder.received) + "".join(daemon.log).encode()
    assert not any(needle in said for needle in needles)


def young_files(roots: list[Path], since: float) -> list[Path]:
    """Regular files on this disk and in memory that have changed since."""
    found = []
    for root in roots:
        for folder, folders, names in os.walk(root):
            if folder in ("/proc", "/sys"):
                folders.clear()
                continue
            for name in names:
                path = Path(folder, name)
                try:
                    state = path.lstat()
                    if path.is_file() and state.st_mtime >= since and state.st_size < 1 << 28:
                        found.append(path)
                except OSError:
                    continue
    return found


SLOW = """
import sys, time
import edge.daemon.pipeline
quick = edge.daemon.pipeline.Pipeline._analyse
def slow(*arguments):
    time.sleep(2)
    return quick(*arguments)
edge.daemon.pipeline.Pipeline._analyse = slow
from edge.cli import main
sys.exit(main())
"""


@pytest.mark.parametrize(("events", "dropped_s"), [(2, 1), pytest.param(10, 60, marks=LONG)])
def test_f22_too_much_to_hear_costs_the_oldest_sound_and_never_the_order(
    microphone: Path, broker: Broker, recorder: Recorder, daemons: Daemons, events: int, dropped_s: float
) -> None:
    daemon = daemons(
        broker.port, program=SLOW, source=source(microphone, speed=20.0, silence_s=3600), health={"diagnostics_s": 1}
    )
    daemon.wait(lambda: len(daemon.accepted) >= events, 180)
    recorder.wait(lambda: recorder.on("diagnostics")[-1].json["dropped_audio_s"] > dropped_s)
    microphone.write_text("room")
    recorder.wait(lambda: recorder.on("diagnostics")[-1].json["queued_audio_s"] < 1)
    assert max(message.json["queued_audio_s"] for message in recorder.on("diagnostics")) <= 10.1
    delivered(daemon, recorder)
    assert_complete(recorder, daemon.accepted[-1])
