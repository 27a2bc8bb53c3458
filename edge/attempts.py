"""Calls that nothing can end, such as looking up a name: each on a thread of its own, left behind where it hangs."""

import contextlib
import queue
import threading
import time
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")

MOST = 16  # calls that hang at a time; more would only hang, too
_TURN_S = 0.2


class Attempts:
    """Makes such calls one after the other; used by one thread. ``name`` is what their threads are called."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._hanging: list[threading.Thread] = []

    def make(
        self, call: Callable[[], Result], go_on: Callable[[float], bool], undo: Callable[[Result | None], None]
    ) -> Result | None:
        """What ``call`` returns or raises; None once ``go_on`` says no.

        ``go_on`` is asked several times a second with the seconds that have passed, and may raise. What comes of a call
        that was given up goes to ``undo``, None where it failed. Raises OSError where too many calls hang already.
        """
        self._hanging = [thread for thread in self._hanging if thread.is_alive()]
        if len(self._hanging) >= MOST:
            raise OSError(f"{MOST} attempts hang in the resolver or in TLS: see the resolver of this machine")
        outcome: queue.SimpleQueue[tuple[Result | None, BaseException | None]] = queue.SimpleQueue()
        given_up = threading.Event()

        def undone() -> None:
            with contextlib.suppress(queue.Empty):  # one of the two threads takes it
                undo(outcome.get_nowait()[0])

        def attempt() -> None:
            try:
                outcome.put((call(), None))
            except BaseException as error:  # noqa: BLE001  # raised again by whoever waits
                outcome.put((None, error))
            if given_up.is_set():
                undone()

        thread = threading.Thread(target=attempt, name=self._name, daemon=True)
        thread.start()
        began, made = time.monotonic(), False
        try:
            while go_on(time.monotonic() - began):
                with contextlib.suppress(queue.Empty):
                    result, failure = outcome.get(timeout=_TURN_S)
                    made = True
                    break
        finally:
            if not made:
                given_up.set()
                self._hanging.append(thread)
                undone()
        if not made:
            return None
        if failure is not None:
            raise failure
        return result
