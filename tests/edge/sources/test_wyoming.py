"""Wyoming satellites: what is heard of real ones, and what strangers may send."""

import asyncio
import contextlib
import json
import socket
import struct
import threading
import tracemalloc
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.event import Event, async_write_event

from edge.audio import BLOCK_SAMPLES, SAMPLE_RATE
from edge.errors import SourceError
from edge.sources import Reopening, WyomingSource
from edge.sources.messages import MOST_LINE, MOST_PAYLOAD, Message, decode, encode
from tests.conftest import free_port, until
from tests.satellite import stranger

NOISE = np.random.default_rng(1).integers(-3000, 3000, 4 * BLOCK_SAMPLES).astype(np.int16)


class _Sink:
    """What ``wyoming`` writes."""

    def __init__(self) -> None:
        self.written = b""

    def write(self, data: bytes) -> None:
        self.written += data

    def writelines(self, lines: list[bytes]) -> None:
        self.written += b"".join(lines)

    async def drain(self) -> None:
        pass


def in_own_loop(coroutine: Coroutine[Any, Any, None]) -> None:
    """Runs a coroutine in a thread: the tests of the app leave a loop that runs in the main one."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, coroutine).result()


def said(*events: Event) -> bytes:
    """The bytes of events, as the real package writes them."""
    sink = _Sink()
    for event in events:
        in_own_loop(async_write_event(event, sink))
    return sink.written


def chunk(samples: np.ndarray, rate: int = SAMPLE_RATE, channels: int = 1, width: int = 2) -> Event:
    return AudioChunk(rate=rate, width=width, channels=channels, audio=samples.astype("<i2").tobytes()).event()


def heard(source: WyomingSource) -> tuple[np.ndarray, str]:
    """What a source yields before it fails, and why it does."""
    blocks = [np.zeros(0, np.int16)]
    with pytest.raises(SourceError) as caught:
        blocks.extend(source.blocks())
    return np.concatenate(blocks), str(caught.value)


def test_wyoming_messages_are_those_of_the_real_package() -> None:
    start = AudioStart(rate=48000, width=2, channels=2, timestamp=5)
    written = said(start.event(), chunk(NOISE), AudioStop().event())
    first, second, third = decode([written])
    assert first == Message("audio-start", {"rate": 48000, "width": 2, "channels": 2, "timestamp": 5})
    assert second.payload == NOISE.tobytes()
    assert third.type == "audio-stop"


@given(st.binary(max_size=300), st.integers(1, 40))
def test_wyoming_messages_survive_any_cut(payload: bytes, size: int) -> None:
    whole = 2 * encode(Message("audio-chunk", {"rate": 1, "text": "ä\n"}, payload))
    pieces = [whole[place : place + size] for place in range(0, len(whole), size)]
    assert list(decode(pieces)) == 2 * [Message("audio-chunk", {"rate": 1, "text": "ä\n"}, payload)]


@given(st.binary(max_size=200))
def test_wyoming_garbage_is_a_source_error_and_nothing_else(garbage: bytes) -> None:
    with contextlib.suppress(SourceError):
        list(decode([garbage]))


def test_wyoming_memory_stays_bounded_whatever_is_announced() -> None:
    endless = (b"x" * 65_536 for _ in iter(int, 1))
    tracemalloc.start()
    with pytest.raises(SourceError, match="no end of a line"):
        list(decode(endless))
    header = json.dumps({"type": "audio-chunk", "payload_length": MOST_PAYLOAD}).encode() + b"\n"
    decoded = decode(iter([header, *[b"x" * 65_536] * 16]))
    assert len(next(decoded).payload) == MOST_PAYLOAD
    assert tracemalloc.get_traced_memory()[1] < 8 * MOST_PAYLOAD
    tracemalloc.stop()


def line(**header: object) -> bytes:
    return json.dumps({"type": "audio-chunk", "data": {"rate": 16000, "width": 2, "channels": 1}} | header).encode()


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"", "has closed the connection"),
        (b"HTTP/1.1 400 Bad Request\r\n", "a line that is no JSON object, b'HTTP/1.1"),
        (b"\xff\xfe\x00garbage\n", "no JSON object"),
        (b"[1]\n", "no JSON object"),
        (b"{}\n", "a line without a type"),
        (b"[" * 60_000 + b"\n", "no JSON object"),
        (b"x" * (MOST_LINE + 2), "no end of a line"),
        (line(payload_length=10_000_000_000) + b"\n", "announces a payload_length of 10000000000: from 0 to 1048576"),
        (line(payload_length=-1) + b"\n", "announces a payload_length of -1"),
        (line(payload_length="2") + b"\n", "announces a payload_length of '2'"),
        (line(payload_length=True) + b"\n", "announces a payload_length of True"),
        (line(data_length=1 << 40) + b"\n", "announces a data_length of"),
        (line(data_length=3) + b"\n{x}", "data of 'audio-chunk' that is no JSON object"),
        (line(payload_length=1000) + b"\n" + bytes(10), "has ended in the middle of a message"),
        (line()[:20], "has ended in the middle of a message"),
        (line(data={"rate": 16000, "width": 4, "channels": 1}) + b"\n", "samples of width 4: set it to 2 bytes"),
        (line(data={"rate": 0, "width": 2, "channels": 1}) + b"\n", "of rate 0 with channels 1: 8000 to 192000 Hz"),
        (line(data={"rate": 16000, "width": 2, "channels": 10**30}) + b"\n", "with channels 1000000000"),
        (line(data={}) + b"\n", "samples of width None"),
    ],
)
def test_wyoming_peers_that_break_the_protocol_get_one_clear_sentence(sent: bytes, reason: str) -> None:
    with stranger(sent) as port:
        _, error = heard(WyomingSource(f"tcp://127.0.0.1:{port}"))
    assert error.startswith(f"tcp://127.0.0.1:{port} ")
    assert reason in error
    assert "\n" not in error


def test_wyoming_sound_arrives_whole_and_what_is_no_sound_is_passed_over() -> None:
    sent = said(AudioStart(rate=16000, width=2, channels=1).event(), Event("voice-started"), chunk(NOISE))
    with stranger(sent) as port:
        samples, _ = heard(WyomingSource(f"tcp://127.0.0.1:{port}"))
    np.testing.assert_array_equal(samples, NOISE)


def test_wyoming_sound_at_48_khz_in_stereo_becomes_16_khz_mono() -> None:
    time = np.arange(48000) / 48000
    tone = np.repeat(8000 * np.sin(2 * np.pi * 440 * time), 2)
    with stranger(said(chunk(tone, rate=48000, channels=2))) as port:
        samples, _ = heard(WyomingSource(f"tcp://127.0.0.1:{port}"))
    assert len(samples) == pytest.approx(SAMPLE_RATE, abs=BLOCK_SAMPLES)
    assert np.abs(np.fft.rfft(samples[:SAMPLE_RATE])).argmax() == pytest.approx(440, abs=2)


def test_wyoming_stop_start_and_another_form_tear_the_stream() -> None:
    with stranger(said(chunk(NOISE), AudioStop().event(), chunk(NOISE), chunk(NOISE, rate=8000))) as port:
        source = WyomingSource(f"tcp://127.0.0.1:{port}")
        samples, _ = heard(source)
    assert len(samples) == 4 * len(NOISE)
    assert source.lost_s > 0


def test_wyoming_connection_that_brings_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.sources.wyoming._STALL_S", 0.3)
    with stranger(said(chunk(NOISE)), stay=True) as port:
        samples, error = heard(WyomingSource(f"tcp://127.0.0.1:{port}"))
    assert len(samples) == len(NOISE)
    assert "no sound for 0.3 s" in error


def test_wyoming_peer_that_only_talks_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.sources.wyoming._STALL_S", 0.0)
    with stranger(said(*[Event("ping", {"text": "x"})] * 20), stay=True) as port:
        _, error = heard(WyomingSource(f"tcp://127.0.0.1:{port}"))
    assert "no sound for 0 s" in error


def test_wyoming_connection_that_is_reset_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        blocks = WyomingSource(f"tcp://127.0.0.1:{server.getsockname()[1]}").blocks()
        threading.Thread(target=lambda: reset(server, said(chunk(NOISE)))).start()
        with pytest.raises(SourceError, match="has broken off: Connection reset by peer"):
            list(blocks)


def reset(server: socket.socket, sent: bytes) -> None:
    """Send that to who comes, and end the connection as a crash does."""
    with server.accept()[0] as peer:
        peer.recv(1)  # it has come to the point of listening
        peer.sendall(sent)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def test_wyoming_nobody_there_is_said() -> None:
    _, error = heard(WyomingSource(f"tcp://127.0.0.1:{free_port()}"))
    assert error.endswith("cannot be reached: Connection refused")


def test_wyoming_resolver_that_hangs_neither_holds_up_nor_outlasts_a_close(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = threading.Event()

    def hang(*_: object) -> None:
        answer.wait(60)
        raise OSError

    monkeypatch.setattr("edge.sources.wyoming.socket.create_connection", hang)
    source = WyomingSource("tcp://nowhere:1")
    reader = threading.Thread(target=lambda: heard(source))
    reader.start()
    source.close()
    reader.join(10)
    answer.set()
    assert not reader.is_alive()


def test_wyoming_reconnects_after_each_fault() -> None:
    states: list[tuple[bool, str]] = []
    good = said(chunk(NOISE))
    with stranger(b"garbage\n", good, good[: len(good) // 2], good) as port:
        source = Reopening(
            WyomingSource(f"tcp://127.0.0.1:{port}"), lambda *state: states.append(state), first_delay_s=0.01
        )
        assert len(list(islice(source.blocks(), 8))) == 8
        source.close()
    assert [online for online, _ in states] == [False, True, False, False, True]
    assert "no JSON object" in states[0][1]
    assert "in the middle of a message" in states[3][1]


def listening() -> tuple[WyomingSource, int]:
    port = free_port()
    return WyomingSource(f"tcp://127.0.0.1:{port}", listen=True), port


def test_wyoming_satellite_that_connects_is_heard() -> None:
    source, port = listening()
    reopening = Reopening(source, lambda *_: None, first_delay_s=0.01)
    blocks = []
    reader = threading.Thread(target=lambda: blocks.extend(islice(reopening.blocks(), 8)))
    reader.start()
    until(lambda: connected(port))  # what is said before the reader has read all that waited is old, and not heard
    reader.join(30)
    reopening.close()
    assert len(blocks) == 8


def connected(port: int) -> bool:
    """A satellite of the real package that speaks for two seconds."""
    try:
        in_own_loop(speak(port))
    except OSError:
        return False
    return True


async def speak(port: int) -> None:
    async with AsyncTcpClient("127.0.0.1", port) as client:
        for _ in range(60):
            await client.write_event(chunk(NOISE))
            await asyncio.sleep(0.03)


def test_wyoming_nobody_coming_is_no_failure_to_back_off_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.sources.wyoming._AWAIT_S", 0.05)
    source, port = listening()
    states: list[tuple[bool, str]] = []
    beats: list[int] = []
    reopening = Reopening(source, lambda *state: states.append(state), first_delay_s=1000, beat=lambda: beats.append(1))
    reader = threading.Thread(target=lambda: list(reopening.blocks()))
    reader.start()
    until(lambda: len(beats) > 5)
    reopening.close()
    reader.join(10)
    assert states == [(False, f"tcp://127.0.0.1:{port}: no satellite has connected yet; it waits for one")]


def test_wyoming_port_that_another_holds_is_said() -> None:
    source, port = listening()
    reader = threading.Thread(target=lambda: heard(source))
    reader.start()
    until(lambda: source._server is not None)
    _, error = heard(WyomingSource(f"tcp://127.0.0.1:{port}", listen=True))
    source.close()
    reader.join(10)
    assert error.endswith("cannot be listened on: Address already in use; is the port another program's?")
