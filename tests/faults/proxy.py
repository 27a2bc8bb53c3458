"""What stands between daemon and broker, and breaks their connections: packets are held, dropped, changed, cut."""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator

from paho.mqtt.packettypes import PacketTypes


class Proxy:
    """Stands between daemon and broker, and misbehaves on request."""

    def __init__(self, upstream: int) -> None:
        self._upstream = upstream
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self.swallow = threading.Event()  # forward nothing, in either direction
        self.refuse = threading.Event()  # close what connects
        self.drop_pubacks = threading.Event()
        self.delay_s = 0.0
        self.old: bool = False  # a broker that knows only MQTT 3.1.1, and hangs up on what is newer
        self.hang_up_on: bytes | None = None  # the topic of a PUBLISH for which the connection is closed
        self.refuse_subscription: int | None = None  # the place in a SUBSCRIBE of the topic that is not authorised
        self.cut_publish_at: int | None = None  # reset the connection at this byte of the next journal PUBLISH
        self.publish_length = 0  # of the last one that was let through
        self.accepted: list[float] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def reset(self) -> None:
        """Break every connection, without a goodbye."""
        for pair in self._pairs:
            for end in pair:
                _reset(end)
        self._pairs.clear()

    def close(self) -> None:
        self._server.close()
        self.reset()

    def _serve(self) -> None:
        while True:
            try:
                near, _ = self._server.accept()
            except OSError:
                return
            self.accepted.append(time.monotonic())
            try:
                if self.refuse.is_set():
                    raise OSError
                far = socket.create_connection(("127.0.0.1", self._upstream))
            except OSError:
                _reset(near)
                continue
            self._pairs.append((near, far))
            threading.Thread(target=self._pump, args=(near, far, self._upwards), daemon=True).start()
            threading.Thread(target=self._pump, args=(far, near, self._downwards), daemon=True).start()

    def _pump(
        self, source: socket.socket, target: socket.socket, change: Callable[[bytes], tuple[bytes, bool]]
    ) -> None:
        with contextlib.suppress(OSError):
            for packet in _packets(source):
                if self.delay_s:
                    time.sleep(self.delay_s)
                if self.swallow.is_set():
                    continue
                changed, cut = change(packet)
                target.sendall(changed)
                if cut:
                    _reset(source)
                    _reset(target)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)  # an orderly end: what was sent before it still arrives

    def _upwards(self, packet: bytes) -> tuple[bytes, bool]:
        kind = packet[0] >> 4
        if kind == PacketTypes.CONNECT and self.old and packet[packet.index(b"MQTT") + 4] == 5:
            return b"", True
        if kind == PacketTypes.PUBLISH and self.hang_up_on is not None and self.hang_up_on in packet[:60]:
            return b"", True
        if kind == PacketTypes.PUBLISH and b"/journal" in packet[:60]:
            self.publish_length = len(packet)
            at, self.cut_publish_at = self.cut_publish_at, None
            if at is not None:
                return packet[:at], True
        return packet, False

    def _downwards(self, packet: bytes) -> tuple[bytes, bool]:
        if packet[0] >> 4 == PacketTypes.SUBACK and self.refuse_subscription is not None:
            reasons = 4 + (not self.old)  # behind header, identifier and, in MQTT 5, no properties
            changed = bytearray(packet)
            place = reasons + self.refuse_subscription
            if place < len(changed):  # otherwise this one is about other topics
                changed[place] = 0x80 if self.old else 0x87
            return bytes(changed), False
        dropped = packet[0] >> 4 == PacketTypes.PUBACK and self.drop_pubacks.is_set()
        return (b"" if dropped else packet), False


def _reset(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    with contextlib.suppress(OSError):
        end.close()


def _packets(source: socket.socket) -> Iterator[bytes]:
    """Whole MQTT control packets."""
    buffer = b""
    while piece := source.recv(65536):
        buffer += piece
        while len(buffer) >= 2:
            length, shift, at = 0, 0, 1
            while at < len(buffer) and buffer[at] & 0x80:
                length |= (buffer[at] & 0x7F) << shift
                shift, at = shift + 7, at + 1
            if at >= len(buffer):
                break
            length |= buffer[at] << shift
            end = at + 1 + length
            if len(buffer) < end:
                break
            yield buffer[:end]
            buffer = buffer[end:]
