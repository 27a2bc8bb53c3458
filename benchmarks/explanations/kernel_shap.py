"""Exact Shapley values of the families beside those of Kernel SHAP: values and cost."""

import numpy as np

from benchmarks.explanations import methods
from benchmarks.explanations.clips import held_out
from benchmarks.explanations.subject import Subject
from benchmarks.explanations.timing import milliseconds
from edge.model.bundle import Bundle
from edge.model.classifier import Classifier

CLIPS, TIMED = 60, 12


def table(bundle: Bundle) -> str:
    classifier, count, single_count = Classifier(bundle), len(bundle.features.families), len(bundle.features.names)
    clips = held_out(bundle, CLIPS)
    differences, times = [], []
    for index, clip in enumerate(clips):
        subject = Subject.of(classifier, clip)
        explanation = subject.explainer.families(subject.prediction)
        shares = np.array(list(explanation.families.values()))
        differences.append(np.abs(methods.kernel_shap(subject.value_of_families, count, "auto") - shares).max())
        if index < TIMED:
            costs = milliseconds(
                lambda subject=subject: subject.explainer.families(subject.prediction),
                lambda subject=subject: methods.kernel_shap(subject.value_of_families, count, "auto"),
                lambda subject=subject: methods.lime(subject.value_of_families, count, 2**count),
                lambda subject=subject: methods.kernel_shap(subject.value, subject.features, "auto"),
                runs=3,
            )
            times.append([least for _, least in costs])
    ours, families, lime, single = np.median(times, axis=0)
    return "\n".join(
        [
            "| what | evaluations | median ms | times ours |",
            "|---|--:|--:|--:|",
            f"| ours: exact, {count} families, all classes, interactions | {2**count} | {ours:.1f} | 1 |",
            f"| Kernel SHAP, {count} families, one class | {2**count} | {families:.1f} | {families / ours:.1f} |",
            f"| LIME, {count} families, one class | {2**count} | {lime:.1f} | {lime / ours:.1f} |",
            f"| Kernel SHAP, {single_count} features, its default | {2 * single_count + 2048} | {single:.0f} "
            f"| {single / ours:.0f} |",
            "",
            f"Over {len(clips)} held-out clips the families' values differ from Kernel SHAP's by at most "
            f"{max(differences):.1e} (median {np.median(differences):.1e}).",
        ]
    )
