import msgspec
import numpy as np
import pytest

from edge import features, shapley
from edge.adapt import Adapter
from edge.classifier import Classifier
from edge.errors import ExplanationError
from edge.explain import Explainer, log_odds, membership

FIELDS = [
    "method", "target", "baseline", "base_value", "value", "families", "residual", "features", "time", "evaluations",
    "milliseconds",
]  # fmt: skip


@pytest.fixture(params=["frames", "pooled"])
def classifier(request, bundles) -> Classifier:
    return Classifier(bundles[request.param], threshold=0.0)


@pytest.fixture
def frames(voice) -> np.ndarray:
    return features.frames(voice)


def one_by_one(classifier: Classifier, inputs: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Logits of each coalition from a run of the plain network of its own."""
    profile = classifier.bundle.profile
    rows = [inputs * kept.reshape(1, *[1] * (inputs.ndim - 2), -1) for kept in masks @ membership(profile)]
    return np.concatenate([classifier.bundle.model.run(["logits"], {profile: row})[0] for row in rows])


def test_json_has_exactly_the_documented_fields(classifier, frames):
    explanation = msgspec.json.decode(msgspec.json.encode(Explainer(classifier).families(frames)))
    assert list(explanation) == FIELDS
    assert list(explanation["families"]) == list(features.FAMILIES)
    assert explanation["method"] == "shapley-families"
    assert explanation["evaluations"] == 2 ** len(features.FAMILIES)


def test_families_add_up_to_the_verdicts_log_odds(classifier, frames):
    verdict = classifier.classify(frames)
    explanation = Explainer(classifier).families(frames, verdict)
    assert explanation.target == verdict.label
    best = list(classifier.bundle.labels).index(verdict.label)
    others = np.delete(verdict.logits.astype(float), best)
    assert explanation.value == pytest.approx(verdict.logits[best] - np.logaddexp.reduce(others), abs=1e-6)
    total = sum(explanation.families.values())
    assert total == pytest.approx(explanation.value - explanation.base_value, abs=1e-3)
    assert explanation.residual == pytest.approx(total - (explanation.value - explanation.base_value), abs=1e-9)


def test_batch_of_coalitions_equals_one_by_one(classifier, frames):
    inputs = classifier.inputs(frames)
    masks = shapley.coalitions(len(features.FAMILIES))
    batch = Explainer(classifier).logits(inputs, masks)
    np.testing.assert_allclose(batch, one_by_one(classifier, inputs, masks), atol=1e-4)


def test_any_length_of_clip(bundles):
    classifier = Classifier(bundles["frames"])
    masks = shapley.coalitions(len(features.FAMILIES))
    for length in (5, 6, 47, 600):
        inputs = np.random.default_rng(length).normal(size=(1, length, features.COUNT)).astype(np.float32)
        batch = Explainer(classifier).logits(inputs, masks)
        np.testing.assert_allclose(batch, one_by_one(classifier, inputs, masks), atol=1e-4)


def test_family_at_its_baseline_speaks_for_nothing(bundles, frames):
    classifier = Classifier(bundles["frames"])
    place = features.FAMILIES["contrast"]
    frames[:, place] = classifier.bundle.scaler.mean[place]
    assert Explainer(classifier).families(frames).families["contrast"] == pytest.approx(0, abs=1e-5)


def test_explanation_follows_the_adapter(bundles, frames):
    adapter = Adapter(features.COUNT)
    classifier = Classifier(bundles["frames"])
    cold = Explainer(classifier).families(frames)
    for _ in range(200):
        adapter.observe(classifier.scaled(frames))
    classifier.adapter = adapter.apply
    warm = Explainer(classifier).families(frames)
    assert warm.base_value != pytest.approx(warm.value)
    assert cold.baseline == "training mean"
    assert "adapted" in warm.baseline
    assert warm.families != cold.families


def test_uncertain_verdict_is_explained_and_flagged(classifier, frames):
    classifier.threshold = 1.0
    explanation = Explainer(classifier).families(frames)
    assert explanation.uncertain is True
    assert explanation.target in classifier.bundle.labels


@pytest.mark.parametrize("length", [0, 1, 4])
def test_clip_shorter_than_one_window(classifier, frames, length):
    with pytest.raises(ExplanationError, match="shorter than one window"):
        Explainer(classifier).families(frames[:length])


@pytest.mark.parametrize("length", [1024, 48_000])
def test_silence(classifier, length):
    with pytest.raises(ExplanationError, match="silence"):
        Explainer(classifier).families(features.frames(np.zeros(length, np.float32)))


def test_bundle_without_a_baseline(classifier, frames):
    manifest = msgspec.structs.replace(classifier.bundle.manifest, baseline=None)
    object.__setattr__(classifier.bundle, "manifest", manifest)
    try:
        with pytest.raises(ExplanationError, match="baseline"):
            Explainer(classifier).families(frames)
    finally:
        manifest = msgspec.structs.replace(manifest, baseline="training mean")
        object.__setattr__(classifier.bundle, "manifest", manifest)


def test_shares_that_miss_the_verdict_are_not_published(classifier, frames):
    verdict = classifier.classify(frames)
    verdict.logits[np.argmax(verdict.logits)] += 0.01
    with pytest.raises(ExplanationError, match="miss the verdict"):
        Explainer(classifier).families(frames, verdict)


def test_log_odds_are_those_of_the_softmax():
    logits = np.random.default_rng(0).normal(0, 3, (4, 7))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(log_odds(logits), np.log(shares / (1 - shares)), atol=1e-9)
    assert np.isfinite(log_odds(np.array([[1000.0, -1000.0, 0.0]]))).all()


@pytest.mark.parametrize(("profile", "count"), [("frames", features.COUNT), ("pooled", len(features.POOLED_NAMES))])
def test_every_feature_belongs_to_one_family(profile, count):
    groups = membership(profile)
    assert groups.shape == (len(features.FAMILIES), count)
    assert (groups.sum(axis=0) == 1).all()
