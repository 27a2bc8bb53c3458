"""Row C: the exact Shapley values of the bundle's families, against the plain batch and against Kernel SHAP.

The goals were set for the 32 coalitions of five families. For a bundle with more families, the 32 coalitions that keep
the further ones are measured as well.

python -m benchmarks.coalitions [--runs N] [--json FILE]
"""

from collections.abc import Callable

import numpy as np
import shap

from benchmarks import measure
from edge import features
from edge.audio import SAMPLE_RATE
from edge.explain import perturbation, shapley
from edge.explain.explainer import Explainer
from edge.explain.perturbation import membership
from edge.explain.values import log_odds
from edge.model.bundle import Bundle
from edge.model.classifier import Classifier
from edge.sources.conversion import read_audio

SECONDS = 3
EXPLANATION = "explanation"


def main() -> None:
    options = measure.parser(__doc__).parse_args()
    samples = read_audio(measure.DEMO)[: SECONDS * SAMPLE_RATE]
    bundle = Bundle.load()
    chosen, classifier = bundle.features, Classifier(bundle)
    explainer, frames = Explainer(classifier), features.frames(samples, chosen)
    prediction, inputs = classifier.predict(frames), classifier.inputs(frames)
    groups, target = membership("frames", chosen), bundle.labels.index(prediction.label)
    masks = shapley.coalitions(len(groups))
    fewer = masks[masks[:, len(features.FIVE.families) :].all(axis=1)]

    def plain(masks: np.ndarray) -> np.ndarray:
        return bundle.model.run(["logits"], {"frames": inputs * (masks @ groups)[:, None]})[0]

    def kernel(count: int, logits: Callable[[np.ndarray], np.ndarray]) -> None:
        silent, whole = np.zeros((1, count), np.float32), np.ones((1, count), np.float32)
        model = lambda masks: log_odds(logits(masks.astype(np.float32)))[:, target]  # noqa: E731
        shap.KernelExplainer(model, silent).shap_values(whole, silent=True, l1_reg=False)

    ours, batch = f"{len(masks)} coalitions", f"{len(masks)} rows as a plain batch"
    part, part_batch = f"{len(fewer)} of them", f"{len(fewer)} rows as a plain batch"
    kernel_features, kernel_families = (
        f"Kernel SHAP, {count} {what}" for count, what in ((len(chosen.names), "features"), (len(groups), "families"))
    )
    rows, few_rows = (inputs * (kept @ groups)[:, None] for kept in (masks, fewer))
    calls = {
        ours: lambda: perturbation.of_families(bundle, inputs, masks),
        part: lambda: perturbation.of_families(bundle, inputs, fewer),
        batch: lambda: bundle.model.run(["logits"], {"frames": rows}),
        part_batch: lambda: bundle.model.run(["logits"], {"frames": few_rows}),
        EXPLANATION: lambda: explainer.families(prediction),
        kernel_features: lambda: kernel(
            len(chosen.names), lambda masks: perturbation.of_features(bundle, inputs, masks)
        ),
        kernel_families: lambda: kernel(len(groups), plain),
    }
    cpu, wall = measure.interleaved(calls, options.runs)
    every, few = measure.ratios(cpu, ours), measure.ratios(cpu, part)
    ratio = {name: every[name] for name in (batch, kernel_features, kernel_families)}
    against = ", ".join(
        f"{name}: {measure.plain(cpu[name].median)} ms, {measure.plain(ratio[name])} x" for name in ratio
    )
    row = measure.Row(
        "C",
        f"{ours} of {SECONDS} s, and the {part} that keep {' and '.join(chosen.families[5:])}, CPU",
        f"{cpu[ours]}; {part}: {cpu[part]}",
        f"{against}; {part_batch}: {measure.plain(cpu[part_batch].median)} ms, {measure.plain(few[part_batch])} x",
        [
            measure.Goal(f"{len(fewer)} in ≤ 6 ms", cpu[part].median, 6),
            measure.Goal(f"{len(fewer)} in ≤ 0.45 of the batch", 1 / few[part_batch], 0.45),
            measure.Goal(f"{len(masks)} in ≤ 0.45 of the batch", 1 / every[batch], 0.45),
            measure.Goal("≥ 50 x less than Kernel SHAP of the features", every[kernel_features], 50, least=True),
            measure.Goal("≥ 50 x less than Kernel SHAP of the families", every[kernel_families], 50, least=True),
        ],
        ratio,
    )
    measure.report([row], {"cpu": cpu, "wall": wall}, options.json)


if __name__ == "__main__":
    main()
