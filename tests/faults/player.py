"""A microphone that can break: writes PCM in real time, or faster, as the word in a file tells it to."""

import sys
import time
from pathlib import Path

from tests.faults.parts import room, speech

mode, speed = Path(sys.argv[1]), float(sys.argv[2])
sound, noise = speech(), room(10.0)
PIECE = 3200  # bytes: 0.1 s
due = time.monotonic()
place = 0
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
