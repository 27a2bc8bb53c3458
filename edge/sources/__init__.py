"""Where sound comes from: a microphone, a program, a file, standard input."""

from pathlib import Path
from typing import Protocol

from edge.errors import SourceError
from edge.sources.command import CommandSource
from edge.sources.file import FileSource
from edge.sources.microphone import Microphone, MicrophoneSource, list_microphones
from edge.sources.reopening import Reopening
from edge.sources.source import Source
from edge.sources.stdin import StdinSource

__all__ = [
    "CommandSource",
    "FileSource",
    "Microphone",
    "MicrophoneSource",
    "Reopening",
    "Source",
    "SourceChoice",
    "StdinSource",
    "list_microphones",
    "open_source",
]


class SourceChoice(Protocol):
    """The part of the configuration that says which source to hear."""

    @property
    def kind(self) -> str:
        """microphone, command, file or stdin."""

    @property
    def device(self) -> str | None:
        """Part of the microphone's name; None is the default one."""

    @property
    def command(self) -> list[str]:
        """The program to run, with its arguments."""

    @property
    def path(self) -> str | None:
        """The file to play."""

    @property
    def paced(self) -> bool:
        """Whether a file is played in real time."""

    @property
    def rate(self) -> int:
        """Of a program or standard input, Hz."""

    @property
    def channels(self) -> int:
        """Of a program or standard input."""


def open_source(settings: SourceChoice) -> Source:
    """The source that ``settings`` name; what it stands for is opened by ``blocks()``, anew with each call."""
    match settings.kind:
        case "microphone":
            return MicrophoneSource(settings.device)
        case "command":
            return CommandSource(settings.command, settings.rate, settings.channels)
        case "file" if settings.path is not None:
            return FileSource(Path(settings.path), paced=settings.paced)
        case "stdin":
            return StdinSource(settings.rate, settings.channels)
        case _:
            raise SourceError(f"source.kind {settings.kind!r} with path {settings.path!r} names nothing to hear")
