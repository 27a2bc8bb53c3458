"""The two settings that can be changed over MQTT, kept through restarts."""

import logging
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from edge import files, log

_logger = logging.getLogger("affectd")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """``threshold``: None leaves it to the configuration."""

    listening: bool = True
    threshold: Annotated[float, Meta(ge=0, le=1)] | None = None


def load(path: Path) -> Settings:
    """What was saved; the defaults where nothing ever was. What cannot be read means muted, and is said."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Settings)
    except (FileNotFoundError, NotADirectoryError):
        return Settings()
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        todo = "muted, in case it said so: switch `listening` on again"
        _logger.warning(log.line("settings", file=path, error=str(error), todo=todo))
        return Settings(listening=False)


def save(path: Path, settings: Settings) -> None:
    """Replace the file whole, durably. Raises OSError."""
    files.replace(path, msgspec.json.encode(settings))
