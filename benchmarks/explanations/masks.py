"""The metrics of L-MAC (Paissan et al., 2024) on masks made of each method's scores, softmax applied once."""

from collections import defaultdict

import numpy as np

from benchmarks.explanations import methods
from benchmarks.explanations.clips import held_out
from benchmarks.explanations.subject import Subject
from edge.model.bundle import Bundle
from edge.model.classifier import Classifier, softmax

CLIPS = 100


def sparseness(scores: np.ndarray) -> float:
    """Gini index of the scores' sizes (Hurley and Rickard, 2009): 1 if one has all, 0 if all are equal."""
    sizes = np.sort(np.abs(scores))
    ranks = np.arange(1, len(sizes) + 1)
    return float(1 - 2 * np.sum(sizes / sizes.sum() * (len(sizes) - ranks + 0.5) / len(sizes)))


def complexity(scores: np.ndarray) -> float:
    """Entropy of the scores' shares, in nats: low where few features matter (Bhatt et al., 2020)."""
    shares = np.abs(scores) / np.abs(scores).sum()
    return float(-np.sum(shares * np.log(np.maximum(shares, 1e-12))))


def metrics(subject: Subject, scores: np.ndarray) -> list[float]:
    """Drop, increase, gain (%), faithfulness, fidelity (%), sparseness, complexity of the mask of positive scores."""
    mask = (scores > 0).astype(np.float32)
    logits = subject.logits(np.stack([np.ones_like(mask), mask, 1 - mask]))
    whole, masked, without = softmax(logits)[:, subject.target]
    return [
        100 * max(0.0, whole - masked) / whole,
        100 * float(masked > whole),
        100 * max(0.0, masked - whole) / (1 - whole),
        whole - without,
        100 * float(logits[1].argmax() == subject.target),
        sparseness(scores),
        complexity(scores),
    ]


def table(bundle: Bundle) -> str:
    classifier, count = Classifier(bundle), len(bundle.features.names)
    found: dict[str, list[list[float]]] = defaultdict(list)
    for index, clip in enumerate(held_out(bundle, CLIPS)):
        subject = Subject.of(classifier, clip)
        scores = {
            "ours: single features": methods.occlusion(subject.value, count),
            "ours: exact families": methods.exact(subject.value_of_families, len(subject.groups)) @ subject.groups,
            f"LIME, {count + 1} evaluations": methods.lime(subject.value, count, count + 1, index),
            f"Kernel SHAP, {count + 1} evaluations": methods.kernel_shap(subject.value, count, count + 1),
            "chance": np.random.default_rng(index).normal(size=count),
        }
        for name, values in scores.items():
            found[name].append(metrics(subject, values))
    lines = [
        "| mask | drop % ↓ | increase % ↑ | gain % ↑ | faithfulness ↑ | fidelity % ↑ | sparseness ↑ | complexity ↓ |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for name, rows in found.items():
        drop, increase, gain, faithfulness, fidelity, sparse, complex_ = np.mean(rows, axis=0)
        lines.append(
            f"| {name} | {drop:.1f} | {increase:.0f} | {gain:.1f} | {faithfulness:.3f} | {fidelity:.0f} "
            f"| {sparse:.2f} | {complex_:.2f} |"
        )
    return "\n".join(
        [
            *lines,
            "",
            f"{CLIPS} held-out clips; the mask keeps the features whose score is positive; all figures are averages.",
        ]
    )
