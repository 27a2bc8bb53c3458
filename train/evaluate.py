"""Evaluation of a bundle, as the device runs it: its own features, scaler, adapter and graph."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from edge.audio import SAMPLE_RATE
from edge.errors import UsageError
from edge.features import FeatureSet
from edge.features.log_mel import HOP_SAMPLES
from edge.model import voices
from edge.model.adapter import Adaptation
from edge.model.bundle import Bundle
from edge.model.classifier import Classifier
from edge.model.encoder import encoded
from train import listen, report
from train.calibration import constant
from train.conditions import condition
from train.corpora import Clip, read_manifest
from train.recordings import hand_made, log_mel, streams_of
from train.settings import sounds_folder
from train.speech import join

Floats = NDArray[np.float32]

FRAMES_A_SECOND = SAMPLE_RATE / HOP_SAMPLES  # of log-mel

LABELS: dict[str, str | None] = {"calm": "neutral", "boredom": None}
"""Labels of a manifest that a bundle does not know, where its card maps none; ``None`` leaves the clips out."""


@dataclass(frozen=True)
class Evaluation:
    """What to evaluate: a bundle on the recordings of a manifest, heard in one condition (``train.conditions``), under
    one protocol of adaptation; ``sounds`` is where the noise of a condition lies.
    """

    bundle: Path
    manifest: Path
    root: Path
    adapt: str = "none"
    history: str = "recorded"
    seed: int = 1
    cache: Path = Path("runs/cache")
    jobs: int = 1
    dask: str = ""
    condition: str = "near"
    sounds: Path = field(default_factory=sounds_folder)


def adaptive_model(bundle: Bundle) -> listen.AdaptiveModel:
    """The bundle's scaler and graph around an adapter."""
    classifier, deep = Classifier(bundle), bundle.profile == "frames"
    wanted = ["logits", "embedding"] if bundle.embedding else ["logits"]

    def predict(scaled: Floats, adaptation: Adaptation) -> tuple[Floats, Floats | None]:
        adapted = adaptation(scaled)
        usual = {"usual": adaptation.embedding_statistics} if bundle.embedding else {}
        outputs = bundle.model.run(wanted, {bundle.profile: adapted[None] if deep else adapted, **usual})
        return outputs[0][0], outputs[1][0] if bundle.embedding else None

    levels, adapters = bundle.features.places.get("mel"), bundle.manifest.adapters
    fresh = partial(voices.Voices, bundle.manifest.voices) if bundle.manifest.voices else None
    return listen.AdaptiveModel(classifier.scaled, predict, bundle.embedding, levels, adapters, fresh)


def evaluate(evaluation: Evaluation) -> dict[str, object]:
    """The scores as plain JSON; clips whose label the bundle does not know are left out, and counted."""
    bundle = Bundle.load(evaluation.bundle)
    clips, left_out = known(read_manifest(evaluation.manifest), bundle)
    frames = frames_of(clips, bundle, evaluation)
    said = said_of(clips, bundle, evaluation)[1] if evaluation.adapt == "voice" else None
    model = adaptive_model(bundle)
    heard = listen.listen(clips, frames, model, evaluation.adapt, None, evaluation.seed, evaluation.history, said)
    calibration = bundle.manifest.calibration or constant(bundle.temperature)
    scores = report.describe(clips, heard, bundle.labels, calibration, evaluation.adapt)
    return {
        "bundle": bundle.name,
        **scores,
        "condition": evaluation.condition,
        "history": evaluation.history,
        "left_out": dict(left_out),
    }


def frames_of(clips: Sequence[Clip], bundle: Bundle, evaluation: Evaluation) -> list[Floats]:
    """The raw frames [time, columns] of every clip as the bundle wants them, heard in the condition."""
    named = condition(evaluation.condition, evaluation.cache, evaluation.sounds)
    fronts = [hand_made(FeatureSet(bundle.features.hand_made))]
    fronts += [log_mel()] if bundle.encoder else []
    found = streams_of(clips, evaluation.root, evaluation.cache, evaluation.jobs, named, evaluation.dask, fronts)
    frames = [np.asarray(clip, np.float32) for clip in found[0]]
    if bundle.encoder is None:
        return frames
    bar = tqdm(found[1], desc=f"encode ({evaluation.condition})", unit="clip", leave=False)
    heard = [encoded(bundle.encoder, np.ascontiguousarray(spectrum.T, np.float32)) for spectrum in bar]
    return [join(*both) for both in zip(frames, heard, strict=True)]


def said_of(clips: Sequence[Clip], bundle: Bundle, evaluation: Evaluation) -> tuple[list[Floats], list[listen.Said]]:
    """The log-mel [80, time] of every clip, heard in the condition, and its voice with its length, s.

    UsageError where the bundle tells no voices apart.
    """
    if bundle.voice is None:
        raise UsageError(f"{evaluation.bundle}: the bundle tells no voices apart; take one with voice.onnx.")
    named = condition(evaluation.condition, evaluation.cache, evaluation.sounds)
    (found,) = streams_of(
        clips, evaluation.root, evaluation.cache, evaluation.jobs, named, evaluation.dask, [log_mel()]
    )
    spectra = [np.ascontiguousarray(spectrum.T, np.float32) for spectrum in found]
    bar = tqdm(spectra, desc=f"voices ({evaluation.condition})", unit="clip", leave=False)
    return spectra, [(voices.heard(bundle.voice, one), one.shape[1] / FRAMES_A_SECOND) for one in bar]


def known(clips: list[Clip], bundle: Bundle) -> tuple[list[Clip], Counter[str]]:
    """The clips with a label of the bundle, mapped as in its training, and a count of the others by label."""
    card = bundle.manifest.card
    labels = LABELS | (
        mapped
        if isinstance(training := card.get("training"), dict) and isinstance(mapped := training.get("labels"), dict)
        else {}
    )
    kept, left_out = [], Counter[str]()
    for clip in clips:
        emotion = clip.emotion if clip.emotion in bundle.labels else labels.get(clip.emotion)
        if emotion in bundle.labels:
            kept.append(replace(clip, emotion=emotion))
        else:
            left_out[clip.emotion] += 1
    if not kept:
        raise UsageError(
            f"No row of the manifest has an emotion of this bundle ({', '.join(bundle.labels)}); "
            f"its labels are {', '.join(sorted(left_out))}."
        )
    return kept, left_out
