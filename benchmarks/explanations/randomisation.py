"""Parameter randomisation (Adebayo et al., 2018): an explanation of the network must change with its weights."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper
from scipy.stats import spearmanr

from benchmarks.explanations.clips import held_out
from benchmarks.explanations.subject import Subject
from edge.explain import occlusion, perturbation, shapley
from edge.explain.explainer import Explainer
from edge.explain.values import log_odds
from edge.model.bundle import Bundle
from edge.model.classifier import Classifier
from edge.model.manifest import MODEL, STATISTICS_INPUT
from edge.model.runtime import open_session

CLIPS, NETWORKS = 60, 5


def randomised(bundle: Bundle, seed: int) -> Bundle:
    """The bundle with the numbers within each of its weight tensors shuffled: same distribution, nothing learnt."""
    graph = shuffled(
        bundle.path / MODEL, seed, lambda name, values: values.dtype == np.float32 and name != STATISTICS_INPUT
    )
    return replace(bundle, model=open_session(graph, "a randomised network"), coalitions=None)


def shuffled(path: Path, seed: int, weights: Callable[[str, np.ndarray], bool]) -> bytes:
    """A graph with the numbers within each tensor that ``weights`` names shuffled."""
    rng = np.random.default_rng(seed)
    model = onnx.load(path)
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.size > 1 and weights(tensor.name, values):
            moved = rng.permutation(values.reshape(-1)).reshape(values.shape)
            tensor.CopyFrom(numpy_helper.from_array(moved, tensor.name))
    return bytes(model.SerializeToString())


def explanations(bundle: Bundle, subject: Subject) -> dict[str, np.ndarray]:
    """Every part of the explanation of one class for one input, by the network of ``bundle``."""
    explainer, inputs = Explainer(Classifier(bundle)), subject.inputs
    values = lambda logits: log_odds(logits)[:, subject.target]  # noqa: E731
    masks = shapley.coalitions(len(subject.groups))
    windows = occlusion.windows(inputs.shape[1])
    without_each = 1 - np.eye(subject.features, dtype=np.float32)
    return {
        "families": shapley.values(values(perturbation.of_families(bundle, inputs, masks)[0])),
        "features": -values(perturbation.of_features(bundle, inputs, without_each)),
        "time": explainer.window_effects(subject.prediction, windows.weights, values),
    }


def table(bundle: Bundle) -> str:
    classifier = Classifier(bundle)
    others = [randomised(bundle, seed) for seed in range(NETWORKS)]
    found: dict[str, list[float]] = {"families": [], "features": [], "time": []}
    for clip in held_out(bundle, CLIPS):
        subject = Subject.of(classifier, clip)
        own = explanations(bundle, subject)
        for other in others:
            for part, values in explanations(other, subject).items():
                found[part].append(spearmanr(own[part], values).statistic)
    lines = ["| part | mean rank correlation | mean of its size |", "|---|--:|--:|"]
    lines += [f"| {part} | {np.mean(rank):+.3f} | {np.mean(np.abs(rank)):.3f} |" for part, rank in found.items()]
    note = f"{CLIPS} held-out clips, {NETWORKS} networks with every weight tensor shuffled."
    return "\n".join([*lines, "", note])
