"""The two settings that can be changed over MQTT, kept through restarts."""

import os
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """``threshold``: None leaves it to the configuration."""

    listening: bool = True
    threshold: Annotated[float, Meta(ge=0, le=1)] | None = None


def load(path: Path) -> Settings:
    """What was saved; the defaults where there is nothing, or nothing readable."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Settings)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return Settings()


def save(path: Path, settings: Settings) -> None:
    """Replace the file whole, durably. Raises OSError."""
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        file.write(msgspec.json.encode(settings))
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
