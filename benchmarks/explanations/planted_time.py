"""Planted time: an emotional burst spliced into neutral speech of the same speaker must be found where it is."""

from collections import defaultdict
from dataclasses import replace

import numpy as np

from benchmarks.explanations.clips import Clip, held_out
from edge import features
from edge.audio import SAMPLE_RATE
from edge.explain import occlusion
from edge.explain.explainer import Explainer
from edge.model import encoder
from edge.model.adapter import Adaptation, Adapter
from edge.model.bundle import Bundle
from edge.model.classifier import Classifier, Prediction

NEUTRAL = "neutral"
OURS = "the burst's emotion against neutral"
BURSTS, HISTORY = 20, 20  # of each speaker


def overlap(first: tuple[float, float], second: tuple[float, float]) -> float:
    """Intersection over union of two stretches of time."""
    shared = max(0.0, min(first[1], second[1]) - max(first[0], second[0]))
    return shared / (first[1] - first[0] + second[1] - second[0] - shared)


def spliced(neutral: list[Clip], burst: Clip, rng: np.random.Generator) -> tuple[np.ndarray, tuple[float, float]]:
    """Splices the burst before, between or after two neutral clips; returns also its place in seconds."""
    before, after = (neutral[index].samples for index in rng.choice(len(neutral), 2, replace=False))
    parts = [before, after]
    place = int(rng.integers(3))
    parts.insert(place, burst.samples)
    start = sum(len(part) for part in parts[:place]) / SAMPLE_RATE
    return np.concatenate(parts), (start, start + len(burst.samples) / SAMPLE_RATE)


def segment(explainer: Explainer, prediction: Prediction, against: str | None) -> tuple[float, float]:
    """The stretch that an explanation of the predicted class finds."""
    stretch = explainer.explain(prediction, ("time",), against).segment
    return stretch.start_s, stretch.end_s


def seconds(frames: tuple[int, int]) -> tuple[float, float]:
    return frames[0] / features.FRAME_RATE, frames[1] / features.FRAME_RATE


def warmed(classifier: Classifier, clips: list[Clip]) -> Adaptation:
    """An adaptation to some of a speaker's clips of any emotion."""
    adapter = Adapter(len(classifier.bundle.scaler.mean), classifier.bundle.embedding)
    for index in np.random.default_rng(1).permutation(len(clips))[:HISTORY]:
        frames = clips[index].frames
        adapter.observe(classifier.scaled(frames), classifier.predict(frames, adapter.snapshot()).embedding)
    return adapter.snapshot()


def table(bundle: Bundle) -> str:
    classifier = Classifier(bundle)
    explainer = Explainer(classifier)
    by_speaker: dict[str, list[Clip]] = defaultdict(list)
    for clip in held_out(bundle):
        by_speaker[clip.speaker].append(clip)
    found: dict[str, list[float]] = defaultdict(list)
    known: dict[bool, list[bool]] = {False: [], True: []}
    corpora: list[str] = []
    for warm in (False, True):
        rng = np.random.default_rng(0)
        for speaker, clips in by_speaker.items():
            adaptation = warmed(classifier, clips) if warm else None
            neutral = [clip for clip in clips if clip.emotion == NEUTRAL]
            bursts = [clip for clip in clips if clip.emotion != NEUTRAL and clip.intensity != "normal"]
            for burst in bursts[:BURSTS] if len(neutral) > 1 else []:
                samples, place = spliced(neutral, burst, rng)
                for name, stretch in stretches(explainer, adaptation, samples, burst, place, rng).items():
                    found[f"{name}, {'warm' if warm else 'cold'}"].append(overlap(stretch, place))
                known[warm].append(classifier.predict(burst.frames, adaptation).label == burst.emotion)
                corpora += [] if warm else [speaker.split("/")[0]]
    lines = [
        "| stretch from | IoU ≥ 0.5 % | mean IoU | IoU ≥ 0.5 %, bursts recognised alone |",
        "|---|--:|--:|--:|",
    ]
    for name, overlaps in found.items():
        values, alone = np.array(overlaps), np.array(known[name.endswith("warm")])
        lines.append(
            f"| {name} | {100 * np.mean(values >= 0.5):.0f} | {values.mean():.2f} "
            f"| {100 * np.mean(values[alone] >= 0.5):.0f} |"
        )
    lines += ["", f"| {OURS} | splices | cold: IoU ≥ 0.5 % | warm |", "|---|--:|--:|--:|"]
    for corpus in sorted(set(corpora)):
        chosen = np.array(corpora) == corpus
        cold, warm = (100 * np.mean(np.array(found[f"{OURS}, {kind}"])[chosen] >= 0.5) for kind in ("cold", "warm"))
        lines.append(f"| {corpus} | {chosen.sum()} | {cold:.0f} | {warm:.0f} |")
    note = (
        f"{len(corpora)} splices of two neutral clips and an emotional one (a strong one, where a corpus says so) of "
        f"the same speaker, of {len(by_speaker)}, the burst first, between or last. Alone, {sum(known[False])} of the "
        f"bursts are recognised cold, {sum(known[True])} warm: by an adapter that has heard {HISTORY} of the speaker's "
        "clips."
    )
    return "\n".join([*lines, "", note])


def stretches(
    explainer: Explainer,
    adaptation: Adaptation | None,
    samples: np.ndarray,
    burst: Clip,
    place: tuple[float, float],
    rng: np.random.Generator,
) -> dict[str, tuple[float, float]]:
    """The burst as found by each kind of explanation, in seconds."""
    classifier = explainer.classifier
    frames = encoder.frames(samples, classifier.bundle)
    prediction = classifier.predict(frames, adaptation)
    asked = replace(prediction, label=burst.emotion)
    attention = prediction.attention.astype(float)[np.arange(len(frames)) * len(prediction.attention) // len(frames)]
    length = place[1] - place[0]
    start = rng.uniform(0, len(samples) / SAMPLE_RATE - length)
    return {
        OURS: segment(explainer, asked, NEUTRAL),
        "its emotion against all others": segment(explainer, asked, None),
        "the predicted emotion against neutral": segment(
            explainer, asked if prediction.label == NEUTRAL else prediction, NEUTRAL
        ),
        "attention, by the same rule": seconds(occlusion.strongest(attention)),
        "chance, knowing the length": (start, start + length),
    }
