"""Aspects: found where they were planted, by spectra as by sound, for what price; and what is usual."""

import time
from collections import Counter
from collections.abc import Callable
from functools import partial

import numpy as np
from scipy.stats import spearmanr

from benchmarks.explanations.clips import Clip, held_out
from benchmarks.explanations.randomisation import randomised
from benchmarks.explanations.stability import CHANGES
from edge.audio import SAMPLE_RATE
from edge.explain import aspects, by_aspects, shapley
from edge.explain.aspects import ASPECTS, Change
from edge.explain.by_aspects import AspectEffects
from edge.explain.explainer import Explainer
from edge.explain.resynthesis import Voice, together
from edge.explain.spectra import Spectra
from edge.explain.values import log_odds
from edge.model import encoder
from edge.model.bundle import Bundle
from edge.model.classifier import Classifier, Prediction

CLIPS, NETWORKS = 60, 3
PLANTED = {
    "pitch + 3 semitones": ("pitch", Change(octaves=3 / 12)),
    "+ 6 dB": ("loudness", Change(gain_db=6)),
    "tempo + 15 %": ("tempo", Change(rate=1.15)),
    "pitch moves 1.5 times as far": ("pitch_movement", Change(melody=1.5)),
    "loudness moves 1.4 times as far": ("loudness_movement", Change(dynamics=1.4)),
    "brightness + 4 dB": ("brightness", Change(brighter_db=4)),
}


def table(bundle: Bundle) -> str:
    classifier = Classifier(bundle)
    clips = [clip for clip in held_out(bundle, 2 * CLIPS) if len(clip.samples) >= 16000][:CLIPS]
    return "\n\n".join([planted(classifier, clips), agreement(classifier, clips), honesty(classifier, clips)])


def planted(classifier: Classifier, clips: list[Clip]) -> str:
    """Whether a change made by the vocoder ranks first, against the same utterance without it."""
    first: dict[str, list[bool]] = {name: [] for name in PLANTED}
    alone: dict[str, list[bool]] = {name: [] for name in PLANTED}
    instead: dict[str, Counter[str]] = {name: Counter() for name in PLANTED}
    for clip in clips:
        voice = Voice.of(clip.samples)
        normal = aspects.measures(predicted(classifier, voice.sound()).frames, classifier.bundle.features)
        for name, (aspect, change) in PLANTED.items():
            samples = voice.sound(change)
            prediction = predicted(classifier, samples)
            effects = by_aspects.explain(samples, prediction, classifier, normal=normal).effects
            best = max(effects, key=lambda one: abs(effects[one].effect))
            first[name].append(best == aspect)
            own = aspects.measures(prediction.frames, classifier.bundle.features)
            apart = aspects.differences(own, normal)
            moved = max(apart, key=lambda one: abs(apart[one]) / ASPECTS[one].least)
            alone[name].append(moved == aspect)
            if best != aspect:
                instead[name][best] += 1
    lines = [
        "| planted | ranks first % | measured as the largest change % | what else ranked first |",
        "|---|--:|--:|---|",
    ]
    for name, found in first.items():
        others = ", ".join(f"{other} {count}" for other, count in instead[name].most_common(2))
        lines.append(f"| {name} | {100 * np.mean(found):.0f} | {100 * np.mean(alone[name]):.0f} | {others} |")
    return "\n".join(
        [*lines, "", f"{len(clips)} held-out clips, made again by the vocoder with and without the change."]
    )


def agreement(classifier: Classifier, clips: list[Clip]) -> str:
    """Shares found in the spectra against those of sound that was made again."""
    rows: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    price: list[tuple[float, float, float]] = []
    for clip in clips:
        voice = Voice.of(clip.samples)
        samples = voice.sound()
        prediction = predicted(classifier, samples)
        begin = time.process_time()
        Explainer(classifier).predict_and_explain(encoder.frames(samples, classifier.bundle))
        between = time.process_time()
        effects = by_aspects.explain(samples, prediction, classifier)
        price.append((time.process_time() - between, between - begin, 3 * SAMPLE_RATE / len(samples)))
        changes = changed(classifier, prediction)
        if len(changes) < 3:
            continue
        target = classifier.bundle.labels.index(prediction.label)
        by_sound = shares(partial(resounded, classifier.bundle, voice), changes, classifier, target)
        by_spectra = shares(Spectra(samples, classifier.bundle).frames, changes, classifier, target)
        rows.append((np.array([effects.effects[name].effect for name in changes]), by_spectra, by_sound))
    named = {
        "ours, against sound made again": (0, 2),
        "spectra changed together, against sound made again": (1, 2),
        "ours (the sum of changes), against spectra changed together": (0, 1),
    }
    lines = ["| shares | all utterances | within an utterance, mean (median) |", "|---|--:|--:|"]
    for name, (one, other) in named.items():
        pooled = spearmanr(*(np.concatenate([row[side] for row in rows]) for side in (one, other))).statistic
        within = [spearmanr(row[one], row[other]).statistic for row in rows]
        lines.append(f"| {name} | {pooled:.2f} | {np.mean(within):.2f} ({np.median(within):.2f}) |")
    ours, event, factor = np.array(price).T
    three = 1e3 * ours * factor
    shares_found = sum(len(row[0]) for row in rows)
    return "\n".join(
        [
            *lines,
            "",
            f"Rank correlations over {len(rows)} held-out clips, made again by the vocoder, and {shares_found} shares.",
            f"CPU for 3 s of speech: {np.median(three):.0f} ms (median; least {min(three):.0f}), "
            f"{np.median(ours / event):.1f} times that of the same utterance explained by its families.",
        ]
    )


def resounded(bundle: Bundle, voice: Voice, change: Change) -> np.ndarray:
    return encoder.frames(voice.sound(change), bundle)


def honesty(classifier: Classifier, clips: list[Clip]) -> str:
    """What a listener would not notice changes little; other weights change everything."""
    others = [Classifier(randomised(classifier.bundle, seed)) for seed in range(NETWORKS)]
    found: dict[str, list[float]] = {name: [] for name in CHANGES}
    shuffled: list[float] = []
    for clip in clips:
        one = predicted(classifier, clip.samples)
        own = by_aspects.explain(clip.samples, one, classifier)
        shuffled += [alike(own, by_aspects.explain(clip.samples, one, other)) for other in others]
        for name, change in CHANGES.items():
            samples = np.clip(np.round(change(clip.samples)), -32768, 32767).astype(np.int16)
            other = predicted(classifier, samples)
            if one.label == other.label:
                found[name].append(alike(own, by_aspects.explain(samples, other, classifier)))
    lines = ["| rank correlation of the aspects with those of the same clip | mean (median) |", "|---|--:|"]
    lines += [f"| {name} | {np.nanmean(ranks):.2f} ({np.nanmedian(ranks):.2f}) |" for name, ranks in found.items()]
    lines.append(
        f"| every weight of the network shuffled | {np.nanmean(shuffled):+.2f} ({np.nanmedian(shuffled):+.2f}) |"
    )
    return "\n".join([*lines, "", f"{len(clips)} held-out clips, {NETWORKS} shuffled networks."])


def alike(one: AspectEffects, other: AspectEffects) -> float:
    """Rank correlation of the effects that both have."""
    names = [name for name in one.effects if name in other.effects]
    pair = ([found.effects[name].effect for name in names] for found in (one, other))
    return float(spearmanr(*pair).statistic)


def predicted(classifier: Classifier, samples: np.ndarray) -> Prediction:
    return classifier.predict(encoder.frames(samples, classifier.bundle))


def changed(classifier: Classifier, prediction: Prediction) -> dict[str, Change]:
    """The changes that put each aspect back to usual."""
    own = aspects.measures(prediction.frames, classifier.bundle.features)
    apart = aspects.differences(own, aspects.usual(classifier.bundle, None))
    without = aspects.absent(apart)
    return {
        name: aspects.change(name, apart[name])
        for name in apart
        if name not in without and abs(apart[name]) >= ASPECTS[name].least
    }


def shares(
    frames: Callable[[Change], np.ndarray], changes: dict[str, Change], classifier: Classifier, target: int
) -> np.ndarray:
    """Shapley values with every coalition made for itself: ``frames`` maps a change to raw frames."""
    masks = shapley.coalitions(len(changes))
    every = list(changes.values())
    worths = []
    for mask in masks:
        change = together([one for one, kept in zip(every, mask, strict=True) if not kept])
        worths.append(log_odds(classifier.predict(frames(change)).logits[None])[0, target])
    return shapley.values(np.array(worths))
