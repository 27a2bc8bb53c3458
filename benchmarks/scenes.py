"""The sound that is played to the daemon: a quiet room, two steady noises, and speech without end."""

import numpy as np

from benchmarks.gate import hum, pink
from benchmarks.measure import DEMO
from edge.audio import SAMPLE_RATE
from edge.config import GateSettings
from edge.sources.conversion import into_blocks, read_audio
from edge.vad.gate import Gate, Utterance

ROOM_DB = -80.0  # dBFS: a quiet room; digital silence would be reported as a fault
PAUSE_S = 0.75  # longer than the hangover: each sentence is one utterance


def room(seconds: float, seed: int = 0) -> np.ndarray:
    """White noise at ROOM_DB, int16."""
    level = 32768 * 10 ** (ROOM_DB / 20)
    noise = np.random.default_rng(seed).standard_normal(round(seconds * SAMPLE_RATE), dtype=np.float32)
    return np.rint(noise * level).astype(np.int16)


def steady(kind: str, seconds: float, seed: int = 0) -> np.ndarray:
    """``pink`` or ``hum`` at -40 dBFS, int16."""
    noise = {"pink": pink, "hum": hum}[kind](round(seconds * SAMPLE_RATE), np.random.default_rng(seed))
    return np.clip(np.rint(32768 * noise), -32768, 32767).astype(np.int16)


def sentences() -> list[np.ndarray]:
    """The utterances of the demonstration recording, int16."""
    gate = Gate(GateSettings())
    items = [item for block in into_blocks([read_audio(DEMO)]) for item in gate.push(block)] + gate.finish()
    return [item.samples for item in items if isinstance(item, Utterance)]


def talk(seconds: float, pause_s: float = PAUSE_S) -> np.ndarray:
    """The sentences one after the other, over and over, with pauses in between: int16."""
    said, parts, total, index = sentences(), [], 0, 0
    wanted = round(seconds * SAMPLE_RATE)
    while total < wanted:
        parts += [room(pause_s, seed=index), said[index % len(said)]]
        total += len(parts[-1]) + len(parts[-2])
        index += 1
    return np.concatenate(parts)[:wanted]
