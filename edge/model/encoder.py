"""The columns of an utterance: the hand-made families, and behind them what the bundle's encoder hears."""

import contextlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from edge import features
from edge.features import log_mel
from edge.features.hum import without_hum
from edge.features.spectrum import Samples
from edge.model.bundle import Bundle
from edge.model.runtime import Session

Floats = NDArray[np.float32]

STRIDE = 2  # frames of log-mel for each encoded one
LONGEST = 1500  # frames of log-mel, 15 s, encoded at once: attention costs their square
_HOP = log_mel.HOP_SAMPLES * STRIDE  # samples between two encoded frames


def frames(samples: Samples, bundle: Bundle) -> Floats:
    """Raw frames float32 [time, columns] of one utterance, as the bundle wants them, mains hum taken out.

    ``samples`` are mono at 16 kHz: floating point in -1..1, or int16 [n].
    """
    with cleaned(samples) as quiet:
        return columns(quiet, bundle, log_mel.log_mel(quiet) if bundle.encoder else None)


@contextlib.contextmanager
def cleaned(samples: Samples) -> Iterator[Samples]:
    """The samples without mains hum, where they are int16; overwritten at the end: freed memory is not cleared."""
    quiet = without_hum(samples.astype(np.int16, copy=False)) if samples.dtype == np.int16 else samples
    try:
        yield quiet
    finally:
        if quiet is not samples:
            quiet.fill(0)


def columns(samples: Samples, bundle: Bundle, spectrum: Floats | None) -> Floats:
    """Raw frames of cleaned samples, of which ``spectrum`` is the log-mel [80, time], which an encoder needs."""
    return joined(features.frames(samples, bundle.features), bundle, spectrum)


def joined(hand_made: Floats, bundle: Bundle, spectrum: Floats | None) -> Floats:
    """Raw frames: the hand-made columns [time, h], and behind them what the bundle's encoder hears in the log-mel."""
    if bundle.encoder is None or spectrum is None:
        return hand_made
    speech = encoded(bundle.encoder, spectrum)
    return np.concatenate([hand_made, speech[nearest(len(hand_made), len(speech))]], axis=1)


def encoded(encoder: Session, spectrum: Floats) -> Floats:
    """The encoder's columns [time', width] of an utterance's log-mel [80, time]."""
    pieces = [encoder.run(["speech"], {"log_mel": piece[None]})[0][0] for piece in _pieces(spectrum)]
    return np.concatenate(pieces)


def nearest(time: int, encoded: int) -> NDArray[np.int64]:
    """Which of the ``encoded`` frames, 20 ms apart, goes with each of ``time`` hand-made ones, 16 ms apart."""
    centres = np.arange(time) * features.HOP_SAMPLES
    return np.minimum((centres + _HOP // 2) // _HOP, encoded - 1)


def _pieces(spectrum: Floats) -> list[Floats]:
    """A log-mel [80, time] in as few pieces as are no longer than ``LONGEST``, of even size."""
    count = -(-spectrum.shape[1] // LONGEST)
    size = STRIDE * -(-spectrum.shape[1] // (STRIDE * count))
    return [spectrum[:, start : start + size] for start in range(0, spectrum.shape[1], size)]
