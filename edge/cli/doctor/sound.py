"""How loud a source is, and what the gate makes of it."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge.audio import SAMPLE_RATE
from edge.cli.doctor.findings import Sound
from edge.config import GateSettings
from edge.sources.health import Health, Problem
from edge.sources.highpass import HighPass
from edge.vad.gate import Gate, Utterance

_FULL_SCALE = 32768.0
_SILENT_DB = -96.0  # below the smallest step of int16
_METER_DB = 60  # range of the bar
_HEALTH_S = 4.0  # for which a fault must last, of the five seconds that are heard


def meter(block: NDArray[np.int16]) -> str:
    """The level of one block as a bar; it starts with a carriage return, so that the next one replaces it."""
    level = decibels(float(np.abs(block.astype(np.float64)).max()))
    return f"\r{'#' * round(max(level + _METER_DB, 0) / 2):<{_METER_DB // 2}} {level:4.0f} dBFS"


def decibels(amplitude: float) -> float:
    """An amplitude of int16 samples in dB of full scale; silence is -96."""
    return max(20 * math.log10(max(amplitude, 1e-9) / _FULL_SCALE), _SILENT_DB)


class Listening:
    """Takes the blocks of a source as they come, and keeps what is wrong with them; ``live`` as a microphone's are."""

    def __init__(self, *, live: bool) -> None:
        self.blocks: list[NDArray[np.int16]] = []
        self.problem: Problem | None = None
        self._health = Health(_HEALTH_S, live=live)

    def push(self, block: NDArray[np.int16], now: float) -> None:
        """Take the next block, int16 [512], that came at ``now`` (monotonic)."""
        self.blocks.append(block)
        self.problem = self._health.push(block, now) or self.problem


def hear(blocks: Sequence[NDArray[np.int16]], settings: GateSettings, problem: Problem | None = None) -> Sound:
    """Levels of ``blocks``, int16 [512] each, what is wrong with them, and what the gate makes of them."""
    gate, high_pass = Gate(settings), HighPass()
    items = [item for block in blocks for item in gate.push(high_pass.push(block))] + list(gate.finish())
    samples = np.concatenate(blocks).astype(np.float64) if blocks else np.zeros(0)
    spoken = sum(len(item.samples) for item in items if isinstance(item, Utterance))
    return Sound(
        seconds=len(samples) / SAMPLE_RATE,
        peak_db=decibels(float(np.abs(samples).max(initial=0))),
        mean_db=decibels(float(np.sqrt(np.mean(samples**2)))) if len(samples) else _SILENT_DB,
        zeros=float(np.mean(samples == 0)) if len(samples) else 0.0,
        clipped=float(np.mean(np.abs(samples) >= _FULL_SCALE - 1)) if len(samples) else 0.0,
        speech=min(spoken / max(len(samples), 1), 1.0),
        utterances=sum(isinstance(item, Utterance) for item in items),
        problem=problem.name if problem else "",
        advice=problem.advice if problem else "",
        usable=problem is None or problem.usable,
    )
