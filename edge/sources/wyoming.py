"""The microphone of a Wyoming satellite: affectd connects to it, or is the server that it connects to."""

import contextlib
import os
import select
import socket
import threading
from collections.abc import Iterator
from time import monotonic
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from edge.attempts import Attempts
from edge.audio import BLOCK_SECONDS
from edge.errors import SourceError
from edge.sources.messages import Form, Message, decode, encode, form
from edge.sources.pcm import PipeReader, PipeSource, pcm_blocks
from edge.sources.reopening import AwaitedError

_CONNECT_S = 10.0  # for name, TCP and all
_AWAIT_S = 10.0  # for a satellite to come, before the wait is said to go on
_STALL_S = 10.0  # without sound, though the connection stands: half-open, or a microphone that hangs
_LOOK_UP_S = 0.2
_STALE_S = 1.0  # for which what waited in the connection is passed over, at most
_WAITING = 4  # connections that may wait for their turn
_NO_SERVICE = Message("info", {name: [] for name in ("asr", "tts", "handle", "intent", "wake", "mic", "snd")})


class WyomingSource(PipeSource):
    """Sound of ``url``, tcp://HOST:PORT; ``listen``: the satellite connects to that address, one at a time.

    ``lost_s`` grows where the satellite stops and starts its stream, or changes its form.
    """

    endless = True
    always_on = False  # the connection is closed

    def __init__(self, url: str, *, listen: bool = False) -> None:
        parts = urlsplit(url)
        if parts.hostname is None or parts.port is None:
            raise SourceError(f"source.url {url!a} has no host and port: write tcp://HOST:PORT")
        super().__init__(_STALL_S)
        self.name = url
        self.lost_s = 0.0
        self._attempts = Attempts("dialling")
        self._address = parts.hostname, parts.port
        self._listen = listen
        self._server: socket.socket | None = None

    def blocks(self) -> Iterator[NDArray[np.int16]]:
        """Connect, or wait for a satellite; yield int16 [512], mono 16 kHz; raises SourceError."""
        try:
            with self._accepted() if self._listen else self._dialled() as peer:
                try:
                    yield from self._hear(peer)
                except OSError as error:
                    raise SourceError(f"has broken off: {_words(error)}; see the satellite's own log") from error
        except AwaitedError:
            raise
        except (SourceError, OSError) as error:
            reason = error if isinstance(error, SourceError) else f"cannot be reached: {_words(error)}"
            raise SourceError(f"{self.name} {reason}") from error

    def close(self) -> None:
        """End ``blocks()`` soon, for good, and give the port back; from any thread."""
        super().close()
        if self._server is not None:
            self._server.close()

    def _hear(self, peer: socket.socket) -> Iterator[NDArray[np.int16]]:
        chunks = _Chunks(peer, self._reader, self._closed, stale=self._listen)
        if not self._listen:
            peer.sendall(encode(Message("describe")))
        while (first := chunks.first()) is not None:
            yield from pcm_blocks(chunks.stretch(first), first[0].rate, first[0].channels)
            self.lost_s += BLOCK_SECONDS
        if self._closed.is_set():
            return
        if self._listen and not chunks.heard:
            raise AwaitedError(f"{self.name}: a visitor left without sound; it waits for a satellite")
        raise SourceError("has closed the connection: see the satellite's own log")

    def _dialled(self) -> socket.socket:
        """A connection to the satellite."""
        peer = self._attempts.make(
            lambda: socket.create_connection(self._address, _CONNECT_S),
            lambda elapsed_s: elapsed_s < _CONNECT_S and not self._closed.is_set(),
            lambda late: late.close() if late else None,
        )
        if peer is None:
            why = (
                "is closed" if self._closed.is_set() else f"does not answer within {_CONNECT_S:g} s: is it switched on?"
            )
            raise SourceError(why)
        return peer

    def _accepted(self) -> socket.socket:
        """The next connection of a satellite; the port stays open between two."""
        if self._server is None:
            try:
                family = socket.getaddrinfo(*self._address, type=socket.SOCK_STREAM)[0][0]
                self._server = socket.create_server(self._address, family=family, backlog=_WAITING)
            except OSError as error:
                raise SourceError(f"cannot be listened on: {_words(error)}; is the port another program's?") from error
        until = monotonic() + _AWAIT_S
        while not self._closed.is_set() and monotonic() < until:
            with contextlib.suppress(ValueError):  # it has just been closed
                if select.select([self._server], [], [], _LOOK_UP_S)[0]:
                    peer, _ = self._server.accept()
                    peer.settimeout(_CONNECT_S)
                    return peer
        raise AwaitedError(f"{self.name}: no satellite has connected yet; it waits for one")


class _Chunks:
    """The sound in a connection, in stretches of one form; answers what the satellite asks meanwhile."""

    def __init__(self, peer: socket.socket, reader: PipeReader, closed: threading.Event, *, stale: bool) -> None:
        self.heard = False
        self._peer = peer
        self._reader = reader
        self._closed = closed
        self._messages = decode(reader.pieces(peer.fileno()))
        self._began = self._latest = monotonic()
        self._drained = reader.drains if stale else None  # what waited until the connection was taken is old
        self._next: tuple[Form, bytes] | None = None
        self._form: Form | None = None

    def first(self) -> tuple[Form, bytes] | None:
        """The first chunk of the next stretch; None at the end of the connection."""
        chunk, self._next = self._next, None
        while chunk is None:
            message = next(self._messages, None)
            if message is None:
                return None
            chunk = self._chunk(message)
        return chunk

    def stretch(self, first: tuple[Form, bytes]) -> Iterator[bytes]:
        """PCM from ``first`` to where the satellite stops, or goes on in another form."""
        yield first[1]
        for message in self._messages:
            chunk = self._chunk(message)
            if message.type == "audio-stop":
                return
            if chunk is not None and chunk[0] != first[0]:
                self._next = chunk
                return
            if chunk is not None:
                yield chunk[1]

    def _chunk(self, message: Message) -> tuple[Form, bytes] | None:
        """The sound in a message; other messages are answered, where they are questions."""
        if message.type == "audio-chunk":
            found = form(message.data) if "rate" in message.data or self._form is None else self._form
            self._latest = monotonic()
            self.heard = True
            return None if self._stale() or not message.payload else (found, message.payload)
        if message.type == "audio-start":
            self._form = form(message.data)
        elif message.type == "describe":
            self._peer.sendall(encode(_NO_SERVICE))
        elif message.type == "ping":
            self._peer.sendall(encode(Message("pong", {"text": str(message.data.get("text", ""))})))
        elif message.type == "info" and message.data.get("satellite"):
            self._peer.sendall(encode(Message("run-satellite")))  # which streams only to a server that asks
        if monotonic() - self._latest > _STALL_S:
            raise SourceError(f"sends no sound for {_STALL_S:g} s: see the satellite's own log")
        return None

    def _stale(self) -> bool:
        if self._drained is not None:
            old = self._reader.drains == self._drained and monotonic() - self._began < _STALE_S
            self._drained = self._drained if old else None
        return self._drained is not None


def _words(error: OSError) -> str:
    """The system's own words, without what Python adds; the resolver's have numbers of their own, below zero."""
    return os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or str(error)
