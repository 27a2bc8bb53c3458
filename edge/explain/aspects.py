"""Aspects of a voice that people hear: how far each is from usual, and the change that takes it there. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge import features
from edge.explain import texts
from edge.features import FeatureSet
from edge.model.adapter import Adaptation
from edge.model.bundle import Bundle

Array = NDArray[np.float64]

VOICED = 0.35  # of voicing: from here on pitch can be trusted (edge.features.prosody)
SPEAKING_DB = 25.0  # below the loudest frames: deeper is a pause
_LEAST_VOICING = 0.05  # of a history of whispers, whose pitch would be far from any voice's
_SHORTEST_VOICE = 10  # voiced frames, 0.16 s: less has no pitch to speak of
_SMOOTHING = np.array([0.25, 0.5, 0.25])
_TEMPO_RANGE = (30.0, 97.0)  # per cent
_MELODY_FRAMES = 15  # 0.24 s: longer than an error lasts, shorter than a phrase
_MIDDLE = (16.0, 84.0)  # per cent: a standard deviation to each side, without the errors of pitch at the ends


@dataclass(frozen=True)
class Aspect:
    """One thing that people hear. ``least`` is the smallest difference from usual that counts, in ``unit``."""

    unit: str
    least: float
    voiced: bool = False
    """Whether it takes a voice with a pitch."""
    relative: bool = False
    """Whether differences are of the logarithm: factors, and not steps."""


ASPECTS: dict[str, Aspect] = {
    "pitch": Aspect("semitones", 1.0, voiced=True),
    "pitch_movement": Aspect("semitones", 0.25, voiced=True, relative=True),
    "loudness": Aspect("dB", 1.0),
    "loudness_movement": Aspect("dB", 0.15, relative=True),
    "tempo": Aspect("Hz", 0.05, relative=True),
    "brightness": Aspect("dB", 1.5),
    "clarity": Aspect("voicing", 0.07, voiced=True, relative=True),
}
"""In the order in which they are listed. ``pitch_movement`` and ``loudness_movement`` are half the range of the middle
two thirds; ``brightness`` is the level above 1 kHz over that below; ``clarity`` is how regular the voice is, 0 to 1:
what is breathy or rough is less so. A ``least`` of relative aspects is of the natural logarithm."""

USUAL_MOVEMENT = {"pitch_movement": 3.4, "loudness_movement": 7.0, "tempo": 3.2}
"""Means over the training recordings, since no history of features tells them: docs/explanations.md."""

LIMITS = {
    "pitch": (-12.0, 12.0), "pitch_movement": (0.2, 3.0), "loudness": (-30.0, 30.0), "loudness_movement": (0.3, 2.0),
    "tempo": (0.6, 1.6), "brightness": (-15.0, 15.0), "clarity": (0.6, 1.0),
}  # fmt: skip
"""How far a change may go, as a step or a factor: beyond it nothing sounds like a voice."""

_REGULARITY = 0.5  # of the periodic power, for a change of voicing, in logarithms: what was seen of speech
CHANGED = {
    "pitch": "octaves", "pitch_movement": "melody", "loudness": "gain_db", "loudness_movement": "dynamics",
    "tempo": "rate", "brightness": "brighter_db", "clarity": "regularity",
}  # fmt: skip
"""The field of ``Change`` that moves each aspect."""


@dataclass(frozen=True)
class Change:
    """A change of a voice: what is heard after it is another utterance of the same words."""

    octaves: float = 0.0
    """The pitch goes up by so many."""
    melody: float = 1.0
    """Its movement, in octaves around its mean, times this."""
    gain_db: float = 0.0
    dynamics: float = 1.0
    """The movement of the level, in dB around its mean, times this."""
    rate: float = 1.0
    """So many times as fast."""
    brighter_db: float = 0.0
    """The level above 1 kHz over that below goes up by so much."""
    regularity: float = 1.0
    """The periodic power times this, at most 1; what it loses becomes noise of the same colour."""


def measures(frames: NDArray[np.float32], chosen: FeatureSet) -> dict[str, float]:
    """Each aspect of one utterance's raw frames [time, columns], in its unit; NaN where it has none."""
    weighted, voicing, energy, alpha, _ = frames[:, chosen.places["prosody"]].T.astype(np.float64)
    voiced = voicing >= VOICED
    enough = int(voiced.sum()) >= _SHORTEST_VOICE
    octaves = melody(weighted[voiced] / voicing[voiced]) if enough else np.empty(0)
    return {
        "pitch": float(12 * np.median(octaves)) if enough else np.nan,
        "pitch_movement": 12 * _movement(octaves) if enough else np.nan,
        "loudness": float(energy.mean()),
        "loudness_movement": _movement(energy[voiced] if enough else energy[_speaking(energy)]),
        "tempo": tempo(frames[:, chosen.places["mel"]].mean(axis=1)),
        "brightness": float(-alpha.mean()),
        "clarity": float(voicing.mean()) if enough else np.nan,
    }


def usual(bundle: Bundle, adaptation: Adaptation | None) -> dict[str, float]:
    """Each aspect as it usually is: of the history that a prediction was adapted to, else of the training speech."""
    shift = adaptation.shift if adaptation else 0.0
    mean = bundle.scaler.mean + bundle.scaler.scale * shift
    pitch, voicing, energy, alpha, _ = mean[bundle.features.places["prosody"]].astype(np.float64)
    voicing = max(voicing, _LEAST_VOICING)
    return {
        "pitch": float(12 * pitch / voicing),
        "loudness": float(energy),
        "brightness": float(-alpha),
        "clarity": float(voicing),
        **USUAL_MOVEMENT,
    }


def difference(name: str, own: float, normal: float) -> float:
    """How far an aspect is from ``normal``: a step in its unit, or a factor's natural logarithm; NaN without it."""
    return float(np.log(own / normal)) if ASPECTS[name].relative else own - normal


def differences(own: Mapping[str, float], normal: Mapping[str, float]) -> dict[str, float]:
    """The ``difference`` of each aspect."""
    return {name: difference(name, own[name], normal[name]) for name in ASPECTS}


def absent(apart: Mapping[str, float]) -> dict[str, str]:
    """The aspects that have no change back to usual, and why, of their ``differences``."""
    reasons = {
        name: texts.NO_PITCH if ASPECTS[name].voiced else texts.NO_MODULATION
        for name, difference in apart.items()
        if np.isnan(difference)
    }
    if apart["clarity"] <= -ASPECTS["clarity"].least:
        reasons["clarity"] = texts.NOT_CLEARER
    return reasons


def change(name: str, difference: float) -> Change:
    """What takes an aspect back by its ``difference`` from usual, as far as voices go."""
    low, high = LIMITS[name]
    if name == "clarity":
        difference *= _REGULARITY
    amount = float(np.clip(np.exp(-difference) if ASPECTS[name].relative else -difference, low, high))
    return Change(**{CHANGED[name]: amount / 12 if name == "pitch" else amount})


def tempo(levels: NDArray[np.floating]) -> float:
    """How fast a course of levels, dB [time], goes up and down, Hz; NaN where it does not move.

    The way that it covers in a second, over the way of a sine wave of 1 Hz with the same standard deviation. The mean
    of the levels of all bands is such a course: neither gain nor tilt nor dynamics change it. A count of syllables
    would jump by a tenth where a short utterance loses one. Speech 15 % faster has 8 % more: words count as much.
    """
    inside = np.flatnonzero(_speaking(levels))
    spoken = levels[inside[0] : inside[-1] + 1]
    if len(spoken) <= len(_SMOOTHING):
        return np.nan
    course = np.clip(spoken, *np.percentile(spoken, _TEMPO_RANGE)).astype(np.float64)  # pauses are no deep valleys
    smooth = np.convolve(course - course.mean(), _SMOOTHING, mode="valid")
    spread = float(smooth.std())
    if not spread > 0:
        return np.nan
    return float(np.abs(np.diff(smooth)).mean() * features.FRAME_RATE / (4 * np.sqrt(2) * spread))


def melody(octaves: Array) -> Array:
    """A course of pitch in voiced frames [n], octaves, without the errors of an octave that trackers make."""
    half = _MELODY_FRAMES // 2
    around = np.lib.stride_tricks.sliding_window_view(np.pad(octaves, half, mode="edge"), _MELODY_FRAMES)
    corrected: Array = octaves - np.round(octaves - np.median(around, axis=1))
    return corrected


def level(energy: NDArray[np.floating]) -> Array:
    """A course of levels [time], dB, in which pauses are no deeper than ``SPEAKING_DB`` under the loudest frames."""
    course: Array = np.maximum(energy, np.percentile(energy, 95) - SPEAKING_DB).astype(np.float64)
    return course


def _speaking(energy: NDArray[np.floating]) -> NDArray[np.bool_]:
    speaking: NDArray[np.bool_] = energy >= np.percentile(energy, 95) - SPEAKING_DB
    return speaking


def _movement(course: NDArray[np.floating]) -> float:
    low, high = np.percentile(course, _MIDDLE)
    return max(float(high - low) / 2, 1e-3)
