"""The page's gate finds the utterances that the daemon's does, in the same blocks."""

import json
import subprocess
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.audio import BLOCK_SAMPLES, SAMPLE_RATE
from edge.config import GateSettings
from edge.sources.conversion import read_audio
from edge.sources.highpass import high_passed
from edge.vad.gate import Gate, GateItem, SpeechEnded, SpeechStarted
from tests.conftest import DEMO, ROOT
from tests.web.conftest import PACKAGES, program


def test_utterances_are_those_of_the_daemon(tmp_path: Path) -> None:
    gate = program("gate", tmp_path)
    for recording in (_recording(), _recording() // 40 + _noise(30)):
        expected = _found(recording)
        weights, fvad = ROOT / "edge/vad/silero.npz", PACKAGES / "@echogarden/fvad-wasm/fvad.wasm"
        ended = subprocess.run(
            ["node", gate, weights, fvad], input=recording.tobytes(), capture_output=True, check=True
        )
        assert [_rounded(item) for item in json.loads(ended.stdout)] == [_rounded(item) for item in expected]
        assert {item["kind"] for item in expected} == {"started", "utterance", "ended"}


def _recording() -> NDArray[np.int16]:
    """The demonstration, a pause with noise, and the demonstration again, in whole blocks."""
    speech = read_audio(DEMO)
    samples = np.concatenate([speech, np.zeros(2 * SAMPLE_RATE, np.int16), speech])
    samples = (samples + np.random.default_rng(1).normal(0, 20, len(samples))).clip(-32768, 32767).astype(np.int16)
    return samples[: len(samples) // BLOCK_SAMPLES * BLOCK_SAMPLES]


def _noise(level: float) -> NDArray[np.int16]:
    return np.random.default_rng(2).normal(0, level, len(_recording())).astype(np.int16)


def _found(recording: NDArray[np.int16]) -> list[dict[str, object]]:
    gate, items = Gate(GateSettings()), list[GateItem]()
    for block in high_passed(recording).reshape(-1, BLOCK_SAMPLES):
        items += gate.push(block)
    return [_described(item) for item in [*items, *gate.finish()]]


def _described(item: GateItem) -> dict[str, object]:
    match item:
        case SpeechStarted(start):
            return {"kind": "started", "sample": start}
        case SpeechEnded(end):
            return {"kind": "ended", "sample": end}
        case _:
            return {"kind": "utterance", "start": item.start, "end": item.end, "snrDb": item.snr_db}


def _rounded(item: dict[str, object]) -> dict[str, object]:
    return {name: round(value, 2) if isinstance(value, float) else value for name, value in item.items()}
