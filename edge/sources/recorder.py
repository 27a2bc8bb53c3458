"""The program that owns PortAudio: a process of its own, which may hang or crash without the daemon.

It is run as a file and imports nothing of affectd, so that it stays small. On stdout it says, in a line of JSON, which
``devices`` there are. It reads the index of one, opens it, says in a line how (``rate``, ``channels``), and sends
records: a header (``HEADER``: whether sound was lost before it, and its length) and signed 16-bit PCM. It ends when
stdin does. What cannot be done is said in a line with ``error``.

While PortAudio looks for devices, and while it opens one, an alarm ends the process even where native code hangs and
nobody is left to kill it.
"""

import contextlib
import json
import os
import re
import select
import signal
import struct
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

HEADER = struct.Struct("<?I")
PATIENCE_S = 10  # for opening; who waits for it gives up then
_ALARM_S = PATIENCE_S + 5
_RATE = 16_000  # Hz, as affectd hears
_BLOCK_S = 0.032
_LOOK_UP_S = 2.0  # how often it looks whether the device has stopped
_UNSTABLE = re.compile(r"\s*\(hw:\d+,\d+\)$")  # ALSA's card numbers change with the order of plugging in

Device = dict[str, Any]
"""``name, channels, rate, default, index`` of a microphone."""


def devices(audio: Any) -> list[Device]:
    """Every device that records."""
    try:
        default = audio.get_default_input_device_info()["index"]
    except OSError:
        default = None
    found = [audio.get_device_info_by_index(index) for index in range(audio.get_device_count())]
    return [
        {
            "name": _UNSTABLE.sub("", device["name"]),
            "channels": device["maxInputChannels"],
            "rate": int(device["defaultSampleRate"]),
            "default": device["index"] == default,
            "index": device["index"],
        }
        for device in found
        if device["maxInputChannels"] > 0
    ]


def opened(pyaudio: ModuleType, audio: Any, device: Device, deliver: Callable[..., object]) -> tuple[Any, int, int]:
    """Open at 16 kHz mono; else at what the device itself does: stream, rate, channels. Raises OSError."""
    own = device["rate"], device["channels"]
    formats = dict.fromkeys([(_RATE, 1), (own[0], 1), (own[0], 2), own])
    refusal: Exception = OSError("it has no channel")
    for rate, channels in formats:
        if channels > device["channels"]:
            continue
        try:
            stream = audio.open(
                rate=rate,
                channels=channels,
                format=pyaudio.paInt16,
                input=True,
                input_device_index=device["index"],
                frames_per_buffer=round(_BLOCK_S * rate),
                stream_callback=deliver,
                start=False,
            )
        except (OSError, ValueError) as error:
            refusal = error
        else:
            return stream, rate, channels
    raise OSError(str(refusal.args[-1] if refusal.args else refusal))


def record(pyaudio: ModuleType, audio: Any, device: Device, write: Callable[[bytes], object]) -> Any:
    """Start to record; returns the stream. Raises OSError where it cannot be opened."""

    def deliver(data: bytes | None, _count: int, _time: Mapping[str, float], status: int) -> tuple[None, int]:
        pcm = data or b""
        try:
            write(HEADER.pack(bool(status & pyaudio.paInputOverflow), len(pcm)) + pcm)
        except OSError:  # nobody reads any more
            return None, int(pyaudio.paAbort)
        return None, int(pyaudio.paContinue)

    stream, rate, channels = opened(pyaudio, audio, device, deliver)
    write(line({"rate": rate, "channels": channels}))
    stream.start_stream()
    return stream


def line(answer: dict[str, object]) -> bytes:
    """An answer as JSON."""
    return json.dumps(answer).encode() + b"\n"


def main() -> None:
    """Until stdin ends, or the device stops."""
    signal.alarm(_ALARM_S)
    answer = os.dup(1)
    os.dup2(2, 1)  # what libraries print is no answer

    def write(data: bytes) -> None:
        while data:
            data = data[os.write(answer, data) :]

    try:
        import pyaudio
    except ImportError:
        write(line({"error": "a microphone needs PyAudio: install affectd[mic]"}))
        return
    try:
        audio = pyaudio.PyAudio()
        found = devices(audio)
        write(line({"devices": found}))
        signal.alarm(0)
        chosen = os.read(0, 100)
        if not chosen:
            return
        signal.alarm(_ALARM_S)
        stream = record(pyaudio, audio, next(one for one in found if one["index"] == int(chosen)), write)
        signal.alarm(0)
        while stream.is_active() and not select.select([0], [], [], _LOOK_UP_S)[0]:
            pass
    except OSError as error:
        with contextlib.suppress(OSError):
            write(line({"error": str(error)}))


if __name__ == "__main__":
    main()
    os._exit(0)  # closing a device that is gone may hang as well
