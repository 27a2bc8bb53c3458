"""Evaluation of a bundle, as the device runs it: its own features, scaler, adapter and graph."""

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.adapt import Adaptation
from edge.bundle import Bundle
from edge.classifier import Classifier
from edge.errors import UsageError
from train import listen, report
from train.calibration import constant
from train.conditions import condition
from train.corpora import Clip, read_manifest
from train.recordings import features_of
from train.settings import sounds_folder

Floats = NDArray[np.float32]

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


def ear_of(bundle: Bundle) -> listen.Ear:
    """The bundle's scaler and graph around an adapter."""
    classifier, deep = Classifier(bundle), bundle.profile == "frames"
    wanted = ["logits", "embedding"] if bundle.embedding else ["logits"]

    def predict(scaled: Floats, adaptation: Adaptation) -> tuple[Floats, Floats | None]:
        adapted = adaptation(scaled)
        usual = {"usual": adaptation.usual} if bundle.embedding else {}
        outputs = bundle.model.run(wanted, {bundle.profile: adapted[None] if deep else adapted, **usual})
        return outputs[0][0], outputs[1][0] if bundle.embedding else None

    return listen.Ear(classifier.scaled, predict, bundle.embedding, bundle.features.places.get("mel"))


def evaluate(evaluation: Evaluation) -> dict[str, object]:
    """The scores as plain JSON; clips whose label the bundle does not know are left out, and counted."""
    bundle = Bundle.load(evaluation.bundle)
    clips, left_out = known(read_manifest(evaluation.manifest), bundle)
    frames = features_of(
        clips,
        evaluation.root,
        evaluation.cache,
        evaluation.jobs,
        condition(evaluation.condition, evaluation.cache, evaluation.sounds),
        evaluation.dask,
        bundle.features,
    )
    heard = listen.listen(
        clips, frames, ear_of(bundle), evaluation.adapt, seed=evaluation.seed, history=evaluation.history
    )
    scores = report.describe(clips, heard, bundle.labels, constant(bundle.temperature), evaluation.adapt)
    return {
        "bundle": bundle.name,
        **scores,
        "condition": evaluation.condition,
        "history": evaluation.history,
        "left_out": dict(left_out),
    }


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
