"""The supervisor: runs the workers, and tells systemd that all is well only while all of them move (sd_notify(3))."""

import contextlib
import logging
import os
import queue
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edge import log
from edge.errors import AffectdError

PATIENCE_S = 45.0  # a worker that has not moved for so long is stuck; less under a shorter watchdog
LONGEST_TURN_S = 2.0

_logger = logging.getLogger("affectd")


@dataclass(frozen=True)
class Chore:
    """Something that the supervisor's thread does every so many seconds; 0 for every turn."""

    every_s: float
    do: Callable[[], None]
    at_once: bool = False
    """Whether the first time is the first turn, rather than ``every_s`` later."""


class Heartbeats:
    """The latest heartbeat of each worker, monotonic seconds. One that never beat is not expected to."""

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._beats: dict[str, float] = {}

    def beat(self, worker: str, now: float) -> None:
        """The worker moves."""
        self._beats[worker] = now

    def stuck(self, now: float) -> list[str]:
        """The workers that have been silent for too long."""
        return [worker for worker, beat in sorted(self._beats.items()) if now - beat > self._patience_s]


class Supervisor:
    """Threads that the daemon cannot live without: the first that fails ends it.

    Any thread may call ``beat`` and ``stop``; the others belong to the main thread.
    """

    def __init__(self) -> None:
        self._wanted_s = watchdog_s()
        self._heartbeats = Heartbeats(min(PATIENCE_S, 0.75 * (self._wanted_s or PATIENCE_S)))
        self._ends: queue.SimpleQueue[None] = queue.SimpleQueue()  # a handler may put while we get; an Event would hang
        self._failure: AffectdError | None = None
        self._fed_at = 0.0
        self._stuck: list[str] = []

    @property
    def turn_s(self) -> float:
        """How long a worker may wait without a sign of life, so that the watchdog is fed in time."""
        return min(LONGEST_TURN_S, (self._wanted_s or PATIENCE_S) / 4)

    def start(self, name: str, target: Callable[[], None], *, last: bool = False) -> threading.Thread:
        """Run ``target`` on a thread; when it returns and is the ``last``, all is done."""

        def work() -> None:
            try:
                target()
            except AffectdError as error:
                self._fail(error)
            except BaseException as error:  # whatever it is, the daemon must not live on deaf
                _logger.debug("trace", exc_info=error)
                self._fail(
                    AffectdError(
                        f"the {name} has failed ({type(error).__name__}: {error}): "
                        "this is a fault of affectd; log_level: debug shows where"
                    )
                )
            else:
                if last:
                    self.stop()

        thread = threading.Thread(target=work, name=name, daemon=True)
        thread.start()
        return thread

    def beat(self, worker: str) -> None:
        """The worker moves."""
        self._heartbeats.beat(worker, time.monotonic())

    def stop(self) -> None:
        """End ``watch`` soon; a signal handler may call it, too."""
        self._ends.put(None)

    def watch(self, chores: Sequence[Chore], status: Callable[[], str]) -> None:
        """Do the chores and feed the watchdog, until ``stop``, the end of the last worker, or the failure of one.

        ``status`` is what `systemctl status` shows. Raises what the first worker that failed died of.
        """
        now = time.monotonic()
        due = [now if chore.at_once else now + chore.every_s for chore in chores]
        while not self._over():
            now = time.monotonic()
            for index, chore in enumerate(chores):
                if now >= due[index]:
                    due[index] = now + chore.every_s
                    chore.do()
            self._feed(now, status)
        self.check()

    def check(self) -> None:
        """Raises what the first worker that failed died of."""
        if self._failure is not None:
            raise self._failure

    def _feed(self, now: float, status: Callable[[], str]) -> None:
        """Feed the watchdog, if all workers move and it is time."""
        stuck = self._heartbeats.stuck(now)
        if stuck and stuck != self._stuck:
            _logger.error(log.line("stuck", workers=", ".join(stuck)))
            notify(STATUS=f"stuck: {', '.join(stuck)}")
        self._stuck = stuck
        if not stuck and self._wanted_s is not None and now - self._fed_at >= self._wanted_s / 4:
            self._fed_at = now
            notify(WATCHDOG=1, STATUS=status())

    def _fail(self, error: AffectdError) -> None:
        self._failure = self._failure or error
        self.stop()

    def _over(self) -> bool:
        """Wait for a turn; whether the end came."""
        try:
            self._ends.get(timeout=self.turn_s)
        except queue.Empty:
            return False
        return True


def notify(**fields: object) -> None:
    """Send ``READY=1``, ``STATUS=...``, ``WATCHDOG=1`` and the like; nothing where systemd does not listen."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    message = "\n".join(f"{name}={value}" for name, value in fields.items())
    path = "\0" + address[1:] if address.startswith("@") else address  # an abstract socket
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
        out.sendto(message.encode(), path)


def watchdog_s() -> float | None:
    """The interval in which systemd wants to hear from us, in seconds; None without a watchdog for this process."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    try:
        interval = int(os.environ["WATCHDOG_USEC"]) / 1e6
    except (KeyError, ValueError):
        return None
    return interval if interval > 0 else None
