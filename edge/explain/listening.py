"""Listenable maps: of an utterance's sound what the verdict rests on, and the rest, each to be heard by itself.

L-MAC (Paissan, Ravanelli, Subakan, *Listenable Maps for Audio Classifiers*, ICML 2024): a decoder on what the encoder
hears puts out a mask over the log-mel, which is laid over the sound's own spectrum. It is another method than LMAC, the
perturbation of ``edge.explain.explainer``.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.audio import BLOCK_SAMPLES, FULL_SCALE, SAMPLE_RATE
from edge.errors import ExplanationError
from edge.explain.explainer import LONGEST_SECONDS
from edge.features import log_mel
from edge.features.log_mel import BANK, HOP_SAMPLES, WINDOW, WINDOW_SAMPLES
from edge.model import encoder
from edge.model.bundle import Bundle
from edge.model.classifier import Classifier, Prediction
from edge.model.runtime import Session
from edge.vad.silero import Silero, Weights

Floats = NDArray[np.float32]
Sound = NDArray[np.int16]

SHORTEST_SECONDS = 0.4
SPEECH = 0.5  # probability from which a block counts as speech
LEAST_BLOCKS = 6  # of speech, about 0.2 s: whatever holds less is no utterance
_HALF = WINDOW_SAMPLES // 2


def _carried() -> NDArray[np.float64]:
    """From bands to the bins of the log-mel's spectrum: [80, 201], each bin a mean of the bands that it counts for."""
    shares = BANK.T / BANK.max(axis=0)[:, None]
    counted = np.flatnonzero(shares.sum(axis=0) > 0)
    for outside in np.setdiff1d(np.arange(shares.shape[1]), counted):  # 0 Hz and 8 kHz, where triangles end
        shares[:, outside] = shares[:, counted[np.argmin(np.abs(counted - outside))]]
    carried: NDArray[np.float64] = shares / shares.sum(axis=0)
    return carried


CARRIED = _carried()


@dataclass(frozen=True, eq=False)
class Listening:
    """An utterance in two parts, which add up to the sound that was judged: int16 [n] each, 16 kHz."""

    mask: Floats
    """Which share of each of the log-mel's bands is kept, every 10 ms: [80, time], 0 to 1."""
    kept: Sound
    """What the verdict rests on."""
    rest: Sound
    """All else."""
    alone: Prediction
    """What the kept part sounds like by itself."""
    without: Prediction
    """What the rest sounds like."""


def listen(classifier: Classifier, samples: Sound, prediction: Prediction) -> Listening:
    """The utterance ``samples`` int16 [n], parted as the bundle's map says for ``prediction``.

    Both parts are judged as the utterance was. Raises ExplanationError, one sentence, for a bundle without a map, for
    too short or too long a clip, for silence, where nobody speaks, and where the part that the map keeps does not
    sound like the verdict: then it is not what the verdict rests on.
    """
    _require(classifier.bundle, samples)
    with encoder.cleaned(samples) as quiet:
        found = mask(classifier.bundle, log_mel.log_mel(quiet), prediction.logits)
        kept, rest = parted(np.asarray(quiet, np.int16), found)
    alone, without = (
        classifier.predict(encoder.frames(part, classifier.bundle), prediction.adaptation) for part in (kept, rest)
    )
    if alone.label != prediction.label:
        raise ExplanationError(
            f"What the map keeps sounds like {alone.label} and not like {prediction.label}: of this clip it cannot "
            "say what the verdict rests on"
        )
    return Listening(found, kept, rest, alone, without)


def mask(bundle: Bundle, spectrum: Floats, logits: Floats) -> Floats:
    """The bundle's map for a log-mel [80, time] and the ``logits`` [classes] of its verdict: [80, time], 0 to 1."""
    decoder, listener = _graphs(bundle)
    speech = encoder.encoded(listener, spectrum)
    feed = {"log_mel": spectrum[None], "speech": speech[None], "logits": logits[None]}
    found: Floats = decoder.run(["mask"], feed)[0][0]
    return found


def _graphs(bundle: Bundle) -> tuple[Session, Session]:
    """The map's decoder, and the encoder that it rests on; ExplanationError for a bundle without."""
    if bundle.map is None or bundle.encoder is None:
        raise ExplanationError(f"The bundle {bundle.name} has no map to listen to: choose one with map.onnx")
    return bundle.map, bundle.encoder


def parted(samples: Sound, shares: Floats) -> tuple[Sound, Sound]:
    """The sound int16 [n] under a mask [80, n // 160 or less], and what is left: int16 [n] each; they add up to it.

    The spectrum is the log-mel's: Hann windows of 25 ms every 10 ms. Each keeps its phase.
    """
    count = 2 + len(samples) // HOP_SAMPLES  # windows: two more than columns, so that none of the end is left out
    last = np.minimum(np.arange(count), shares.shape[1] - 1)
    padded = np.zeros((count - 1) * HOP_SAMPLES + WINDOW_SAMPLES)
    padded[_HALF : _HALF + len(samples)] = samples
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW_SAMPLES)[::HOP_SAMPLES]
    bins = shares.T[last] @ CARRIED
    masked = np.fft.irfft(np.fft.rfft(windows * WINDOW, axis=1) * bins, WINDOW_SAMPLES, axis=1) * WINDOW
    total, weight = np.zeros_like(padded), np.zeros_like(padded)
    for place, window in enumerate(masked):
        here = slice(place * HOP_SAMPLES, place * HOP_SAMPLES + WINDOW_SAMPLES)
        total[here] += window
        weight[here] += WINDOW**2
    whole = slice(_HALF, _HALF + len(samples))
    kept = np.rint(total[whole] / weight[whole]).clip(-FULL_SCALE, FULL_SCALE - 1)
    rest = (samples - kept).clip(-FULL_SCALE, FULL_SCALE - 1)
    return kept.astype(np.int16), rest.astype(np.int16)


def _require(bundle: Bundle, samples: Sound) -> None:
    """ExplanationError where there is nothing to listen to."""
    _graphs(bundle)
    seconds = len(samples) / SAMPLE_RATE
    if seconds < SHORTEST_SECONDS:
        raise ExplanationError(
            f"The clip is shorter than {1000 * SHORTEST_SECONDS:.0f} ms, too short for a map: give more of it"
        )
    if seconds > LONGEST_SECONDS:
        raise ExplanationError(
            f"The clip is longer than {LONGEST_SECONDS - 1} s, far more than one utterance: cut it into utterances"
        )
    if not samples.any():
        raise ExplanationError(
            "The clip is digital silence, in which there is nothing to listen to: give one with sound"
        )
    if _spoken(samples) < LEAST_BLOCKS:
        raise ExplanationError("Nobody is heard to speak in the clip, so there is no voice to listen to: give speech")


def _spoken(samples: Sound) -> int:
    """Blocks of 32 ms that hold speech."""
    detector = Silero(Weights.load())
    blocks = samples[: len(samples) // BLOCK_SAMPLES * BLOCK_SAMPLES].reshape(-1, BLOCK_SAMPLES)
    scaled = blocks.astype(np.float32) / np.float32(FULL_SCALE)
    return sum(detector.probability(block) >= SPEECH for block in scaled)
