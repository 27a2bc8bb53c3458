"""Deletion over time: windows faded to the mean frame in the order of their effects, of attention, and by chance."""

from collections import defaultdict

import numpy as np
from scipy.stats import wilcoxon

from benchmarks.explanations.clips import held_out
from benchmarks.explanations.subject import Subject
from edge.explain import occlusion
from edge.model.bundle import Bundle
from edge.model.classifier import Classifier, softmax

CLIPS, RANDOM_ORDERS = 150, 10


def area(subject: Subject, bundle: Bundle, weights: np.ndarray, scores: np.ndarray) -> float:
    """Mean probability of the prediction while the windows with the highest scores go first."""
    order = np.argsort(-scores, kind="stable")
    gone = np.maximum.accumulate(weights[order], axis=0)
    rows = occlusion.hidden(subject.inputs[0], np.concatenate([np.zeros_like(gone[:1]), gone]))
    probabilities = softmax(bundle.model.run(["logits"], {"frames": rows})[0])[:, subject.target]
    return float(np.trapezoid(probabilities) / len(order))


def table(bundle: Bundle) -> str:
    classifier = Classifier(bundle)
    found: dict[str, list[float]] = defaultdict(list)
    for index, clip in enumerate(held_out(bundle, CLIPS)):
        subject, frames = Subject.of(classifier, clip), clip.frames
        windows = occlusion.windows(len(frames))
        effects = [entry.effect for entry in subject.explainer.explain(subject.prediction, ("time",)).time]
        attention = subject.prediction.attention
        stretched = attention[np.minimum(np.arange(len(frames)) * len(attention) // len(frames), len(attention) - 1)]
        rng = np.random.default_rng(index)
        found["ours: effect of each window"].append(area(subject, bundle, windows.weights, np.array(effects)))
        found["attention"].append(area(subject, bundle, windows.weights, windows.weights @ stretched))
        orders = [rng.permutation(len(effects)) for _ in range(RANDOM_ORDERS)]
        found["chance"].append(np.mean([area(subject, bundle, windows.weights, order) for order in orders]))
    lines = ["| order of the windows | deletion ↓ | p against chance |", "|---|--:|--:|"]
    for name, values in found.items():
        p = "" if name == "chance" else f"{wilcoxon(values, found['chance'], alternative='less').pvalue:.0e}"
        lines.append(f"| {name} | {np.mean(values):.3f} | {p} |")
    return "\n".join([*lines, "", f"{CLIPS} held-out clips; chance is the mean of {RANDOM_ORDERS} orders."])
