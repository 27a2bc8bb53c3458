"""A proxy between a client and a broker that records when messages are published and acknowledged (MQTT 5)."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

PUBLISH, PUBACK = 3, 4  # control packet types, MQTT 5 section 2.1.2


@dataclass
class Wire:
    """``sent`` and ``acknowledged``: topic and moment (``time.perf_counter``) of each message of quality 1."""

    port: int = 0
    sent: list[tuple[str, float]] = field(default_factory=list)
    acknowledged: list[tuple[str, float]] = field(default_factory=list)
    news: threading.Condition = field(default_factory=threading.Condition)
    _waiting: dict[int, str] = field(default_factory=dict)

    def upstream(self, kind: int, flags: int, body: bytes) -> None:
        if kind == PUBLISH and flags & 0b110:
            length = int.from_bytes(body[:2], "big")
            topic = body[2 : 2 + length].decode()
            self._waiting[int.from_bytes(body[2 + length : 4 + length], "big")] = topic
            self.sent.append((topic, time.perf_counter()))

    def downstream(self, kind: int, _flags: int, body: bytes) -> None:
        if kind == PUBACK:
            with self.news:
                topic = self._waiting.pop(int.from_bytes(body[:2], "big"))
                self.acknowledged.append((topic, time.perf_counter()))
                self.news.notify_all()


@contextlib.contextmanager
def wire(broker: int) -> Iterator[Wire]:
    """A proxy to the broker at that port, for one client, which connects to ``Wire.port`` instead."""
    listener = socket.create_server(("127.0.0.1", 0))
    result = Wire(listener.getsockname()[1])

    def serve() -> None:
        client, _ = listener.accept()
        server = socket.create_connection(("127.0.0.1", broker))
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=_copy, args=(server, client, result.downstream), daemon=True).start()
        _copy(client, server, result.upstream)

    threading.Thread(target=serve, daemon=True).start()
    with listener:
        yield result


def _copy(source: socket.socket, sink: socket.socket, note: Callable[[int, int, bytes], None]) -> None:
    """Forward everything, and record each control packet."""
    pending = b""
    with contextlib.suppress(OSError):
        while piece := source.recv(65_536):
            pending += piece
            while (packet := _first(pending)) is not None:
                kind, flags, begin, end = packet
                note(kind, flags, pending[begin:end])
                pending = pending[end:]
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)


def _first(data: bytes) -> tuple[int, int, int, int] | None:
    """Type, flags, and where the body of the first packet begins and ends; None while it is incomplete."""
    length = 0
    for place in range(1, min(len(data), 5)):
        length |= (data[place] & 0x7F) << 7 * (place - 1)
        if data[place] < 0x80:
            end = place + 1 + length
            return (data[0] >> 4, data[0] & 0xF, place + 1, end) if len(data) >= end else None
    return None
