"""What an utterance's sound says of how it came here: out of a mouth, or out of a loudspeaker."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from edge.audio import FULL_SCALE
from edge.features import FRAME_RATE, SIX, frames
from edge.features.log_mel import log_mel
from edge.features.prosody import NAMES as PROSODY
from edge.model.bundle import Bundle
from edge.model.encoder import encoded
from edge.sources.bandwidth import bandwidth_hz

Floats = NDArray[np.float32]

RANGE_DB = 30.0  # frames quieter than the loudest by more than this are no speech
MODULATIONS = (0.5, 2, 4, 8, 16, 31)  # Hz, bounds of the bands of the envelope's spectrum
PITCH, VOICING, ENERGY, ALPHA, HAMMARBERG = range(len(PROSODY))


def measures(samples: Floats) -> Floats:
    """What a recording's sound says of how it came here: float32 [measures], whatever its level.

    Spectra of what is loud, usual and quiet; how each band moves, falls and rises; modulations of the envelope; pitch,
    tilt and contrast of speech and of pauses; chroma and tonnetz of pauses, for music; the bandwidth.
    """
    found = frames(samples, SIX)
    mel, chroma, contrast, tonnetz, prosody = (
        found[:, SIX.places[name]] for name in ("mel", "chroma", "contrast", "tonnetz", "prosody")
    )
    energy = prosody[:, ENERGY]
    spoken = energy >= np.quantile(energy, 0.95) - RANGE_DB
    quiet = energy <= np.quantile(energy, 0.2)
    low, middle, high, top = np.quantile(mel, (0.1, 0.5, 0.9, 0.98), axis=0)
    bands = np.stack([energy, *(mel[:, part].mean(axis=1) for part in np.array_split(np.arange(mel.shape[1]), 4))])
    moved = np.quantile(bands[:, 3:] - bands[:, :-3], (0.01, 0.05, 0.2, 0.8, 0.95, 0.99), axis=1)
    levels = np.quantile(bands, (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 1), axis=1)
    middles = energy[1:-1]
    peaks = middles[(middles >= energy[:-2]) & (middles > energy[2:]) & spoken[1:-1]]
    free = [PITCH, VOICING, ALPHA, HAMMARBERG]  # of the level
    whole = np.clip(np.round(samples * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
    parts = [
        high - high.mean(), middle - middle.mean(), low - low.mean(), high - low, top - high,
        mel[spoken].mean(axis=0) - mel[spoken].mean(), mel[spoken].std(axis=0),
        moved.ravel(), np.diff(levels, axis=0).ravel(), _modulations(bands),
        [peaks.std() if len(peaks) > 1 else 0, spoken.mean(), len(peaks) / len(energy)],
        prosody[spoken].mean(axis=0)[free], prosody[spoken].std(axis=0), prosody[quiet].mean(axis=0)[free],
        contrast[spoken].mean(axis=0), contrast[quiet].mean(axis=0),
        chroma[quiet].std(axis=0), chroma[quiet].mean(axis=0), tonnetz[quiet].mean(axis=0), tonnetz[quiet].std(axis=0),
        [bandwidth_hz(whole) / 1000],
    ]  # fmt: skip
    return np.concatenate(parts).astype(np.float32)


def _modulations(bands: NDArray[np.floating]) -> NDArray[np.float64]:
    """How the movement of each level [bands, time] is spread over frequencies, decimal logarithms of shares."""
    spectrum = np.abs(np.fft.rfft(bands - bands.mean(axis=1, keepdims=True), axis=1)) ** 2
    hertz = np.fft.rfftfreq(bands.shape[1], 1 / FRAME_RATE)
    power = np.stack([spectrum[:, (hertz >= low) & (hertz < high)].sum(axis=1) for low, high in pairwise(MODULATIONS)])
    return np.log10((power + 1e-6) / (power.sum(axis=0) + 1e-6)).ravel()


def columns(samples: Floats, bundle: Bundle) -> Floats:
    """The measures, then mean and deviation over time of the encoder's columns."""
    speech = encoded(bundle.encoder, log_mel(samples))
    return np.concatenate([measures(samples), speech.mean(axis=0), speech.std(axis=0)])
