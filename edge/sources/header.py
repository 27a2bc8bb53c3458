"""The length fields in the headers of audio files, as recorders that were interrupted or write to a pipe leave them.

libsndfile believes a length of 0, in CAF and AU also one that is too long, where the sound goes on to the file's end.
"""

import io
import os
import struct
from typing import BinaryIO

LOOKED_AT = 1 << 16  # bytes of a file in which its header must end

_CHUNKS = {b"LIST", b"id3 ", b"ID3 ", b"bext", b"cue ", b"PEAK", b"fact", b"JUNK", b"PAD ", b"iXML", b"_PMX", b"smpl"}
_UNKNOWN_WAV = b"\xff\xff\xff\xff"


def repairs(header: bytes, size: int) -> dict[int, bytes]:
    """What to put at which offset, so that a file of ``size`` bytes that begins with ``header`` is read to its end.

    Empty where the header is sound, or of no format in which such fields are known.
    """
    try:
        if header[8:12] == b"WAVE" and header[:4] in (b"RIFF", b"RF64", b"BW64"):
            return _wav(header, size)
        if header[:4] == b".snd":
            return _au(header, size)
        if header[:4] == b"caff":
            return _caf(header, size)
    except struct.error:  # it breaks off
        pass
    return {}


def _wav(header: bytes, size: int) -> dict[int, bytes]:
    """RIFF, and RF64 (EBU Tech 3306), which keeps its lengths in a chunk of their own."""
    at, lengths = 12, 0
    while header[at : at + 4] != b"data":
        if header[at : at + 4] == b"ds64":
            lengths = at + 8
        (length,) = struct.unpack_from("<I", header, at + 4)
        at += 8 + length + length % 2
    (length,) = struct.unpack_from("<I", header, at + 4)
    begin = at + 8
    if lengths:
        (length,) = struct.unpack_from("<Q", header, lengths + 8)
    if length or begin >= size or header[begin : begin + 4] in _CHUNKS:
        return {}
    return {lengths + 8: struct.pack("<Q", size - begin)} if lengths else {at + 4: _UNKNOWN_WAV}


def _au(header: bytes, size: int) -> dict[int, bytes]:
    begin, length = struct.unpack_from(">II", header, 4)
    return {8: b"\xff\xff\xff\xff"} if begin < size and not 0 < length <= size - begin else {}


def _caf(header: bytes, size: int) -> dict[int, bytes]:
    at = 8
    while header[at : at + 4] != b"data":
        (length,) = struct.unpack_from(">q", header, at + 4)
        if length < 0:
            return {}
        at += 12 + length
    (length,) = struct.unpack_from(">q", header, at + 4)
    left = size - at - 12
    return {at + 4: struct.pack(">q", left)} if left > 0 and not 0 < length <= left else {}


class Repaired(io.RawIOBase):
    """A file seen with other bytes at some places."""

    def __init__(self, file: BinaryIO, places: dict[int, bytes]) -> None:
        super().__init__()
        self._file = file
        self._places = places

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """As of the file itself."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """As of the file itself."""
        return self._file.tell()

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """As of the file itself, but for the places."""
        begin = self._file.tell()
        data = bytearray(self._file.read(len(buffer)))
        for place, content in self._places.items():
            first, last = max(place, begin), min(place + len(content), begin + len(data))
            if first < last:
                data[first - begin : last - begin] = content[first - place : last - place]
        buffer[: len(data)] = data
        return len(data)
