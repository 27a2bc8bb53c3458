"""Wyoming satellites to hear: real ones of the package ``wyoming``, and strangers that send any bytes.

``python -m tests.satellite play FILE RATE CHANNELS`` writes PCM in real time, over and over.
``... serve PORT RATE CHANNELS PROGRAM...`` is a server whose microphone is a program, as wyoming-mic-external is.
``... visit PORT RATE CHANNELS PROGRAM...`` connects to a server, asks what it serves, and streams there.
"""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from wyoming.audio import AudioChunk, AudioStart
from wyoming.client import AsyncTcpClient
from wyoming.event import Event
from wyoming.info import Describe, Info
from wyoming.server import AsyncEventHandler, AsyncTcpServer

from tests.conftest import ROOT

_CHUNK = 1024  # frames, as wyoming-satellite's


class Program:
    """A program that records, and the form of what it writes."""

    def __init__(self, rate: str, channels: str, *command: str) -> None:
        self.rate, self.channels, self.command = int(rate), int(channels), command

    async def stream(self, write: Callable[[Event], Awaitable[None]]) -> None:
        """Send what it records to its end; what comes then is nothing, as from wyoming-mic-external."""
        process = await asyncio.create_subprocess_exec(*self.command, stdout=asyncio.subprocess.PIPE)
        assert process.stdout is not None
        try:
            await write(AudioStart(rate=self.rate, width=2, channels=self.channels).event())
            with suppress(asyncio.IncompleteReadError):
                while audio := await process.stdout.readexactly(_CHUNK * 2 * self.channels):
                    await write(AudioChunk(rate=self.rate, width=2, channels=self.channels, audio=audio).event())
            await asyncio.Event().wait()
        finally:
            with suppress(ProcessLookupError):
                process.kill()


class Microphone(AsyncEventHandler):
    """Streams to whoever connects."""

    def __init__(self, program: Program, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        super().__init__(reader, writer)
        self._task = asyncio.create_task(program.stream(self.write_event))

    async def handle_event(self, event: Event) -> bool:
        return True

    async def disconnect(self) -> None:
        self._task.cancel()


async def serve(port: int, program: Program) -> None:
    """A microphone server. Told to end, it does so at once, but not in the middle of a message."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, os._exit, 0)
    server = AsyncTcpServer("127.0.0.1", port)
    await server.run(lambda reader, writer: Microphone(program, reader, writer))


async def visit(port: int, program: Program) -> None:
    """A satellite that asks what is served, and streams there for ever."""
    while True:
        with suppress(OSError):
            async with AsyncTcpClient("127.0.0.1", port) as client:
                await client.write_event(Describe().event())
                info = await client.read_event()
                assert info is not None
                assert Info.from_event(info).wake == []
                await program.stream(client.write_event)
        await asyncio.sleep(0.2)


def play(path: Path, rate: int, channels: int) -> None:
    """Write a file's sound in real time, over and over."""
    import numpy as np
    import soxr

    from edge.audio import SAMPLE_RATE
    from edge.sources.conversion import read_audio

    mono = soxr.resample(read_audio(path), SAMPLE_RATE, rate)
    sound = np.repeat(mono, channels).astype("<i2").tobytes()
    size, due = 2 * channels * _CHUNK, time.monotonic()
    while True:
        for place in range(0, len(sound), size):
            sys.stdout.buffer.write(sound[place : place + size])
            sys.stdout.buffer.flush()
            due += _CHUNK / rate
            time.sleep(max(0.0, due - time.monotonic()))


def start(role: str, port: int, rate: int, channels: int, *program: object) -> subprocess.Popen[bytes]:
    """A satellite as a process."""
    command = [sys.executable, "-m", "tests.satellite", role, str(port), str(rate), str(channels), *map(str, program)]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)


def playing(path: Path, rate: int, channels: int) -> list[object]:
    """The program that plays a file."""
    return [sys.executable, "-m", "tests.satellite", "play", path, rate, channels]


@contextmanager
def stranger(*conversations: bytes, stay: bool = False) -> Iterator[int]:
    """The port of a server that sends these bytes, to one connection after the other; ``stay``: then nothing more."""
    server = socket.create_server(("127.0.0.1", 0))
    done = threading.Event()

    def work() -> None:
        for said in conversations:
            with suppress(OSError), server.accept()[0] as peer:
                peer.sendall(said)
                if not stay:
                    peer.shutdown(socket.SHUT_WR)
                done.wait(30 if stay else 0.5)

    threading.Thread(target=work, daemon=True).start()
    yield server.getsockname()[1]
    done.set()
    server.close()


if __name__ == "__main__":
    role, *arguments = sys.argv[1:]
    if role == "play":
        play(Path(arguments[0]), *map(int, arguments[1:]))
    asyncio.run({"serve": serve, "visit": visit}[role](int(arguments[0]), Program(*arguments[1:])))
