"""Proof that the graph from sound computes what the device does, before it is given to anyone."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.audio import FULL_SCALE, SAMPLE_RATE
from edge.errors import BundleError
from edge.model import encoder
from edge.model.bundle import Bundle
from edge.model.classifier import Classifier, Prediction
from edge.model.manifest import MODEL, STATISTICS_INPUT
from edge.model.runtime import Session
from edge.sources.highpass import high_passed
from export.waveform.model import FRAMES, SPECTRA

Floats = NDArray[np.float32]

TOLERANCE = 1e-3  # in probabilities, attention and intensity


def heard(samples: NDArray[np.int16], bundle: Bundle) -> Prediction:
    """What the device says of a whole recording, int16 [n], as one utterance."""
    return Classifier(bundle).predict(encoder.frames(high_passed(samples), bundle))


def outputs(session: Session, samples: NDArray[np.int16]) -> dict[str, Floats]:
    """The outputs, by name, of the graph from sound for the same."""
    names = [port.name for port in session.get_outputs()]
    scaled = (samples / np.float32(FULL_SCALE)).astype(np.float32)
    return dict(zip(names, session.run(names, {"samples": scaled[None]}), strict=True))


def in_pieces(pieces: Mapping[str, Session], bundle: Bundle, samples: NDArray[np.int16]) -> dict[str, Floats]:
    """The outputs, by name, of the pieces of that graph one after another for the same; frames are raw."""
    scaled = (samples / np.float32(FULL_SCALE)).astype(np.float32)
    names = [port.name for port in pieces[SPECTRA].get_outputs()]
    spectra = dict(zip(names, pieces[SPECTRA].run(names, {"samples": scaled[None]}), strict=True))
    (frames,) = pieces[FRAMES].run(["frames"], spectra)
    feed = {"frames": bundle.scaler.apply(frames)[None]}
    if bundle.embedding:
        feed[STATISTICS_INPUT] = np.repeat(np.array([[0], [1]], np.float32), bundle.embedding, axis=1)
    logits, attention = pieces[MODEL].run(["logits", "attention"], feed)
    return {"frames": frames, "logits": logits, "attention": attention}


def difference(found: dict[str, Floats], wanted: Prediction) -> float:
    """The largest difference between the graph's outputs and the device's prediction."""
    parts = [
        found["probabilities"][0] - np.array(list(wanted.probabilities.values())),
        found["attention"][0] - wanted.attention,
    ]
    if wanted.intensity is not None:
        parts.append(found["intensity"] - wanted.intensity)
    return float(np.max([np.abs(part).max() for part in parts]))


def check(bundle: Bundle, session: Session, pieces: Mapping[str, Session], path: Path) -> float:
    """The largest difference on sounds that are made here; BundleError, which names ``path``, where it is too large.

    ``pieces`` are those of the graph, which must give what it gives.
    """
    worst = 0.0
    for sound in sounds():
        whole = outputs(session, sound)
        parts = in_pieces(pieces, bundle, sound)
        apart = [np.abs(whole[name] - parts[name]).max() for name in ("logits", "attention")]
        worst = max(worst, difference(whole, heard(sound, bundle)), *map(float, apart))
    if not worst <= TOLERANCE:
        raise BundleError(
            f"{path} differs from the device by {worst:.2g}, more than {TOLERANCE:g}: nothing was written; "
            "look for another release of onnxruntime"
        )
    return worst


def sounds() -> list[NDArray[np.int16]]:
    """Silence; a constant offset; a voice-like tone of 16.3 s, which is more than the encoder takes at once; the same,
    clipped and short.
    """
    time = np.arange(SAMPLE_RATE * 163 // 10)
    phase = 2 * np.pi * np.cumsum(160 + 30 * np.sin(time / 3000)) / SAMPLE_RATE
    tone = sum(np.sin(order * phase) / order for order in range(1, 20)) * (1 + np.sin(time / 2500))
    noise = np.random.default_rng(0).normal(0, 40, len(time))
    voice = (2000 * tone + noise).astype(np.int16)
    loud = (40_000 * tone[:9_000] + 4_000).clip(-FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
    return [np.zeros(SAMPLE_RATE, np.int16), np.full(SAMPLE_RATE, 3000, np.int16), voice, loud]
