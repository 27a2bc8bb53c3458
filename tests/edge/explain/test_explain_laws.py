"""What exact explanations must be, on models whose answer is known, through a bundle and the runtime."""

import json
from itertools import permutations
from math import factorial

import numpy as np
import pytest
import torch
from torch import nn

from edge import features
from edge.explain import shapley
from edge.explain.explainer import Explainer
from edge.explain.perturbation import membership
from edge.explain.values import log_odds
from edge.model.bundle import write
from edge.model.classifier import Classifier
from edge.model.manifest import CARD, FORMAT, LABELS, MODEL, SCALER, Manifest, canary_input
from export import graphs

NAMES = list(features.FAMILIES)
MEMBERS = torch.from_numpy(membership("frames", features.FIVE))


class Known(nn.Module):
    """A model of two classes whose log-odds are a given function of the families' means over time and members."""

    def __init__(self, function) -> None:
        super().__init__()
        self.function = function
        self.share = nn.Parameter(MEMBERS / MEMBERS.sum(dim=1, keepdim=True))

    def forward(self, frames):
        means = frames.mean(dim=1) @ self.share.T
        worth = self.function(means)
        attention = torch.softmax(frames[:, ::12, 0] * 0, dim=1)
        return torch.stack([worth / 2, -worth / 2], dim=1), attention


def linear(weights: torch.Tensor):
    return lambda means: means[:, : len(weights)] @ weights + 0.3


def product(means):
    return 0.1 + means[:, 1] * means[:, 3]


def maximum(means):
    return 0.1 + torch.maximum(means[:, 0], means[:, 1])


@pytest.fixture
def explain(tmp_path):
    """Explains frames, given as the scaled means of the first families, by a model of a known function."""

    def of(function, means: list[float]) -> dict[str, float]:
        network = Known(function).eval()
        with torch.inference_mode():
            canary = network(torch.from_numpy(canary_input("frames", features.FIVE)))[0][0].tolist()
        manifest = Manifest(
            format=FORMAT,
            name="known",
            created="2026-01-01T00:00:00Z",
            profile="frames",
            feature_specification=features.SPECIFICATION,
            baseline="zero",
            temperature=1.0,
            threshold=0.0,
            canary=canary,
        )
        axes = {"frames": {0: "batch", 1: "time"}}, {"logits": {0: "batch"}, "attention": {0: "batch", 1: "steps"}}
        scaler = {"names": list(features.NAMES), "mean": [0.0] * features.COUNT, "scale": [1.0] * features.COUNT}
        files = {
            MODEL: graphs.serialised(network, {"frames": torch.zeros(2, 64, features.COUNT)}, *axes),
            SCALER: json.dumps(scaler).encode(),
            LABELS: b'{"classes": ["yes", "no"]}',
            CARD: b"known",
        }
        explainer = Explainer(Classifier(write(tmp_path / "bundle", manifest, files)))
        frames = np.repeat((np.array(means) @ MEMBERS.numpy()[: len(means)])[None], 30, axis=0).astype(np.float32)
        explanation = explainer.families(explainer.classifier.predict(frames))
        sign = 1 if explanation.target == "yes" else -1
        return {family: sign * value for family, value in explanation.families.items()}

    return of


def test_linear_model_has_its_closed_form(explain):
    weights, means = [0.5, -1.25, 0.75, 2.0, 0.1], [1.0, 0.4, -0.6, 0.3, 2.0]
    found = explain(linear(torch.tensor(weights)), means)
    for family, weight, mean in zip(NAMES, weights, means, strict=False):
        assert found[family] == pytest.approx(weight * mean, abs=1e-6)


def test_family_that_the_model_ignores_gets_nothing(explain):
    found = explain(linear(torch.tensor([0.5, 0.0, 0.75, 2.0, 0.1])), [1.0, 5.0, 1.0, 1.0, 1.0])
    assert found["mel"] == pytest.approx(0, abs=1e-6)


def test_interchangeable_families_get_equal_values(explain):
    found = explain(linear(torch.tensor([0.5, 0.5, 0.75, 2.0, 0.1])), [0.7, 0.7, 1.0, 1.0, 1.0])
    assert found["mfcc"] == pytest.approx(found["mel"], abs=1e-6)


def test_product_of_two_families_is_shared_in_halves(explain):
    found = explain(product, [9.0, 0.5, 9.0, 0.8, 9.0])
    assert found["mel"] == pytest.approx(0.2, abs=1e-6)
    assert found["contrast"] == pytest.approx(0.2, abs=1e-6)
    assert sum(map(abs, found.values())) == pytest.approx(0.4, abs=1e-6)


def test_redundant_families_share_what_leaving_one_out_would_miss(explain):
    found = explain(maximum, [1.0, 1.0, 3.0, 3.0, 3.0])
    assert found["mfcc"] == pytest.approx(0.5, abs=1e-6)
    assert found["mel"] == pytest.approx(0.5, abs=1e-6)


def test_explanation_is_the_average_over_all_orders_of_the_torch_network(bundles, checkpoints, voice):
    classifier = Classifier(bundles["frames"])
    frames = features.frames(voice)
    explanation = Explainer(classifier).families(classifier.predict(frames))
    target, inputs = classifier.bundle.labels.index(explanation.target), classifier.inputs(frames)
    count = len(NAMES)
    rows = inputs * (shapley.coalitions(count) @ membership("frames", features.FIVE))[:, None]
    with torch.inference_mode():
        values = log_odds(checkpoints["frames"].network()(torch.from_numpy(rows))[0].numpy())[:, target]
    shares = np.zeros(count)
    for order in permutations(range(count)):
        coalition = 0
        for family in order:
            shares[family] += (values[coalition | 1 << family] - values[coalition]) / factorial(count)
            coalition |= 1 << family
    np.testing.assert_allclose(list(explanation.families.values()), shares, atol=1e-4)
