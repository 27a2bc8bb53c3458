"""F33: what the daemon's memory holds of what was said."""

import json
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from edge.config import GateSettings
from edge.model import encoder
from edge.model.bundle import DEFAULT, Bundle
from edge.sources.conversion import into_blocks
from edge.sources.highpass import high_passed
from edge.vad.gate import Gate, Utterance
from tests.conftest import until
from tests.faults.parts import Broker, Daemon, Recorder, room, speech
from tests.faults.test_broker import QUICK_AND_FULL
from tests.speakers import conversation, telling_apart

Daemons = Callable[..., Daemon]

PATIENT = """
import sys
import edge.explain.recent
edge.explain.recent.KEPT_S = float({kept_s})
from edge.cli import main
sys.exit(main())
"""


def marked_speech() -> np.ndarray:
    """Speech int16 [n] that is like no other: with noise of its own, 55 dB below full scale."""
    said = np.frombuffer(speech(), "<i2").astype(np.int32)
    return np.clip(said + np.random.default_rng().integers(-60, 60, len(said)), -32768, 32767).astype(np.int16)


def needles(samples: np.ndarray) -> dict[str, list[bytes]]:
    """What to look for in the memory of a daemon that has processed these samples: a few pieces of each kind."""
    gate = Gate(GateSettings())
    found = [item for block in into_blocks([high_passed(samples)]) for item in gate.push(block)]
    (utterance,) = [item for item in [*found, *gate.finish()] if isinstance(item, Utterance)]
    bundle = Bundle.load()
    frames = encoder.frames(utterance.samples, bundle)
    scaled = bundle.scaler.apply(frames)
    places = np.linspace(4096, len(utterance.samples) - 4096, 10).astype(int)
    pieces = [utterance.samples[place : place + 48] for place in places]
    rows = np.linspace(10, len(frames) - 10, 10).astype(int)
    return {
        "samples before the high-pass": [samples[place : place + 48].tobytes() for place in places],
        "samples": [piece.tobytes() for piece in pieces],
        "samples in float32": [piece.astype(np.float32).tobytes() for piece in pieces],
        "samples in float32, full scale 1": [(piece / np.float32(32768)).tobytes() for piece in pieces],
        "samples in float64, full scale 1": [(piece / 32768).tobytes() for piece in pieces],
        "features": [frames[row, 40:52].tobytes() for row in rows],
        "scaled features": [scaled[row, 40:52].tobytes() for row in rows],
    }


def memory(process: int) -> Iterator[bytes]:
    """All that a process can write to, mapping by mapping (proc(5))."""
    with open(f"/proc/{process}/mem", "rb", 0) as content:  # noqa: PTH123 (unbuffered)
        for line in Path(f"/proc/{process}/maps").read_text().splitlines():
            span, rights, *_ = line.split()
            first, last = (int(end, 16) for end in span.split("-"))
            if rights.startswith("rw"):
                content.seek(first)
                try:
                    yield content.read(last - first)
                except OSError:  # a device's, or the kernel's
                    continue


def remembered(daemon: Daemon, wanted: dict[str, list[bytes]]) -> set[str]:
    """The kinds of which at least one piece is found."""
    return {
        kind
        for content in memory(daemon.process.pid)
        for kind, pieces in wanted.items()
        if any(piece in content for piece in pieces)
    }


@pytest.mark.parametrize("full", QUICK_AND_FULL)
def test_f33_after_a_minute_nothing_is_left_in_memory(broker: Broker, daemons: Daemons, full: bool) -> None:
    kept_s = 60 if full else 5
    daemon, said = daemons(broker.port, program=PATIENT.format(kept_s=kept_s)), marked_speech()
    wanted = needles(said)
    daemon.hear(said.tobytes())
    daemon.wait(lambda: daemon.accepted)
    assert {"samples in float32", "features"} <= remembered(daemon, wanted)
    daemon.hear(room(20))
    time.sleep(kept_s + 3)
    assert remembered(daemon, wanted) == set()


def test_f33_nothing_is_left_in_memory_once_muted(broker: Broker, recorder: Recorder, daemons: Daemons) -> None:
    daemon, said = daemons(broker.port), marked_speech()
    wanted = needles(said)
    daemon.hear(said.tobytes())
    daemon.wait(lambda: daemon.accepted)
    daemon.hear(said[: len(said) // 2].tobytes())  # somebody still speaks
    recorder.wait(lambda: [message.payload for message in recorder.on("speech")][-1:] == [b"ON"])
    time.sleep(1)
    recorder.publish("affectd/kitchen/listening/set", "OFF")
    recorder.wait(lambda: recorder.on("listening") and recorder.on("listening")[-1].payload == b"OFF")
    daemon.hear(room(3))  # the room goes on, unheard: capture lets go of what it read last
    until(lambda: not remembered(daemon, wanted), 60)


def test_f33_forget_forgets_the_features_of_recent_utterances(
    broker: Broker, recorder: Recorder, daemons: Daemons
) -> None:
    daemon, said = daemons(broker.port), marked_speech()
    wanted = needles(said)
    daemon.hear(said.tobytes() + room(20))
    daemon.wait(lambda: daemon.accepted)
    recorder.publish("affectd/kitchen/request/forget", "{}")
    recorder.wait(lambda: recorder.on("response/forget"))
    assert not {kind for kind in remembered(daemon, wanted) if "features" in kind}
    recorder.publish("affectd/kitchen/request/explain", f'{{"id":"{recorder.on("event")[0].json["id"]}"}}')
    recorder.wait(lambda: recorder.on("response/explain"))
    assert "last 60 s" in recorder.on("response/explain")[0].json["error"]


@pytest.mark.parametrize("restarted", [False, True])
def test_f33_forget_leaves_nothing_of_voices_in_memory_or_on_disk(
    tmp_path: Path, broker: Broker, recorder: Recorder, daemons: Daemons, restarted: bool
) -> None:
    bundle = telling_apart(tmp_path / "voices", DEFAULT.with_name("light"))
    settings = {"model": {"bundle": str(bundle.path)}, "voices": {"mode": "publish"}}
    talk = conversation(0, 1, 0, 1, 0).tobytes()
    daemon = daemons(broker.port, **settings)
    daemon.hear(talk)
    daemon.wait(lambda: len(daemon.accepted) == 5)
    if restarted:
        daemon.process.terminate()
        daemon.process.wait(20)
        daemon = daemons(broker.port, **settings)
        daemon.hear(talk)
        daemon.wait(lambda: len(daemon.accepted) == 5)
    recorder.publish("affectd/kitchen/request/voices", '{"do":"name","id":"last","name":"Wilhelmina"}')
    recorder.wait(lambda: recorder.on("response/voices"))
    (file,) = tmp_path.rglob("voices.json")
    directions = [b64decode(one["direction"]) for one in json.loads(file.read_text())["voices"]]
    wanted = {
        "directions": [whole[start : start + 48] for whole in directions for start in range(0, 1024, 256)],
        "directions as they are written": [b64encode(whole)[64:128] for whole in directions],
    }
    assert "directions" in remembered(daemon, wanted)
    assert "Wilhelmina" in file.read_text()
    recorder.publish("affectd/kitchen/request/forget", "{}")
    recorder.wait(lambda: recorder.on("response/forget"))
    time.sleep(1)
    assert remembered(daemon, wanted) == set()
    assert not list(tmp_path.rglob("*voices.json*"))
