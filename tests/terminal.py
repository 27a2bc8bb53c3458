"""The command as a person starts it in a terminal."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile

from edge.audio import SAMPLE_RATE
from edge.sources.conversion import read_audio
from tests.conftest import DEMO, ROOT


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.wav"
    soundfile.write(path, read_audio(DEMO)[: 5 * SAMPLE_RATE], SAMPLE_RATE)
    return path


@contextlib.contextmanager
def started(*arguments: object, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "edge", *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment}, **pipes)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream:
                stream.close()


def one_sentence(text: str) -> str:
    (line,) = text.strip().splitlines()
    assert line.startswith("affectd: ")
    return line
