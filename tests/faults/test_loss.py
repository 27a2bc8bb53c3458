"""F15, where it matters most: the microphone is lost while somebody speaks."""

import sys
from collections.abc import Callable
from datetime import datetime
from itertools import groupby
from pathlib import Path

from edge.audio import SAMPLE_RATE
from tests.faults.parts import Broker, Daemon, Recorder, assert_complete, speech

Daemons = Callable[..., Daemon]

PLAYER = """
import sys, time
from pathlib import Path
from tests.faults.parts import room, speech
broken = Path(sys.argv[1])
half = not broken.exists()
pcm = speech()
sound = pcm[: len(pcm) // 2] if half else pcm[35200:] + room(600.0)  # it is back in time for the first word
due = time.monotonic()
for place in range(0, len(sound), 3200):
    sys.stdout.buffer.write(sound[place : place + 3200])
    sys.stdout.buffer.flush()
    due += 0.1
    time.sleep(max(0.0, due - time.monotonic()))
broken.touch()
sys.exit("the device is gone")
"""


def test_f15_an_utterance_that_a_lost_microphone_cuts_short_is_not_joined_with_the_next(
    tmp_path: Path, broker: Broker, recorder: Recorder, daemons: Daemons
) -> None:
    command = [sys.executable, "-c", PLAYER, str(tmp_path / "broken")]
    daemon = daemons(broker.port, source={"kind": "command", "command": command}, mqtt={"hold_s": 3600})
    recorder.wait(lambda: len(recorder.on("journal")) == 2 and recorder.on("speech")[-1].payload == b"OFF")
    recorder.wait(lambda: recorder.on("state")[-1].payload != b"none")
    assert daemon.stop() == 0
    first, second = (message.json for message in recorder.on("journal"))
    half = len(speech()) / 2 / SAMPLE_RATE / 2
    assert 1.0 < first["duration_s"] <= half
    assert 2.0 < second["duration_s"] < 2 * half
    ended = datetime.fromisoformat(first["end"])
    assert (datetime.fromisoformat(second["start"]) - ended).total_seconds() > 0.4  # the source is opened after 0.5 s
    assert runs(recorder, "speech") == [b"OFF", b"ON", b"OFF", b"ON", b"OFF"]
    assert runs(recorder, "microphone")[:4] == [b"offline", b"online", b"offline", b"online"]
    assert_complete(recorder, 2)


def runs(recorder: Recorder, topic: str) -> list[bytes]:
    """The payloads of a topic, repetitions left out: a connection says all of them again."""
    return [payload for payload, _ in groupby(message.payload for message in recorder.on(topic))]
