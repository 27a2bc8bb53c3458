"""Names of the features for people: "MFCC 2", "mel 1.2-1.4 kHz", "chroma A", "loudness"."""

import numpy as np

from edge import features
from edge.audio import SAMPLE_RATE
from edge.features import filters

_PROSODY = {"energy": "loudness", "alpha_ratio": "alpha ratio", "hammarberg_index": "Hammarberg index"}
_STATISTICS = {"mean": "mean of", "std": "spread of", "min": "lowest", "max": "highest"}


def words(name: str) -> str:
    """The name for people of one of ``features.SIX.names`` or ``features.POOLED_NAMES``, or of ``speech``."""
    if name == features.SPEECH:
        return "speech (what a pretrained network hears)"
    if name in features.SIX.names:
        return _feature(name)
    feature, statistic = name.rsplit("_", 1)
    return f"{_STATISTICS[statistic]} {_feature(feature)}"


def _feature(name: str) -> str:
    family, _, rest = name.partition("_")
    if family == "mfcc":
        return f"MFCC {rest}"
    if family == "mel":
        return f"mel {_band(*_mel_band(int(rest)))}"
    if family == "chroma":
        return f"chroma {rest.replace('_sharp', '♯').upper()}"
    if family == "contrast":
        low = int(rest.removesuffix("hz"))
        high = min(2 * low, SAMPLE_RATE // 2) if low else int(features.CONTRAST_FMIN)
        return f"contrast {_band(low, high)}"
    if family == "prosody":
        return _PROSODY.get(rest, rest)
    return f"{family} {rest.replace('_', ' ')}".strip()


def _mel_band(index: int) -> tuple[float, float]:
    """Where the band's triangle has half its height, in Hz: so neighbouring bands meet."""
    ends = filters.hz_to_slaney_mel(features.MEL_FMIN), filters.hz_to_slaney_mel(features.MEL_FMAX)
    edges = filters.slaney_mel_to_hz(np.linspace(*ends, features.MELS + 2))[index : index + 3]
    return float(edges[:2].mean()), float(edges[1:].mean())


def _band(low: float, high: float) -> str:
    if high < 1000:
        return f"{low:.0f}-{high:.0f} Hz"
    return f"{round(low / 1000, 2):g}-{round(high / 1000, 2):g} kHz"
