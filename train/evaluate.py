"""Evaluation of a bundle, as the device runs it: its own features, scaler, adapter and graph."""

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from edge.bundle import Bundle
from edge.classifier import Classifier
from edge.errors import UsageError
from train import listen, report
from train.corpora import Clip, read_manifest
from train.recordings import features_of

LABELS: dict[str, str | None] = {"calm": "neutral", "boredom": None}
"""Labels of a manifest that a bundle does not know, where its card maps none; ``None`` leaves the clips out."""


@dataclass(frozen=True)
class Evaluation:
    """What to evaluate: a bundle on the recordings of a manifest, under one protocol of adaptation."""

    bundle: Path
    manifest: Path
    root: Path
    adapt: str = "none"
    seed: int = 1
    cache: Path = Path("runs/cache")
    jobs: int = 1
    dask: str = ""


def ear_of(bundle: Bundle) -> listen.Ear:
    """The bundle's scaler and graph on either side of an adapter."""
    classifier = Classifier(bundle)
    deep = bundle.profile == "frames"
    return listen.Ear(
        scale=classifier.scaled,
        predict=lambda adapted: bundle.model.run(["logits"], {bundle.profile: adapted[None] if deep else adapted})[0][
            0
        ],
    )


def evaluate(evaluation: Evaluation) -> dict[str, object]:
    """The scores as plain JSON; clips whose label the bundle does not know are left out, and counted."""
    bundle = Bundle.load(evaluation.bundle)
    clips, left_out = known(read_manifest(evaluation.manifest), bundle)
    frames = features_of(clips, evaluation.root, evaluation.cache, evaluation.jobs, dask=evaluation.dask)
    heard = listen.listen(clips, frames, ear_of(bundle), evaluation.adapt, seed=evaluation.seed)
    scores = report.describe(clips, heard, bundle.labels, bundle.temperature, evaluation.adapt)
    return {"bundle": bundle.name, **scores, "left_out": dict(left_out)}


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
