"""How strongly an emotion is expressed, 0 to 1: a linear head over the embedding, the prosody and this voice's usual.

What stands on its own is free of the microphone's level. Level counts only against what the adapter knows of the voice,
and the more, the more it knows.
"""

from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.features import FeatureSet
from edge.features.prosody import NAMES
from edge.model.adapter import Adaptation, share

Floats = NDArray[np.float32]

LIMIT = 4.0
"""Standard deviations from the mean that a measure counts no further than."""
NEEDED = ("mfcc", "mel", "contrast", "prosody")
"""Families that ``measures`` reads."""

RANGE_DB = 30.0  # frames quieter than the loudest by more than this are no speech
VOICED = 0.35  # of voicing, from which on a pitch can be trusted (edge.features.prosody)
_PRIOR, _MEMORY = 25.0, 30.0  # utterances: how far the usual voice counts, whatever a bundle's adapters do
_FEW = 19  # statistics of prosody
SHARES = (0.1, 0.5, 0.9)
PITCH, VOICING, ENERGY, ALPHA, HAMMARBERG = range(len(NAMES))


class Intensity(msgspec.Struct, frozen=True, kw_only=True):
    """The head, as numbers in ``bundle.json``: standardise, weigh, and take the logistic function (Platt, 1999)."""

    mean: list[float]
    scale: list[float]
    weights: list[float]
    bias: float

    def is_sound(self, size: int) -> bool:
        """Whether every number is finite, and the head fits ``size`` measures."""
        finite = np.isfinite([*self.mean, *self.scale, *self.weights, self.bias]).all()
        fits = all(len(row) == size for row in (self.mean, self.scale, self.weights))
        return bool(finite and fits and min(self.scale) > 0)

    def head(self) -> "Head":
        """The same, ready to compute."""
        mean, scale, weights = (np.array(row) for row in (self.mean, self.scale, self.weights))
        return Head(mean, scale, weights, self.bias)


@dataclass(frozen=True, eq=False)
class Head:
    """Mean, scale and weights [measures], and the bias."""

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    weights: NDArray[np.float64]
    bias: float

    def score(self, measured: Floats) -> float:
        """The log-odds of ``measured`` [measures]."""
        standard = np.minimum(np.maximum((measured - self.mean) / self.scale, -LIMIT), LIMIT)
        return float(standard @ self.weights + self.bias)

    def __call__(self, measured: Floats) -> float:
        """The intensity, 0 to 1, of ``measured`` [measures]."""
        return float(1 / (1 + np.exp(-self.score(measured))))


def size(chosen: FeatureSet, embedding: int) -> int:
    """How many numbers ``measures`` gives."""
    columns = len(chosen.names)
    return _own_size(chosen) + chosen.speech + columns + 2 * embedding


def _own_size(chosen: FeatureSet) -> int:
    """How many numbers ``_own`` gives."""
    mel, mfcc, contrast = (_width(chosen, family) for family in ("mel", "mfcc", "contrast"))
    return _FEW + 2 * mel + mfcc - 1 + contrast


def _width(chosen: FeatureSet, family: str) -> int:
    """Columns of a family."""
    place = chosen.places[family]
    return len(range(place.start, place.stop))


def measures(
    frames: Floats, scaled: Floats, chosen: FeatureSet, embedding: Floats, adaptation: Adaptation | None
) -> Floats:
    """What the intensity rests on, float32 [``size``], of one utterance.

    ``frames`` [time, columns] are raw, ``scaled`` the same in the bundle's scale, ``embedding`` [e] as the network
    gives it. In order: level-free statistics of the speech, the mean of the encoder's columns, the embedding; then how
    far the mean of every column, and the embedding, are from this voice's usual, 0 for a voice that is not known.
    """
    means = scaled.mean(axis=0)
    heard = means[len(means) - chosen.speech :]
    average = np.concatenate([means, embedding])
    if adaptation is None or not adaptation.trust:
        relative = np.zeros_like(average)
    else:
        shift = adaptation.embedding_statistics[0] if len(embedding) else embedding
        usual = np.concatenate([adaptation.shift, shift]) / adaptation.trust
        relative = share(min(adaptation.weight, _MEMORY), _PRIOR) * (average - usual)
    return np.concatenate([_own(frames, chosen), heard, embedding, relative]).astype(np.float32)


def _own(frames: Floats, chosen: FeatureSet) -> Floats:
    """Statistics of one utterance alone, none of which a louder microphone changes."""
    places = chosen.places
    prosody = frames[:, places["prosody"]]
    energy = prosody[:, ENERGY]
    spoken = energy >= _quantiles(energy, (0.95,))[0] - RANGE_DB
    prosody, mel = prosody[spoken], frames[spoken, places["mel"]]
    energy = prosody[:, ENERGY]
    voiced = prosody[:, VOICING] >= VOICED
    pitch = prosody[voiced, PITCH] / prosody[voiced, VOICING] if voiced.sum() > 1 else np.zeros(2, np.float32)
    low, middle, high = _quantiles(pitch, SHARES)
    tilts = prosody[:, (ALPHA, HAMMARBERG, VOICING)]
    quiet, usual, loud = _quantiles(energy, SHARES)
    few = [
        pitch.mean(), pitch.std(), low, middle, high, np.abs(np.diff(pitch)).mean(), voiced.mean(),
        *tilts.mean(axis=0), *tilts.std(axis=0),
        energy.std(), loud - usual, usual - quiet, energy.max() - loud,
        _movement(energy), spoken.mean(),
    ]  # fmt: skip
    bands = mel.mean(axis=0)
    cepstrum = frames[spoken, places["mfcc"]][:, 1:]  # the first coefficient is the level
    contrast = frames[spoken, places["contrast"]]
    shape = [bands - bands.mean(), mel.std(axis=0), cepstrum.mean(axis=0), contrast.mean(axis=0)]
    return np.concatenate([np.array(few, np.float32), *shape])


def _movement(energy: Floats) -> float:
    """Mean change between frames, dB."""
    return float(np.abs(np.diff(energy)).mean()) if len(energy) > 1 else 0.0


def _quantiles(values: Floats, shares: tuple[float, ...]) -> NDArray[np.float64]:
    """Numpy's quantiles, for a tenth of their price on so few values."""
    found: NDArray[np.float64] = np.interp(
        np.array(shares) * (len(values) - 1), np.arange(len(values)), np.sort(values)
    )
    return found
