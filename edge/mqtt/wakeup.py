"""A way to end another thread's select() early."""

import contextlib
import socket


class Wakeup:
    """``fileno`` becomes readable after ``call``, until ``clear``."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)

    def fileno(self) -> int:
        return self._reader.fileno()

    def call(self) -> None:
        """From any thread; never blocks."""
        with contextlib.suppress(BlockingIOError):  # enough calls are waiting already
            self._writer.send(b"\0", socket.MSG_DONTWAIT)

    def clear(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._reader.recv(4096)
