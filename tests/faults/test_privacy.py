"""F32, F33: where the daemon goes on the network, what it writes, and what its memory holds."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import DEMO, ROOT, answers, free_port, until
from tests.faults.parts import Broker, Daemon, Recorder
from tests.faults.test_broker import QUICK_AND_FULL, delivered

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
