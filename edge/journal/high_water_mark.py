"""The high-water mark: a number beside the database, so that damage to the database never repeats a number."""

import os
import zlib
from pathlib import Path

_LENGTH = 64  # bytes: far below a sector, so that one write is all or nothing


class HighWaterMark:
    """A small file, overwritten in place and made durable, that holds the last number given out."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def read(self) -> tuple[int, int] | None:
        """The last number given out, and the number through which all were delivered; None where it is unreadable."""
        try:
            text = self._path.read_bytes()[: _LENGTH - 1].decode("ascii")
            last, delivered, checksum = text.split()
            sound = int(checksum, 16) == zlib.crc32(f"{last} {delivered}".encode())
            return (int(last), int(delivered)) if sound else None
        except (OSError, ValueError):
            return None

    def write(self, last: int, delivered: int) -> None:
        """Replace the numbers; on return they outlast a power cut. Raises OSError."""
        if self._descriptor is None:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        numbers = f"{last} {delivered}"
        line = f"{numbers} {zlib.crc32(numbers.encode()):08x}".ljust(_LENGTH - 1) + "\n"
        os.pwrite(self._descriptor, line.encode(), 0)
        os.fdatasync(self._descriptor)

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
