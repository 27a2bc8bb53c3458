"""The sound of a network camera, through ffmpeg."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import numpy as np
from numpy.typing import NDArray

from edge.errors import SourceError
from edge.sources.command import CommandSource

_OPTIONS = {"rtsp_transport": "tcp", "allowed_media_types": "audio", "timeout": str(10_000_000)}  # microseconds
_COMMAND = [
    *("ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error"),
    *("-f", "concat", "-safe", "0", "-protocol_whitelist", "pipe,rtsp,rtsps,rtp,udp,tcp,tls,crypto", "-i", "pipe:0"),
    *("-map", "0:a:0", "-f", "s16le", "-ar", "16000", "-ac", "1", "pipe:1"),
]


class RtspSource(CommandSource):
    """The first sound of ``url``, rtsp://HOST/PATH; ``credentials`` is a file with one line ``user:password``.

    ffmpeg is told where the camera is on its standard input, as a list for its demuxer ``concat``, so that the password
    stands neither in its arguments nor in its environment. What it says last is logged without the password.
    """

    remedy = ": sudo apt-get install ffmpeg"

    def __init__(self, url: str, credentials: Path | None = None) -> None:
        super().__init__(_COMMAND)
        self.name = url
        self._url = url
        self._credentials = credentials
        self._secrets: list[str] = []

    def blocks(self) -> Iterator[NDArray[np.int16]]:
        """Run ffmpeg and read what it decodes, as int16 [512], mono 16 kHz; SourceError where it fails."""
        try:
            self._input = playlist(self._login(self._url)).encode()
            yield from super().blocks()
        except SourceError as error:
            raise SourceError(self._without_secrets(str(error))) from None

    def _login(self, url: str) -> str:
        """The URL with name and password in it."""
        if self._credentials is None:
            return url
        try:
            line = self._credentials.read_text(encoding="utf-8-sig").strip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
            raise SourceError(f"source.credentials_file {self._credentials} cannot be read: {reason}") from None
        user, colon, password = line.partition(":")
        if not user or not colon or not line.isprintable():
            raise SourceError(f"source.credentials_file {self._credentials} must hold one line, user:password")
        login = f"{quote(user, safe='')}:{quote(password, safe='')}"
        self._secrets = sorted({login, line, password, quote(password, safe="")} - {""}, key=len, reverse=True)
        return urlsplit(url)._replace(netloc=f"{login}@{urlsplit(url).netloc}").geturl()

    def _without_secrets(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        text = re.sub(r"//[^/@\s]*@", "//", text).replace("pipe:0: ", "")
        if "Unauthorized" in text or "401" in text:
            return f"{text}: see source.credentials_file"
        return text


def playlist(url: str) -> str:
    """What ffmpeg's demuxer ``concat`` reads: one camera, over TCP, its sound alone."""
    options = "".join(f"option {name} {value}\n" for name, value in _OPTIONS.items())
    return f"ffconcat version 1.0\nfile '{url}'\n{options}"
