"""F32, F33: where the daemon goes on the network, what it writes, and what its memory holds."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from edge.config import GateSettings
from edge.model import encoder
from edge.model.bundle import Bundle
from edge.sources.conversion import into_blocks
from edge.sources.highpass import high_passed
from edge.vad.gate import Gate, Utterance
from tests.conftest import DEMO, ROOT, answers, free_port, until
from tests.faults.parts import Broker, Daemon, Recorder, delivered, room, speech
from tests.faults.test_broker import QUICK_AND_FULL

Daemons = Callable[..., Daemon]

_CALLS = "network,openat,open,creat,mkdir,mkdirat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,mknod,mknodat"
_WRITING = re.compile(r'open(?:at)?\(.*?"([^"]*)".*?O_(?:WRONLY|RDWR|CREAT)')
_MAKING = re.compile(r'(?:creat|mkdir|rename|link|symlink|mknod)\w*\(.*"([^"]*)"')
_PEER = re.compile(r"(?:connect|sendto|sendmsg|sendmmsg)\(.*sa_family=AF_INET6?,.*?htons\((\d+)\).*?\"([^\"]+)\"")
_PSEUDO = ("/dev/null", "/dev/tty", "/dev/urandom", "/proc/self/")


def strace(file: Path) -> list[str]:
    """The command that watches another one, as its child, so that signals reach the other."""
    if shutil.which("strace") is None:
        pytest.fail("strace is missing: apt-get install strace")
    return ["strace", "-D", "-f", "-q", "-e", f"trace={_CALLS}", "-s", "200", "-o", str(file)]


def home(folder: Path) -> dict[str, str]:
    """An environment in which telemetry is asked for, and whose home shows what is written there."""
    (folder / "home").mkdir()
    wanted = {"ORT_DISABLE_TELEMETRY": "0", "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(folder / "home")}
    return wanted | {"XDG_CACHE_HOME": "", "XDG_CONFIG_HOME": ""}


def peers(trace: Path) -> set[tuple[str, int]]:
    """Every address and port that was connected or sent to."""
    return {(match[2], int(match[1])) for match in map(_PEER.search, lines(trace)) if match}


def written(trace: Path) -> set[str]:
    """Every path that was opened for writing, made or renamed to, but for those of the kernel."""
    succeeded = [line for line in lines(trace) if " = -1 " not in line]
    matches = [_WRITING.search(line) or _MAKING.search(line) for line in succeeded]
    return {match[1] for match in matches if match and not match[1].startswith(_PSEUDO)}


def lines(trace: Path) -> list[str]:
    until(lambda: " +++ exited with" in trace.read_text(errors="replace")[-4000:])
    return trace.read_text(errors="replace").splitlines()


@pytest.mark.parametrize("full", QUICK_AND_FULL)
def test_f32_the_daemon_speaks_to_the_broker_alone_and_writes_to_its_state_alone(
    tmp_path: Path, broker: Broker, recorder: Recorder, daemons: Daemons, full: bool
) -> None:
    trace = tmp_path / "trace"
    daemon = daemons(broker.port, under=strace(trace), environment=home(tmp_path))
    began = time.monotonic()
    daemon.say()
    delivered(daemon, recorder)
    recorder.publish("affectd/kitchen/request/explain", f'{{"id":"{recorder.on("event")[0].json["id"]}"}}')
    recorder.wait(lambda: recorder.on("response/explain"))
    while time.monotonic() - began < (60 if full else 15):  # ONNX Runtime's telemetry begins after 9 s
        daemon.say()
        time.sleep(1)
    delivered(daemon, recorder)
    daemon.stop()
    assert peers(trace) == {("127.0.0.1", broker.port)}
    assert {path for path in written(trace) if not path.startswith(f"{daemon.state.parents[1]}")} == set()
    assert not list((tmp_path / "home").iterdir())


def test_f32_analyse_speaks_to_nobody_and_writes_nothing(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    command = [*strace(trace), sys.executable, "-m", "edge", "analyse", "--explain", "all", str(DEMO)]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | home(tmp_path), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert peers(trace) == set()
    assert written(trace) == set()


def test_f32_the_app_speaks_to_nobody_wherever_it_is_started(tmp_path: Path) -> None:
    trace, port = tmp_path / "trace", free_port()
    command = [*strace(trace), sys.executable, "-m", "streamlit", "run", str(ROOT / "app" / "main.py")]
    command += ["--server.headless", "true", "--server.port", str(port)]
    environment = os.environ | home(tmp_path) | {"PYTHONPATH": str(ROOT)}
    server = subprocess.Popen(command, cwd=tmp_path, env=environment)
    try:
        until(lambda: answers(port), 120)
        time.sleep(5)
    finally:
        server.terminate()
        server.wait(30)
    assert {peer for peer in peers(trace) if peer[0] not in ("127.0.0.1", "::1")} == set()
    assert not list((tmp_path / "home").rglob("machine_id*"))


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
