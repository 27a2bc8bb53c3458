"""F31: what arrives while nobody is to listen, and settings that cannot be read."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.parts import NODE, Broker, Daemon, Recorder, last, room, source, speech

Daemons = Callable[..., Daemon]


@pytest.mark.parametrize("kind", ["stdin", "command"])
def test_f31_what_is_said_while_muted_is_never_heard(
    microphone: Path, broker: Broker, recorder: Recorder, daemons: Daemons, kind: str
) -> None:
    daemon = daemons(broker.port, **({"source": source(microphone)} if kind == "command" else {}))
    if kind == "stdin":
        daemon.say()
    daemon.wait(lambda: daemon.accepted)
    recorder.publish("affectd/kitchen/listening/set", "OFF")
    recorder.wait(lambda: last(recorder, "listening") == b"OFF")
    heard = len(daemon.accepted)
    if kind == "stdin":
        daemon.hear(4 * speech() + room(1.0))
    time.sleep(2)
    microphone.write_text("room")
    recorder.publish("affectd/kitchen/listening/set", "ON")
    recorder.wait(lambda: last(recorder, "listening") == b"ON")
    if kind == "stdin":
        time.sleep(1)
        daemon.hear(room(3.0))
    time.sleep(5)
    assert len(daemon.accepted) == heard
    microphone.write_text("speech")
    if kind == "stdin":
        daemon.hear(speech() + room(1.0))
    daemon.wait(lambda: len(daemon.accepted) > heard)


@pytest.mark.parametrize("content", [b"", b"{", b'{"listening":1}', b"\0" * 100])
def test_f31_damaged_settings_mean_muted_until_somebody_says_otherwise(
    tmp_path: Path, broker: Broker, recorder: Recorder, daemons: Daemons, content: bytes
) -> None:
    state = tmp_path / "state" / "nodes" / NODE
    state.mkdir(parents=True)
    (state / "settings.json").write_bytes(content)
    daemon = daemons(broker.port)
    recorder.wait(lambda: last(recorder, "listening") == b"OFF")
    assert len(daemon.logged("settings")) == 1
    daemon.hear(2 * speech())
    recorder.publish("affectd/kitchen/request/ping", "{}")
    recorder.wait(lambda: recorder.on("response/ping"))
    time.sleep(1)
    recorder.publish("affectd/kitchen/listening/set", "ON")
    recorder.wait(lambda: last(recorder, "listening") == b"ON")
    time.sleep(1)
    daemon.hear(room(3.0))
    time.sleep(2)
    assert not daemon.accepted
    daemon.hear(speech() + room(1.0))
    daemon.wait(lambda: daemon.accepted)
