"""The Wyoming protocol: a line of JSON, then more JSON and a payload, each as long as the line says.

Source: the documentation of github.com/OHF-Voice/wyoming. Read here, since it is short, and since a reader for a device
must bound what a stranger may send.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from edge.errors import SourceError

MOST_LINE = 1 << 16  # bytes
MOST_DATA = 1 << 20  # bytes: what a server of many voices says about itself
MOST_PAYLOAD = 1 << 20  # bytes: five seconds of sound at 48 kHz, stereo
_RATES, _CHANNELS = range(8000, 192_001), range(1, 33)  # as source.rate and source.channels allow
_SHOWN = 40  # characters of what is not understood


@dataclass(frozen=True, slots=True)
class Message:
    """One event of the protocol."""

    type: str
    data: dict[str, Any] = field(default_factory=dict)
    payload: bytes = b""


@dataclass(frozen=True, slots=True)
class Form:
    """What samples are: their rate in Hz and interleaved channels; always signed 16-bit little-endian."""

    rate: int
    channels: int


def encode(message: Message) -> bytes:
    """The bytes of a message."""
    data = json.dumps(message.data).encode()
    lengths = {"data_length": len(data), "payload_length": len(message.payload)}
    return json.dumps({"type": message.type, **lengths}).encode() + b"\n" + data + message.payload


def decode(pieces: Iterable[bytes]) -> Iterator[Message]:
    """Messages out of bytes that come in pieces of any size. Raises SourceError where they are none, or absurd."""
    reader = _Reader(pieces)
    while (line := reader.line()) is not None:
        header = _object(line, "a line")
        data_length = _length(header, "data_length", MOST_DATA)
        payload_length = _length(header, "payload_length", MOST_PAYLOAD)
        kind, data = header.get("type"), header.get("data")
        if not isinstance(kind, str):
            raise SourceError(f"sends a line without a type, {_shown(line)}: is it a Wyoming server?")
        data = dict(data) if isinstance(data, dict) else {}
        if data_length:
            data |= _object(reader.exactly(data_length), f"data of {kind[:_SHOWN]!a}")
        yield Message(kind, data, reader.exactly(payload_length))


def form(data: dict[str, Any]) -> Form:
    """What the data of ``audio-start`` and ``audio-chunk`` say of the samples. Raises SourceError where none can be."""
    rate, width, channels = (data.get(name) for name in ("rate", "width", "channels"))
    if type(width) is not int or width != 2:
        raise SourceError(f"sends samples of width {_shown(width)}: set it to 2 bytes (S16_LE) at the satellite")
    if type(rate) is not int or rate not in _RATES or type(channels) is not int or channels not in _CHANNELS:
        raise SourceError(
            f"sends sound of rate {_shown(rate)} with channels {_shown(channels)}: 8000 to 192000 Hz and 1 to 32 "
            "channels are possible"
        )
    return Form(rate, channels)


class _Reader:
    """A buffer over pieces; it holds one message at most, and the piece that came with its end."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._buffer = bytearray()

    def line(self) -> bytes | None:
        """The next line; None at the end."""
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) > MOST_LINE:
                break
            if not self._fill():
                if self._buffer:
                    raise SourceError(_CUT)
                return None
        if not 0 <= end <= MOST_LINE:
            shown = _shown(bytes(self._buffer[:MOST_LINE]))
            raise SourceError(f"sends {shown} and no end of a line: is it a Wyoming server?")
        return self._take(end + 1)

    def exactly(self, count: int) -> bytes:
        """The next ``count`` bytes."""
        while len(self._buffer) < count:
            if not self._fill():
                raise SourceError(_CUT)
        return self._take(count)

    def _fill(self) -> bool:
        piece = next(self._pieces, b"")
        self._buffer += piece
        return bool(piece)

    def _take(self, count: int) -> bytes:
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken


_CUT = "has ended in the middle of a message: see the satellite's own log"


def _object(text: bytes, what: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise SourceError(f"sends {what} that is no JSON object, {_shown(text)}: is it a Wyoming server?")
    return found


def _length(header: dict[str, Any], name: str, most: int) -> int:
    length = header.get(name)
    if length is None:
        return 0
    if type(length) is not int or not 0 <= length <= most:
        raise SourceError(f"announces a {name} of {_shown(length)}: from 0 to {most} bytes are possible")
    return length


def _shown(value: object) -> str:
    """A stranger's value, short and in ASCII."""
    text = ascii(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
