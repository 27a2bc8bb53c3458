"""Logs as ``key=value`` lines for journald and for people."""

import logging
import os
import sys
import time

_PRIORITY = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}  # syslog(3)


def line(what: str, **fields: object) -> str:
    """``what key=value key="two words"``; floats are shortened, None is left out."""
    return " ".join([what, *(f"{key}={_quoted(value)}" for key, value in fields.items() if value is not None)])


def _quoted(value: object) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    if text and not any(character.isspace() or character in '="' for character in text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") + '"'


class _Formatter(logging.Formatter):
    """Under journald the priority goes in front of the line (sd-daemon(3)), elsewhere the time does."""

    def __init__(self) -> None:
        super().__init__()
        self._journald = "JOURNAL_STREAM" in os.environ

    def format(self, record: logging.LogRecord) -> str:
        text = f"level={record.levelname.lower()} {record.getMessage()}"
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        if self._journald:
            return f"<{_PRIORITY.get(record.levelno, 6)}>{text}"
        return f"{time.strftime('%H:%M:%S', time.localtime(record.created))} {text}"


def configure(level: str) -> logging.Logger:
    """Send the log of affectd to stderr; returns its logger."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter())
    logger = logging.getLogger("affectd")
    logger.handlers[:] = [handler]
    logger.setLevel(level.upper())
    logger.propagate = False
    return logger


class Repeats:
    """Says whether a recurring message is due: the first time, then once in ``every_s``, each message for itself."""

    def __init__(self, every_s: float = 300.0) -> None:
        self._every_s = every_s
        self._last: dict[str, float] = {}

    def due(self, message: str, now: float) -> bool:
        """Whether to say it now, in monotonic seconds; if so, it is taken as said."""
        self._last = {text: said for text, said in self._last.items() if now - said < self._every_s}
        if message in self._last:
            return False
        self._last[message] = now
        return True

    def clear(self) -> None:
        """What comes next is news again."""
        self._last.clear()
