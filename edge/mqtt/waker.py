"""A way to end another thread's select() early."""

import contextlib
import socket


class Waker:
    """``fileno`` becomes readable after ``wake``, until ``clear``."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)

    def fileno(self) -> int:
        """What select() waits for."""
        return self._reader.fileno()

    def wake(self) -> None:
        """From any thread; never blocks."""
        with contextlib.suppress(BlockingIOError):  # it has been woken often enough already
            self._writer.send(b"\0", socket.MSG_DONTWAIT)

    def clear(self) -> None:
        """The waiting thread is awake."""
        with contextlib.suppress(BlockingIOError):
            self._reader.recv(4096)
