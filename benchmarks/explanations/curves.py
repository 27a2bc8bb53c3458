"""Deletion and insertion: features removed or added in the order of a method's scores (Petsiuk et al., 2018)."""

import time
from collections import defaultdict

import numpy as np
from scipy.stats import wilcoxon

from benchmarks.explanations import methods
from benchmarks.explanations.clips import held_out
from benchmarks.explanations.subject import Subject
from edge.explain.perturbation import membership
from edge.model.bundle import Bundle
from edge.model.classifier import Classifier

CLIPS, STEP, RANDOM_ORDERS = 60, 5, 10


def areas(subject: Subject, scores: np.ndarray, groups: np.ndarray, step: int) -> tuple[float, float]:
    """Mean probability of the predicted class while the best features are removed (deletion) and added (insertion)."""
    order = np.argsort(-scores, kind="stable")
    kept = np.ones((len(range(0, len(order), step)) + 1, len(order)))
    for row, end in enumerate([*range(0, len(order), step), len(order)]):
        kept[row, order[:end]] = 0
    probabilities = subject.probabilities(np.concatenate([kept, 1 - kept]) @ groups)
    deletion, insertion = np.split(probabilities, 2)
    return float(np.trapezoid(deletion) / (len(kept) - 1)), float(np.trapezoid(insertion) / (len(kept) - 1))


def table(bundle: Bundle) -> str:
    classifier = Classifier(bundle)
    count, families = len(bundle.features.names), len(bundle.features.families)
    single, grouped = np.eye(count), membership("frames", bundle.features)
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    cost: dict[str, list[float]] = defaultdict(list)
    for index, clip in enumerate(held_out(bundle, CLIPS)):
        subject = Subject.of(classifier, clip)
        by_feature = {
            f"ours: single features | {count + 1}": lambda s=subject: methods.occlusion(s.value, count),
            f"LIME | {count + 1}": lambda s=subject, seed=index: methods.lime(s.value, count, count + 1, seed),
            f"Kernel SHAP | {count + 1}": lambda s=subject: methods.kernel_shap(s.value, count, count + 1),
            "LIME | 1000": lambda s=subject, seed=index: methods.lime(s.value, count, 1000, seed),
            f"Kernel SHAP | {2 * count + 2048}": lambda s=subject: methods.kernel_shap(s.value, count, "auto"),
        }
        by_family = {
            f"ours: exact families | {2**families}": lambda s=subject: methods.exact(s.value_of_families, families),
            f"LIME, families | {2**families}": lambda s=subject, seed=index: methods.lime(
                s.value_of_families, families, 2**families, seed
            ),
        }
        for group, step, players, candidates in (
            (single, STEP, count, by_feature),
            (grouped, 1, families, by_family),
        ):
            for name, method in candidates.items():
                begin = time.thread_time()
                scores = method()
                cost[name].append((time.thread_time() - begin) * 1e3)
                found[name].append(areas(subject, scores, group, step))
            orders = [methods.chance(players, seed) for seed in range(RANDOM_ORDERS)]
            chance = np.mean([areas(subject, scores, group, step) for scores in orders], axis=0)
            found[_chance(players == families)].append(tuple(chance))
    lines = [
        "| order of | evaluations | deletion ↓ | insertion ↑ | p against chance | ms |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for name, pairs in found.items():
        curves = np.array(pairs)
        deletion, insertion = curves.mean(axis=0)
        if name in cost:
            chance = np.array(found[_chance("famil" in name)])
            p = max(
                wilcoxon(curves[:, 0], chance[:, 0], alternative="less").pvalue,
                wilcoxon(curves[:, 1], chance[:, 1], alternative="greater").pvalue,
            )
            lines.append(f"| {name} | {deletion:.3f} | {insertion:.3f} | {p:.0e} | {np.median(cost[name]):.0f} |")
        else:
            lines.append(f"| {name} | | {deletion:.3f} | {insertion:.3f} | | |")
    return "\n".join(
        [
            *lines,
            "",
            f"{CLIPS} held-out clips; areas under the probability of the prediction, every {STEP} features or every "
            f"family; chance is the mean of {RANDOM_ORDERS} orders; p is the larger of two one-sided Wilcoxon tests.",
        ]
    )


def _chance(families: bool) -> str:
    return "chance, families" if families else "chance, features"
