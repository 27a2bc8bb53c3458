"""Standard output: text for people, JSON lines for programs, and what happens where neither can be written."""

import codecs
import io
import os
import sys
from pathlib import Path

from edge import files
from edge.errors import AffectdError

_STAND_INS = str.maketrans(
    {"█": "#", "▉": "#", "▊": "#", "▋": "#", "▌": "+", "▍": "+", "▎": ".", "▏": ".", "░": ".", "−": "-", "°": " deg "}
)


def prepare() -> None:
    """Let no text end the command because the terminal's encoding lacks a character of it.

    Standard streams that are closed stay so for us, but their numbers are taken: else the next file or connection would
    get one, and what a library writes to it would go there.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    codecs.register_error("affectd", _stand_in)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="affectd")


def line(text: str) -> None:
    """Write one line for people; raises AffectdError where that is impossible, BrokenPipeError where nobody reads."""
    _write(text, b"")


def json(document: bytes) -> None:
    """Write one JSON document as a line, UTF-8 whatever the terminal is (RFC 8259); raises as ``line`` does."""
    _write("", document)


def printable(text: str) -> str:
    """Text from the network or a file's name as it may be shown: control and unprintable characters escaped."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


def file_name(path: os.PathLike[str] | str) -> str:
    """A file's name as text; bytes of it that are not UTF-8 are escaped."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def finish() -> None:
    """Write what is still held back; raises as ``line`` does. Nothing is left for the interpreter's own last flush."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        discard()
        raise _failure(error) from None


def discard() -> None:
    """Drop what is still held back: it cannot be written, and must not be tried again."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)


def _write(text: str, document: bytes) -> None:
    if sys.stdout is None:
        raise AffectdError("standard output is closed: redirect it to a file, a pipe or /dev/null")
    try:
        if document:
            sys.stdout.flush()
            sys.stdout.buffer.write(document + b"\n")
        else:
            sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        discard()
        raise _failure(error) from None


def _failure(error: OSError) -> Exception:
    if isinstance(error, BrokenPipeError):
        return error
    return AffectdError(f"standard output cannot be written ({error.strerror}): make room, or write somewhere else")


def _stand_in(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end].translate(_STAND_INS)
    return text.encode("ascii", "backslashreplace").decode("ascii"), error.end


def save(path: Path, kind: str, content: bytes) -> None:
    """Write a ``kind`` of thing that somebody asked for, whole or not at all; AffectdError where it cannot be."""
    try:
        files.replace(path, content, 0o644)
    except OSError as error:
        raise AffectdError(
            f"{file_name(path)} cannot be written ({error.strerror}): choose another place for the {kind}"
        ) from None
