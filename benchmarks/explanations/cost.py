"""The cost of an explanation with the shipped bundle, for three seconds of speech."""

import numpy as np

from benchmarks.explanations.clips import held_out
from benchmarks.explanations.timing import milliseconds
from edge.explain import perturbation, shapley
from edge.explain.explainer import Explainer
from edge.explain.perturbation import membership
from edge.model import encoder
from edge.model.bundle import Bundle
from edge.model.classifier import Classifier

SECONDS = 3


def table(bundle: Bundle) -> str:
    classifier = Classifier(bundle)
    explainer = Explainer(classifier)
    clip = max(held_out(bundle, 40), key=lambda clip: len(clip.samples))
    frames = encoder.frames(np.resize(clip.samples, SECONDS * 16_000), bundle)
    prediction, inputs = classifier.predict(frames), classifier.inputs(frames)
    masks = shapley.coalitions(len(bundle.features.families))
    rows = inputs * (masks @ membership("frames", bundle.features))[:, None]
    difference = np.abs(
        bundle.model.run(["logits"], {"frames": rows})[0] - perturbation.of_families(bundle, inputs, masks)[0]
    ).max()
    names = [
        "the prediction alone, one row",
        f"families, plain batch of {len(masks)} rows",
        f"families, {len(masks)} coalitions over a shared first layer",
        "`families`: the same with Shapley values, interactions and checks",
        f"`features`: {inputs.shape[-1]} features",
        "`time`: windows of 400 ms",
        "all three",
    ]
    times = milliseconds(
        lambda: classifier.predict(frames),
        lambda: bundle.model.run(["logits"], {"frames": rows}),
        lambda: perturbation.of_families(bundle, inputs, masks)[0],
        lambda: explainer.families(prediction),
        lambda: explainer.explain(prediction, ("features",)),
        lambda: explainer.explain(prediction, ("time",)),
        lambda: explainer.explain(prediction),
    )
    lines = ["| what | median ms | least ms |", "|---|--:|--:|"]
    lines += [f"| {name} | {median:.2f} | {least:.2f} |" for name, (median, least) in zip(names, times, strict=True)]
    ratio = times[2][0] / times[1][0], times[2][1] / times[1][1]
    note = (
        f"{len(frames)} frames. The shared first layer takes {ratio[0]:.2f} (median; {ratio[1]:.2f} least) of the "
        f"plain batch, and its logits differ by {difference:.1e}."
    )
    lines += ["", note]
    return "\n".join(lines)
