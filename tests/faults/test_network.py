"""F32: where the daemon, the app and analyse go on the network, and what they write."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from edge.audio import SAMPLE_RATE
from tests.conftest import DEMO, ROOT, answers, free_port, until
from tests.faults.parts import Broker, Daemon, Recorder, delivered, room, speech

TELEMETRY_S = 15  # ONNX Runtime's begins 9 s after the library is loaded
ENDLESS_WAV = (
    b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x01\0\x01\0"
    + SAMPLE_RATE.to_bytes(4, "little")
    + (2 * SAMPLE_RATE).to_bytes(4, "little")
    + b"\x02\0\x10\0data\xff\xff\xff\xff"
)

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


def watch_the_daemon(folder: Path, broker: Broker, recorder: Recorder, seconds: float) -> None:
    """It hears, publishes and explains all that time: it speaks to the broker alone, and writes to its state alone."""
    trace = folder / "trace"
    daemon = Daemon(folder, broker.port, under=strace(trace), environment=home(folder))
    try:
        began = time.monotonic()
        daemon.say()
        delivered(daemon, recorder)
        recorder.publish("affectd/kitchen/request/explain", f'{{"id":"{recorder.on("event")[0].json["id"]}"}}')
        recorder.wait(lambda: recorder.on("response/explain"))
        while time.monotonic() - began < seconds:
            daemon.say()
            time.sleep(1)
        delivered(daemon, recorder)
        assert daemon.stop() == 0
    finally:
        daemon.kill()
    assert peers(trace) == {("127.0.0.1", broker.port)}
    assert {path for path in written(trace) if not path.startswith(f"{daemon.state.parents[1]}")} == set()
    assert not list((folder / "home").iterdir())


def watch_analyse(folder: Path, seconds: float) -> None:
    """It analyses a recording, then a pipe that lasts that long: it speaks to nobody, and writes nothing."""
    trace, pipe = folder / "trace", folder / "pipe"
    os.mkfifo(pipe)
    command = [*strace(trace), sys.executable, "-m", "edge", "analyse", "--explain", "all", str(DEMO), str(pipe)]
    found = folder / "found"
    with found.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=os.environ | home(folder), stdout=output)
        try:
            with pipe.open("wb", 0) as sound:  # opened by the other side once the recording is done
                sound.write(ENDLESS_WAV + speech())
                began = time.monotonic()
                while time.monotonic() - began < seconds:
                    sound.write(room(1))
                    time.sleep(1)
            assert process.wait(60) == 0
        finally:
            process.kill()
            process.wait()
    assert found.read_text().count(str(pipe)) == 1
    assert peers(trace) == set()
    assert written(trace) == set()


def watch_the_app(folder: Path, seconds: float) -> None:
    """A recording is analysed in it, and it is left open that long: it speaks to nobody, wherever it was started."""
    trace = folder / "trace"
    with serving(folder, trace) as port, sync_playwright() as playwright:
        program = shutil.which("chromium")
        if program is None:
            pytest.fail("chromium is missing: apt-get install chromium")
        flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=program, args=flags, timeout=120_000)
        page = browser.new_page()
        page.set_default_timeout(120_000)
        page.goto(f"http://127.0.0.1:{port}")
        page.locator("input[type=file]").set_input_files(DEMO)
        page.locator(".verdict .emotion").first.wait_for()
        page.wait_for_timeout(1000 * seconds)
        browser.close()
    assert {peer for peer in peers(trace) if peer[0] not in ("127.0.0.1", "::1")} == set()
    assert not list((folder / "home").iterdir())


@contextmanager
def serving(folder: Path, trace: Path) -> Iterator[int]:
    """The port of an app that was started in that folder."""
    port = free_port()
    command = [*strace(trace), sys.executable, "-m", "streamlit", "run", str(ROOT / "app" / "main.py")]
    command += ["--server.headless", "true", "--server.port", str(port)]
    environment = os.environ | home(folder) | {"PYTHONPATH": str(ROOT)}
    server = subprocess.Popen(command, cwd=folder, env=environment)
    try:
        until(lambda: answers(port), 120)
        yield port
    finally:
        server.terminate()
        server.wait(30)


def test_f32_the_daemon_speaks_to_the_broker_alone_and_writes_to_its_state_alone(
    tmp_path: Path, broker: Broker, recorder: Recorder
) -> None:
    watch_the_daemon(tmp_path, broker, recorder, TELEMETRY_S)


def test_f32_analyse_speaks_to_nobody_and_writes_nothing(tmp_path: Path) -> None:
    watch_analyse(tmp_path, TELEMETRY_S)


def test_f32_the_app_speaks_to_nobody_wherever_it_is_started(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as pool:  # a thread may have one driver, and that of the other tests lives in this one
        pool.submit(watch_the_app, tmp_path, TELEMETRY_S).result()


@pytest.mark.faults
@pytest.mark.timeout(1500)
def test_f32_nobody_else_is_spoken_to_in_ten_minutes(tmp_path: Path, broker: Broker, recorder: Recorder) -> None:
    """Of the daemon, the app and analyse, side by side."""
    minutes_s = 600
    folders = [tmp_path / name for name in ("daemon", "analyse", "app")]
    for folder in folders:
        folder.mkdir()
    with ThreadPoolExecutor() as pool:
        watched = [
            pool.submit(watch_the_daemon, folders[0], broker, recorder, minutes_s),
            pool.submit(watch_analyse, folders[1], minutes_s),
            pool.submit(watch_the_app, folders[2], minutes_s),
        ]
    for each in watched:
        each.result()
