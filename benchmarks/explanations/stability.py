"""Stability: the effect of noise, a shift in time and another gain on the explanation of the same class."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy.stats import spearmanr

from benchmarks.explanations.clips import held_out
from benchmarks.explanations.subject import Subject
from edge.explain import occlusion, perturbation, shapley
from edge.explain.values import log_odds
from edge.model.bundle import Bundle
from edge.model.classifier import Classifier

CLIPS = 100

Change = Callable[[np.ndarray], np.ndarray]


def noisy(samples: np.ndarray) -> np.ndarray:
    level = np.sqrt(np.mean(np.square(samples.astype(float)))) * 10 ** (-40 / 20)
    return samples + np.random.default_rng(0).normal(0, level, len(samples))


CHANGES: dict[str, Change] = {
    "white noise at 40 dB SNR": noisy,
    "10 ms later": lambda samples: np.concatenate([np.zeros(160), samples[:-160]]),
    "-3 dB": lambda samples: samples * 10 ** (-3 / 20),
}


def explanations(subject: Subject, target: int) -> dict[str, np.ndarray]:
    """Every part of the explanation of ``target``."""
    inputs = subject.inputs
    masks = shapley.coalitions(len(subject.groups))
    weights = occlusion.windows(inputs.shape[1]).weights
    values = lambda logits: log_odds(logits)[:, target]  # noqa: E731
    effects = subject.explainer.window_effects(subject.prediction, weights, values)
    return {
        "families": shapley.values(values(perturbation.of_families(subject.bundle, inputs, masks)[0])),
        "features": -values(subject.logits(1 - np.eye(subject.features))),
        "time": occlusion.curve(weights, effects),
    }


def table(bundle: Bundle) -> str:
    classifier = Classifier(bundle)
    found: dict[str, dict[str, list[float]]] = {name: {"families": [], "features": [], "time": []} for name in CHANGES}
    kept: dict[str, list[bool]] = {name: [] for name in CHANGES}
    for clip in held_out(bundle, CLIPS):
        subject = Subject.of(classifier, clip)
        own = explanations(subject, subject.target)
        for name, change in CHANGES.items():
            samples = np.clip(np.round(change(clip.samples)), -32768, 32767).astype(np.int16)
            changed = Subject.of(classifier, replace(clip, samples=samples))
            kept[name].append(changed.target == subject.target)
            for part, values in explanations(changed, subject.target).items():
                found[name][part].append(spearmanr(own[part], values).statistic)
    lines = ["| change | families | features | time | same prediction % |", "|---|--:|--:|--:|--:|"]
    for name, parts in found.items():
        numbers = " | ".join(f"{np.mean(rank):.2f} ({np.median(rank):.2f})" for rank in parts.values())
        lines.append(f"| {name} | {numbers} | {100 * np.mean(kept[name]):.0f} |")
    return "\n".join([*lines, "", f"{CLIPS} held-out clips; mean (median) rank correlation with the unchanged clip's."])
