"""Row C: the exact Shapley values of each shipped bundle's families, against the plain batch and Kernel SHAP.

python -m benchmarks.coalitions [--runs N] [--json FILE]
"""

from collections.abc import Callable

import numpy as np
import shap

from benchmarks import measure
from edge.audio import SAMPLE_RATE
from edge.explain import perturbation, shapley
from edge.explain.explainer import Explainer
from edge.explain.perturbation import membership
from edge.explain.values import log_odds
from edge.model import encoder
from edge.model.bundle import Bundle
from edge.model.classifier import Classifier
from edge.sources.conversion import read_audio

SECONDS = 3
EXPLANATION = "explanation"
GOALS = {"default": 4.0, "light": 1.5}  # ms


def row_of(name: str, samples: np.ndarray, runs: int) -> tuple[measure.Row, dict[str, measure.Spread]]:
    """Row C of one bundle, and all its CPU times."""
    bundle = Bundle.load(measure.BUNDLES[name])
    chosen, classifier = bundle.features, Classifier(bundle)
    explainer, frames = Explainer(classifier), encoder.frames(samples, bundle)
    prediction, inputs = classifier.predict(frames), classifier.inputs(frames)
    groups, target = membership("frames", chosen), bundle.labels.index(prediction.label)
    masks = shapley.coalitions(len(groups))

    def plain(masks: np.ndarray) -> np.ndarray:
        return bundle.model.run(["logits"], {"frames": inputs * (masks @ groups)[:, None]})[0]

    def kernel(count: int, logits: Callable[[np.ndarray], np.ndarray]) -> None:
        silent, whole = np.zeros((1, count), np.float32), np.ones((1, count), np.float32)
        model = lambda masks: log_odds(logits(masks.astype(np.float32)))[:, target]  # noqa: E731
        shap.KernelExplainer(model, silent).shap_values(whole, silent=True, l1_reg=False)

    ours, batch = f"{len(masks)} coalitions", f"{len(masks)} rows as a plain batch"
    kernel_features, kernel_families = (
        f"Kernel SHAP, {count} {what}" for count, what in ((len(chosen.names), "features"), (len(groups), "families"))
    )
    rows = inputs * (masks @ groups)[:, None]
    calls = {
        ours: lambda: perturbation.of_families(bundle, inputs, masks),
        batch: lambda: bundle.model.run(["logits"], {"frames": rows}),
        EXPLANATION: lambda: explainer.families(prediction),
        kernel_features: lambda: kernel(
            len(chosen.names), lambda masks: perturbation.of_features(bundle, inputs, masks)
        ),
        kernel_families: lambda: kernel(len(groups), plain),
    }
    cpu, _ = measure.interleaved(calls, runs)
    every = measure.ratios(cpu, ours)
    ratio = {other: every[other] for other in (batch, kernel_features, kernel_families)}
    row = measure.Row(
        "C",
        f"{ours} of {SECONDS} s, `{name}`, CPU",
        str(cpu[ours]),
        ", ".join(
            f"{other}: {measure.plain(cpu[other].median)} ms, {measure.plain(ratio[other])} x" for other in ratio
        ),
        [
            measure.Goal(f"≤ {GOALS[name]:g} ms", cpu[ours].median, GOALS[name]),
            measure.Goal("≤ 0.45 of the batch", 1 / every[batch], 0.45),
            measure.Goal("≥ 50 x less than Kernel SHAP of the features", every[kernel_features], 50, least=True),
        ],
        {f"{name}: {other}": value for other, value in ratio.items()},
    )
    return row, cpu


def main() -> None:
    options = measure.parser(__doc__).parse_args()
    samples = read_audio(measure.DEMO)[: SECONDS * SAMPLE_RATE]
    found = {name: row_of(name, samples, options.runs) for name in measure.BUNDLES}
    measure.report(
        [row for row, _ in found.values()], {"cpu": {name: cpu for name, (_, cpu) in found.items()}}, options.json
    )


if __name__ == "__main__":
    main()
