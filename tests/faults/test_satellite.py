"""F15, F23, F24 for sound from the network: a Wyoming microphone whose program, connection or protocol breaks."""

import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests import satellite
from tests.conftest import free_port
from tests.faults.parts import Broker, Daemon, Recorder, last, speech
from tests.faults.test_sound import LONG

Daemons = Callable[..., Daemon]
PATIENCE_S = 180  # on a busy machine, whose satellite plays late and is opened again with pauses of half a minute
pytestmark = pytest.mark.timeout(5 * PATIENCE_S)


@pytest.fixture
def server(microphone: Path) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Port and process of a Wyoming microphone that breaks as the word in a file tells it to."""
    port = free_port()
    player = [sys.executable, "-m", "tests.faults.player", microphone, 1.0]
    process = satellite.start("serve", port, 16000, 1, *player)
    yield port, process
    process.kill()
    process.wait()


def source(port: int, silence_s: float = 3.0) -> dict[str, object]:
    return {"kind": "wyoming", "url": f"tcp://127.0.0.1:{port}", "silence_s": silence_s}


def heard_again(daemon: Daemon, recorder: Recorder) -> None:
    recorder.wait(lambda: last(recorder, "microphone") == b"online", PATIENCE_S)
    heard = len(daemon.accepted)
    daemon.wait(lambda: len(daemon.accepted) > heard, PATIENCE_S)
    assert daemon.process.poll() is None


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("hum", "state=problem reason=hum"),
        pytest.param("error", "no sound for 10 s", marks=LONG),
        pytest.param("end", "no sound for 10 s", marks=LONG),
        pytest.param("silence", 'state=problem reason="no signal"', marks=LONG),
        pytest.param("half", 'state=problem reason="too slow"', marks=LONG),
        pytest.param("fast", 'state=problem reason="too fast"', marks=LONG),
        pytest.param("constant", 'state=problem reason="no signal"', marks=LONG),
        pytest.param("dither", 'state=problem reason="no signal"', marks=LONG),
        pytest.param("offset", "state=problem reason=offset", marks=LONG),
        pytest.param("clipping", "state=problem reason=clipping", marks=LONG),
    ],
)
def test_f15_f23_a_wyoming_microphone_that_breaks_is_named_and_comes_back(
    microphone: Path,
    server: tuple[int, subprocess.Popen[bytes]],
    broker: Broker,
    recorder: Recorder,
    daemons: Daemons,
    fault: str,
    said: str,
) -> None:
    daemon = daemons(broker.port, source=source(server[0]), mqtt={"hold_s": 3600})
    daemon.wait(lambda: daemon.accepted, PATIENCE_S)
    microphone.write_text(fault)
    recorder.wait(lambda: last(recorder, "microphone") == b"offline", PATIENCE_S)
    recorder.wait(lambda: last(recorder, "speech") == b"OFF" and last(recorder, "state") == b"none", PATIENCE_S)
    daemon.wait(lambda: daemon.logged(said), PATIENCE_S)
    microphone.write_text("speech")
    heard_again(daemon, recorder)


@pytest.mark.faults
def test_f15_a_wyoming_connection_that_is_half_open_is_made_again(
    server: tuple[int, subprocess.Popen[bytes]], broker: Broker, recorder: Recorder, daemons: Daemons
) -> None:
    port, process = server
    daemon = daemons(broker.port, source=source(port))
    daemon.wait(lambda: daemon.accepted, PATIENCE_S)
    process.send_signal(signal.SIGSTOP)  # its connections stand, and so do new ones
    recorder.wait(lambda: last(recorder, "microphone") == b"offline", PATIENCE_S)
    daemon.wait(lambda: daemon.logged("no sound for 10 s"), PATIENCE_S)
    process.send_signal(signal.SIGCONT)
    heard_again(daemon, recorder)


def chunk(**header: object) -> bytes:
    sound = speech()[:32_000]
    data = {"rate": 16000, "width": 2, "channels": 1}
    head = {"type": "audio-chunk", "data": data, "payload_length": len(sound)} | header
    return json.dumps(head).encode() + b"\n" + sound


BROKEN = {
    "garbage": b"\x00\xff" * 500_000,
    "huge payload": chunk(payload_length=10_000_000_000),
    "huge line": b'{"type": "' + b"x" * 1_000_000,
    "not JSON": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "width": chunk(data={"rate": 16000, "width": 4, "channels": 1}),
    "cut": chunk()[:9_001],
}


@pytest.mark.faults
def test_f23_wyoming_peers_that_break_the_protocol_cost_neither_the_daemon_nor_memory(
    broker: Broker, recorder: Recorder, daemons: Daemons
) -> None:
    """One after the other; each is one line of the log, and the daemon goes on."""
    server = socket.create_server(("127.0.0.1", 0))

    def work() -> None:
        for sent in BROKEN.values():
            with suppress(OSError), server.accept()[0] as peer:
                peer.recv(4096)  # the greeting: closed with something unread, a connection is reset
                peer.sendall(sent)

    threading.Thread(target=work, daemon=True).start()
    daemon = daemons(broker.port, source=source(server.getsockname()[1]))
    process = psutil.Process(daemon.process.pid)
    daemon.wait(lambda: daemon.logged("no end of a line"), PATIENCE_S)
    before = process.memory_info().rss
    daemon.wait(lambda: daemon.logged("in the middle of a message"), PATIENCE_S)
    assert process.memory_info().rss < before + (16 << 20)
    reasons = ["no end of a line", "payload_length of 10000000000", "no JSON object", "width 4", "middle of a message"]
    assert all(len(daemon.logged(reason)) <= 2 for reason in reasons)
    assert all(daemon.logged(reason) for reason in reasons)
    assert not daemon.logged("Traceback")
    server.close()
    assert daemon.stop() == 0
