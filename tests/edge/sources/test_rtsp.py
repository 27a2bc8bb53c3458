"""A camera's sound: what ffmpeg is told, and what is said where it cannot be had."""

from pathlib import Path

import pytest

from edge.errors import SourceError
from edge.sources import RtspSource
from edge.sources.rtsp import playlist
from tests.conftest import free_port


def failure(source: RtspSource) -> str:
    with pytest.raises(SourceError) as caught:
        next(source.blocks())
    return str(caught.value)


def test_rtsp_without_ffmpeg_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    said = failure(RtspSource("rtsp://camera/stream"))
    assert said.endswith("ffmpeg cannot be run: No such file or directory: sudo apt-get install ffmpeg")


def test_rtsp_camera_that_is_off_is_said_without_the_password(tmp_path: Path) -> None:
    credentials = tmp_path / "camera"
    credentials.write_text("pi:s3cr%t\n")
    url = f"rtsp://127.0.0.1:{free_port()}/stream"
    said = failure(RtspSource(url, credentials))
    assert said.startswith(url)
    assert "Connection refused" in said
    assert "s3cr" not in said


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"\xff\n", "cannot be read: it is no UTF-8 text"),
        (b"", "must hold one line, user:password"),
        (b"pi\n", "must hold one line, user:password"),
        (b"pi:a\nfile 'x'\n", "must hold one line, user:password"),
    ],
)
def test_rtsp_credentials_that_are_none_are_said(tmp_path: Path, content: bytes | None, reason: str) -> None:
    path = tmp_path / "camera"
    if content is not None:
        path.write_bytes(content)
    assert failure(RtspSource("rtsp://camera/stream", path)) == f"source.credentials_file {path} {reason}"


def test_rtsp_playlist_asks_for_sound_alone_over_tcp() -> None:
    assert playlist("rtsp://camera/1").splitlines() == [
        "ffconcat version 1.0",
        "file 'rtsp://camera/1'",
        "option rtsp_transport tcp",
        "option allowed_media_types audio",
        "option timeout 10000000",
    ]
