"""Where sound comes from: a microphone, a program, a file, standard input, a satellite, a camera."""

from pathlib import Path

from edge.config import SourceSettings
from edge.errors import SourceError
from edge.sources.command import CommandSource
from edge.sources.file import FileSource
from edge.sources.microphone import Microphone, MicrophoneSource, list_microphones
from edge.sources.reopening import Reopening
from edge.sources.rtsp import RtspSource
from edge.sources.source import Source
from edge.sources.stdin import StdinSource
from edge.sources.wyoming import WyomingSource

__all__ = [
    "CommandSource",
    "FileSource",
    "Microphone",
    "MicrophoneSource",
    "Reopening",
    "RtspSource",
    "Source",
    "StdinSource",
    "WyomingSource",
    "list_microphones",
    "open_source",
]


def open_source(settings: SourceSettings) -> Source:
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
        case "wyoming" if settings.url is not None:
            return WyomingSource(settings.url, listen=settings.listen)
        case "rtsp" if settings.url is not None:
            return RtspSource(settings.url, Path(settings.credentials_file) if settings.credentials_file else None)
        case _:
            raise SourceError(f"source.kind {settings.kind!r} with path {settings.path!r} names nothing to hear")
