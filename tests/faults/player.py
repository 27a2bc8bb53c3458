"""A microphone that can break: writes PCM in real time, or faster, as the word in a file tells it to."""

import sys
import time
from pathlib import Path

import numpy as np

from edge.audio import SAMPLE_RATE
from tests.faults.parts import room, speech

mode, speed = Path(sys.argv[1]), float(sys.argv[2])
sound, noise = speech(), room(10.0)
PIECE = 3200  # bytes: 0.1 s
TIME = np.arange(PIECE // 2) / SAMPLE_RATE
BROKEN = {
    "constant": np.full(len(TIME), 1234),
    "dither": np.random.default_rng(1).integers(-1, 1, len(TIME)),
    "offset": np.frombuffer(noise[:PIECE], "<i2") + 9000,
    "hum": 4000 * np.sin(2 * np.pi * 50 * TIME) + 1000 * np.sin(2 * np.pi * 150 * TIME),
    "clipping": 32767 * np.sign(np.sin(2 * np.pi * 330 * TIME)),
}
due = time.monotonic()
place = 0
spectrum = np.fft.rfft(np.frombuffer(sound, "<i2").astype(float))
spectrum[len(spectrum) * 3800 * 2 // SAMPLE_RATE :] = 0
telephone = np.rint(np.fft.irfft(spectrum, len(sound) // 2)).clip(-32768, 32767).astype("<i2").tobytes()
while True:
    pause = 0.1 / speed
    match mode.read_text().strip():
        case "speech":
            pcm = sound[place : place + PIECE]
            place = (place + PIECE) % len(sound)
        case "silence":
            pcm = b"\0" * PIECE
        case "half":
            pcm, pause = noise[:PIECE], 2 * pause
        case "fast":  # 48 kHz, taken for 16
            pcm, pause = sound[place : place + PIECE], pause / 3
            place = (place + PIECE) % len(sound)
        case "stereo":  # taken for mono
            pcm = np.repeat(np.frombuffer(sound[place : place + PIECE], "<i2"), 2).tobytes()
            place = (place + PIECE) % len(sound)
        case "narrow":
            pcm = telephone[place : place + PIECE]
            place = (place + PIECE) % len(sound)
        case fault if fault in BROKEN:
            pcm = BROKEN[fault].astype("<i2").tobytes()
        case "error":
            sys.exit("the device is gone")
        case "end":
            sys.exit(0)
        case _:
            pcm = noise[:PIECE]
    sys.stdout.buffer.write(pcm)
    sys.stdout.buffer.flush()
    due += pause
    time.sleep(max(0.0, due - time.monotonic()))
