"""Row C: the exact Shapley values of five families, against the plain batch and against Kernel SHAP.

python -m benchmarks.coalitions [--runs N] [--json FILE]
"""

from collections.abc import Callable

import numpy as np
import shap

from benchmarks import measure
from edge import features, shapley
from edge.audio import SAMPLE_RATE, read_audio
from edge.bundle import Bundle
from edge.classifier import Classifier
from edge.explain import Explainer, log_odds, membership

SECONDS = 3
OURS, PLAIN = "32 coalitions, first layer shared", "32 rows as a plain batch"
EXPLANATION, KERNEL, KERNEL_FAMILIES = "explanation", "Kernel SHAP, 105 features", "Kernel SHAP, five families"


def main() -> None:
    options = measure.parser(__doc__).parse_args()
    samples = read_audio(measure.DEMO)[: SECONDS * SAMPLE_RATE]
    bundle = Bundle.load()
    classifier = Classifier(bundle)
    explainer, frames = Explainer(classifier), features.frames(samples)
    verdict, inputs = classifier.classify(frames), classifier.inputs(frames)
    masks = shapley.coalitions(len(features.FAMILIES))
    rows = inputs * (masks @ membership("frames"))[:, None]
    target = bundle.labels.index(verdict.label)

    def worth(logits: np.ndarray) -> np.ndarray:
        return log_odds(logits)[:, target]

    def kernel(count: int, logits: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> None:
        silent, whole = np.zeros((1, count), np.float32), np.ones((1, count), np.float32)
        model = lambda masks: worth(logits(inputs, masks.astype(np.float32)))  # noqa: E731
        shap.KernelExplainer(model, silent).shap_values(whole, silent=True, l1_reg=False)

    calls = {
        OURS: lambda: explainer.logits(inputs, masks),
        PLAIN: lambda: bundle.model.run(["logits"], {"frames": rows}),
        EXPLANATION: lambda: explainer.families(frames, verdict),
        KERNEL: lambda: kernel(features.COUNT, explainer.logits_of_features),
        KERNEL_FAMILIES: lambda: kernel(len(masks[0]), lambda _, masks: plain(masks)),
    }

    def plain(masks: np.ndarray) -> np.ndarray:
        return bundle.model.run(["logits"], {"frames": inputs * (masks @ membership("frames"))[:, None]})[0]

    cpu, wall = measure.interleaved(calls, options.runs)
    ratio = measure.ratios(cpu, OURS)
    del ratio[EXPLANATION]  # is ours as well
    against = ", ".join(
        f"{name}: {measure.plain(cpu[name].median)} ms, {measure.plain(ratio[name])} x"
        for name in (PLAIN, KERNEL, KERNEL_FAMILIES)
    )
    row = measure.Row(
        "C",
        f"32 coalitions of {SECONDS} s, CPU",
        str(cpu[OURS]),
        against,
        [
            measure.Goal("≤ 6 ms", cpu[OURS].median, 6),
            measure.Goal("≤ 0.45 of the batch", 1 / ratio[PLAIN], 0.45),
            measure.Goal("≥ 50 x less than Kernel SHAP of the features", ratio[KERNEL], 50, least=True),
            measure.Goal("≥ 50 x less than Kernel SHAP of the families", ratio[KERNEL_FAMILIES], 50, least=True),
        ],
        ratio,
    )
    measure.report([row], {"cpu": cpu, "wall": wall}, options.json)


if __name__ == "__main__":
    main()
