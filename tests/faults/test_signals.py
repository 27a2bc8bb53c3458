"""F40: a daemon that is told to end, at any moment of its life."""

import contextlib
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.faults.parts import Broker, Daemon, Recorder, assert_complete, speech
from tests.faults.proxy import Proxy

STOP_S = 20  # what systemd grants (TimeoutStopSec)
NUMBERS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@pytest.fixture(autouse=True)
def terminal() -> Iterator[None]:
    """Daemons heed their terminal, though this suite may itself run under nohup(1) or in the background of a shell."""
    hangup = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    interrupt = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGHUP, hangup)
    signal.signal(signal.SIGINT, interrupt)


@pytest.mark.parametrize(
    ("houses", "moments"),
    [
        pytest.param(3, 3, id="quick"),
        pytest.param(8, 125, id="full", marks=[pytest.mark.faults, pytest.mark.timeout(5400)]),
    ],
)
def test_f40_a_signal_at_any_moment_ends_the_daemon_in_time_with_the_right_code(
    tmp_path: Path, houses: int, moments: int
) -> None:
    """While it starts, connects, hears, analyses, publishes, waits for a broker that is away.

    So many moments in each of some houses, side by side: 1,000 in the full form.
    """
    with ThreadPoolExecutor(houses) as pool:
        ended = [pool.submit(end_again_and_again, tmp_path / str(house), house, moments) for house in range(houses)]
    assert sum(each.result() for each in ended) == houses * moments


def end_again_and_again(folder: Path, seed: int, moments: int) -> int:
    """Start the daemon of a house and end it, so many times; nothing accepted is lost. Returns how often it ended."""
    folder.mkdir()
    broker = Broker(folder / "broker").start()
    recorder, proxy = Recorder(broker.port), Proxy(broker.port)
    chance = random.Random(seed)
    accepted: list[int] = []
    starting_s = 1.0  # how long a start takes while the others start too
    try:
        for moment in range(moments):
            (proxy.refuse.set if chance.random() < 0.3 else proxy.refuse.clear)()
            daemon = Daemon(folder, proxy.port)
            began = time.monotonic()
            threading.Thread(target=talk, args=(daemon,), daemon=True).start()
            try:
                if chance.random() < 0.5:
                    daemon.wait(lambda daemon=daemon: daemon.logged("listening"))
                    starting_s = time.monotonic() - began
                    time.sleep(chance.random() * starting_s)
                else:
                    time.sleep(chance.random() * starting_s)
                end(daemon, NUMBERS[moment % len(NUMBERS)])
            finally:
                daemon.kill()
            assert not accepted or not daemon.accepted or daemon.accepted[0] > accepted[-1]
            accepted += daemon.accepted
            daemon.process.stderr.close()
            with contextlib.suppress(OSError):
                daemon.process.stdin.close()
        proxy.refuse.clear()
        daemon = Daemon(folder, proxy.port)
        daemon.say()
        recorder.wait(lambda: recorder.on("journal") and recorder.journalled()[-1][1] >= daemon.accepted[-1], 120)
        assert daemon.stop() == 0
        assert_complete(recorder, daemon.accepted[-1])
        received = {message.json["seq"] for message in recorder.on("journal") if message.json["event_type"] != "gap"}
        assert set(accepted) <= received
    finally:
        recorder.close()
        proxy.close()
        broker.stop()
    return moments


def end(daemon: Daemon, number: signal.Signals) -> None:
    """Send the signal: the daemon ends in time, with the right code."""
    daemon.process.send_signal(number)
    try:
        code = daemon.ended(STOP_S)
    except subprocess.TimeoutExpired:
        pytest.fail(f"{number!r} does not end it: {''.join(daemon.log)}")
    told = "".join(daemon.log)
    if daemon.logged("listening"):  # it has taken charge of signals: a clean stop
        assert code == 0, (number, told)
        assert daemon.logged("stopped"), (number, told)
        assert "Traceback" not in told
    elif told.startswith("Fatal Python error: init_"):  # Python's own start was interrupted, before a line of ours
        assert code == 1, (number, told)
    else:  # while it starts, it ends as any program does; a shell says 128 and the number
        assert code in (0, -number, 130 if number == signal.SIGINT else 0), (number, told)


def talk(daemon: Daemon) -> None:
    """Say something into it for as long as it listens."""
    with contextlib.suppress(OSError, ValueError):
        daemon.hear(2 * speech())


INTERRUPTED = """
import signal, sys, threading
from edge.daemon.supervisor import Chore, Supervisor

def stopped(place):
    supervisor, seen = Supervisor(), 0
    signal.signal(signal.SIGTERM, lambda *_: supervisor.stop())
    def trace(frame, event, _):
        nonlocal seen
        if frame.f_globals["__name__"] not in ("threading", "queue", "edge.daemon.supervisor"):
            return None
        if event == "line":
            seen += 1
            if seen == place:
                signal.raise_signal(signal.SIGTERM)
        return trace
    sys.settrace(trace)
    supervisor.watch([], str)
    sys.settrace(None)

for place in range(int(sys.argv[1]), 60, int(sys.argv[2])):
    stop = threading.Timer(1.0, signal.raise_signal, [signal.SIGTERM])
    stop.daemon = True
    stop.start()
    stopped(place)
    stop.cancel()
"""


def test_f40_a_signal_at_any_line_of_the_wait_for_it_ends_the_wait() -> None:
    """A handler runs between two lines of the main thread, which may hold the lock of what it waits for."""
    side_by_side = 6
    commands = [[sys.executable, "-c", INTERRUPTED, str(1 + first), str(side_by_side)] for first in range(side_by_side)]
    running = [subprocess.Popen(command, cwd=ROOT) for command in commands]
    try:
        assert [process.wait(120) for process in running] == [0] * side_by_side
    finally:
        for process in running:
            process.kill()
            process.wait()


def test_f40_a_daemon_that_was_started_to_outlive_its_terminal_does(tmp_path: Path, broker: Broker) -> None:
    daemon = Daemon(tmp_path, broker.port, under=["nohup"])
    try:
        daemon.say()
        daemon.process.send_signal(signal.SIGHUP)
        daemon.say()
        assert daemon.stop() == 0
    finally:
        daemon.kill()
