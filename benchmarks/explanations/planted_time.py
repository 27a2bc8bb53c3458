"""Planted time: an emotional burst spliced into neutral speech of the same speaker must be found where it is."""

from collections import defaultdict
from dataclasses import replace

import numpy as np

from benchmarks.explanations.clips import Clip, held_out
from edge import features, occlusion
from edge.bundle import Bundle
from edge.classifier import Classifier, Verdict
from edge.explain import Explainer

NEUTRAL = "neutral"


def overlap(first: tuple[float, float], second: tuple[float, float]) -> float:
    """Intersection over union of two stretches of time."""
    shared = max(0.0, min(first[1], second[1]) - max(first[0], second[0]))
    return shared / (first[1] - first[0] + second[1] - second[0] - shared)


def spliced(neutral: list[Clip], burst: Clip, rng: np.random.Generator) -> tuple[np.ndarray, tuple[float, float]]:
    """Two neutral clips and the burst, before, between or after them; and where it is, in seconds."""
    before, after = (neutral[index].samples for index in rng.choice(len(neutral), 2, replace=False))
    parts = [before, after]
    place = int(rng.integers(3))
    parts.insert(place, burst.samples)
    start = sum(len(part) for part in parts[:place]) / 16_000
    return np.concatenate(parts), (start, start + len(burst.samples) / 16_000)


def segment(explainer: Explainer, frames: np.ndarray, verdict: Verdict, against: str | None) -> tuple[float, float]:
    """The stretch that an explanation of the verdict points at."""
    stretch = explainer.explain(frames, verdict, ("time",), against).segment
    return stretch.start_s, stretch.end_s


def seconds(frames: tuple[int, int]) -> tuple[float, float]:
    return frames[0] / features.FRAME_RATE, frames[1] / features.FRAME_RATE


def table(bundle: Bundle) -> str:
    classifier = Classifier(bundle)
    explainer = Explainer(classifier)
    by_speaker: dict[str, list[Clip]] = defaultdict(list)
    for clip in held_out(bundle, corpus="ravdess"):
        by_speaker[clip.speaker].append(clip)
    rng = np.random.default_rng(0)
    found: dict[str, list[float]] = defaultdict(list)
    recognised: list[bool] = []
    for clips in by_speaker.values():
        neutral = [clip for clip in clips if clip.emotion == NEUTRAL]
        for burst in [clip for clip in clips if clip.emotion != NEUTRAL and clip.intensity == "strong"]:
            samples, place = spliced(neutral, burst, rng)
            frames = features.frames(samples)
            verdict = classifier.classify(frames)
            asked = replace(verdict, label=burst.emotion)
            attention = verdict.attention.astype(float)
            start, length = rng.uniform(0, len(samples) / 16_000 - (place[1] - place[0])), place[1] - place[0]
            stretches = {
                "ours: the burst's emotion against neutral": segment(explainer, frames, asked, NEUTRAL),
                "ours: the burst's emotion against all others": segment(explainer, frames, asked, None),
                "ours: whatever the verdict, against neutral": segment(
                    explainer, frames, asked if verdict.label == NEUTRAL else verdict, NEUTRAL
                ),
                "attention, by the same rule": seconds(
                    occlusion.strongest(attention[np.arange(len(frames)) * len(attention) // len(frames)])
                ),
                "chance, knowing the length": (start, start + length),
            }
            for name, stretch in stretches.items():
                found[name].append(overlap(stretch, place))
            recognised.append(classifier.classify(burst.frames).label == burst.emotion)
    known = np.array(recognised)
    lines = [
        "| stretch from | IoU ≥ 0.5 % | mean IoU | IoU ≥ 0.5 %, bursts recognised alone |",
        "|---|--:|--:|--:|",
    ]
    for name, overlaps in found.items():
        values = np.array(overlaps)
        lines.append(
            f"| {name} | {100 * np.mean(values >= 0.5):.0f} | {values.mean():.2f} "
            f"| {100 * np.mean(values[known] >= 0.5):.0f} |"
        )
    note = (
        f"{len(known)} splices of two neutral clips and one strong emotional clip of the same speaker, the burst "
        f"first, between or last; {known.sum()} of the bursts are recognised when heard alone."
    )
    return "\n".join([*lines, "", note])
