import msgspec
import numpy as np
import pytest

from edge import features
from edge.errors import ExplanationError, UsageError
from edge.explain import occlusion, perturbation, shapley
from edge.explain.explainer import METHODS, TOP_FEATURES, Explainer, Explanation
from edge.explain.perturbation import membership
from edge.explain.values import log_odds
from edge.model.adapter import Adaptation, Adapter
from edge.model.classifier import Classifier
from edge.model.manifest import input_names
from export.__main__ import export
from tests.untrained import untrained

FIELDS = [
    "method", "target", "baseline", "base_value", "value", "families", "residual", "features", "time", "evaluations",
    "milliseconds", "interactions",
]  # fmt: skip


@pytest.fixture(params=["frames", "pooled"])
def classifier(request, bundles) -> Classifier:
    return Classifier(bundles[request.param])


@pytest.fixture
def frames(voice) -> np.ndarray:
    return features.frames(voice)


def explain(classifier: Classifier, frames: np.ndarray, *arguments, **options) -> Explanation:
    """The explanation of the prediction for ``frames``, with a threshold that none falls below."""
    return Explainer(classifier).explain(classifier.predict(frames, threshold=0.0), *arguments, **options)


def families(classifier: Classifier, frames: np.ndarray, adaptation: Adaptation | None = None) -> Explanation:
    return Explainer(classifier).families(classifier.predict(frames, adaptation, threshold=0.0))


def one_by_one(
    classifier: Classifier, inputs: np.ndarray, masks: np.ndarray, adaptation: Adaptation | None = None
) -> np.ndarray:
    """Logits of each coalition from a run of the plain network of its own."""
    profile = classifier.bundle.profile
    groups = membership(profile, classifier.bundle.features)
    rows = [inputs * kept.reshape(1, *[1] * (inputs.ndim - 2), -1) for kept in masks @ groups]
    statistics = classifier.statistics(adaptation)
    return np.concatenate([classifier.bundle.model.run(["logits"], {profile: row, **statistics})[0] for row in rows])


def as_json(explanation: Explanation) -> dict:
    return msgspec.json.decode(msgspec.json.encode(explanation))


def test_json_has_exactly_the_documented_fields(classifier, frames):
    explanation = as_json(families(classifier, frames))
    assert list(explanation) == FIELDS
    assert list(explanation["families"]) == list(features.FAMILIES)
    assert explanation["method"] == "shapley-families"
    assert explanation["evaluations"] == 2 ** len(features.FAMILIES)


def test_json_of_all_parts(classifier, frames):
    explanation = as_json(explain(classifier, frames))
    assert list(explanation) == [*FIELDS, "segment", "attention"]
    assert explanation["method"] == "shapley-families+occlusion-features+occlusion-time"
    inputs, windows = classifier.inputs(frames), len(explanation["time"])
    assert explanation["evaluations"] == 2 ** len(features.FAMILIES) + inputs.shape[-1] + 2 * windows + 2
    assert [list(entry) for entry in explanation["features"]] == [["feature", "name", "effect"]] * (TOP_FEATURES + 1)
    assert explanation["time"][0]["start_s"] == 0
    assert explanation["time"][-1]["end_s"] == pytest.approx(len(frames) / features.FRAME_RATE, abs=1e-3)


def test_parts_can_be_asked_for_alone(classifier, frames):
    whole = explain(classifier, frames)
    for part, method in METHODS.items():
        explanation = explain(classifier, frames, parts=(part,))
        assert explanation.method == method
        assert explanation.base_value == pytest.approx(whole.base_value, abs=1e-5)
        for other in METHODS:
            expected = getattr(whole, other) if other == part else type(getattr(whole, other))()
            assert bool(getattr(explanation, other)) == bool(expected)


def test_features_are_ranked_by_size_and_sum_up_the_rest(classifier, frames):
    explanation = explain(classifier, frames, parts=("features",))
    inputs = classifier.inputs(frames)
    index = classifier.bundle.labels.index(explanation.target)
    names = input_names(classifier.bundle.profile, classifier.bundle.features)
    effects = {}
    for feature, name in enumerate(names):
        without = inputs.copy()
        without[..., feature] = 0
        logits = classifier.bundle.model.run(["logits"], {classifier.bundle.profile: without})[0]
        effects[name] = explanation.value - log_odds(logits)[0, index]
    expected = sorted(effects, key=lambda name: -abs(effects[name]))[:TOP_FEATURES]
    *top, rest = explanation.features
    assert [entry.feature for entry in top] == expected
    for entry in top:
        assert entry.effect == pytest.approx(effects[entry.feature], abs=1e-4)
    assert rest.feature == "rest"
    assert rest.effect == pytest.approx(sum(effects[name] for name in names if name not in expected), abs=1e-2)


def test_time_effects_are_the_mean_of_one_window_gone_and_one_window_left(bundles, frames):
    classifier = Classifier(bundles["frames"])
    explanation = explain(classifier, frames, parts=("time",))
    inputs, index = classifier.inputs(frames)[0], classifier.bundle.labels.index(explanation.target)

    def value(faded: np.ndarray) -> float:
        mixed = faded[:, None] * inputs.mean(axis=0) + (1 - faded[:, None]) * inputs
        logits = classifier.bundle.model.run(["logits"], {"frames": mixed[None].astype(np.float32)})[0]
        return log_odds(logits)[0, index]

    windows = occlusion.windows(len(frames))
    assert len(explanation.time) == len(windows.starts)
    silent = value(np.ones(len(frames)))
    for row, entry in zip(windows.weights, explanation.time, strict=True):
        gone, left = explanation.value - value(row), value(1 - row) - silent
        assert entry.effect == pytest.approx((gone + left) / 2, abs=1e-4)


def test_against_a_label_explains_the_difference_of_two_logits(classifier, frames):
    prediction = classifier.predict(frames)
    other = next(label for label in classifier.bundle.labels if label != prediction.label)
    explanation = Explainer(classifier).explain(prediction, parts=("families",), against=other)
    first, second = (prediction.logits[classifier.bundle.labels.index(label)] for label in (prediction.label, other))
    assert explanation.against == other
    assert explanation.value == pytest.approx(float(first) - float(second), abs=1e-6)
    total = sum(explanation.families.values())
    assert total == pytest.approx(explanation.value - explanation.base_value, abs=1e-3)


def test_against_an_unknown_label_lists_the_labels(classifier, frames):
    with pytest.raises(UsageError, match=r"boredom.*anger, disgust"):
        explain(classifier, frames, against="boredom")


def test_against_the_prediction_itself(classifier, frames):
    with pytest.raises(ExplanationError, match="another label"):
        explain(classifier, frames, against=classifier.predict(frames).label)


def test_time_needs_one_window(classifier, frames):
    with pytest.raises(ExplanationError, match="400 ms"):
        explain(classifier, frames[: occlusion.WINDOW_FRAMES - 1])
    assert len(explain(classifier, frames[: occlusion.WINDOW_FRAMES]).time) == 1


def test_no_number_of_an_explanation_is_ever_nan(classifier, voice):
    rng = np.random.default_rng(0)
    for clip in (voice[:7000], voice * 1e-4, voice * 30, np.ones(9000, np.float32), rng.normal(size=9000)):
        frames = features.frames(clip.astype(np.float32))
        assert b"null" not in msgspec.json.encode(explain(classifier, frames))  # JSON has no NaN


def test_families_add_up_to_the_predictions_log_odds(classifier, frames):
    prediction = classifier.predict(frames)
    explanation = Explainer(classifier).families(prediction)
    assert explanation.target == prediction.label
    best = list(classifier.bundle.labels).index(prediction.label)
    others = np.delete(prediction.logits.astype(float), best)
    assert explanation.value == pytest.approx(prediction.logits[best] - np.logaddexp.reduce(others), abs=1e-6)
    total = sum(explanation.families.values())
    assert total == pytest.approx(explanation.value - explanation.base_value, abs=1e-3)
    assert explanation.residual == pytest.approx(total - (explanation.value - explanation.base_value), abs=1e-9)


def test_batch_of_coalitions_equals_one_by_one(classifier, frames):
    inputs = classifier.inputs(frames)
    masks = shapley.coalitions(len(features.FAMILIES))
    batch = perturbation.of_families(classifier.bundle, inputs, masks)[0]
    np.testing.assert_allclose(batch, one_by_one(classifier, inputs, masks), atol=1e-4)


def test_prosody_is_a_sixth_family_where_a_bundle_hears_it(bundles, voice):
    classifier = Classifier(bundles["prosody"])
    frames = features.frames(voice, features.SIX)
    adapter = Adapter(frames.shape[1], classifier.bundle.embedding)
    adapter.observe(classifier.scaled(frames), classifier.predict(frames).embedding)
    adaptation = adapter.snapshot()
    prediction = classifier.predict(frames, adaptation)
    explanation = Explainer(classifier).explain(prediction, parts=("families", "features"))
    assert list(explanation.families) == [*features.FAMILIES, "prosody"]
    assert explanation.evaluations == 64 + 110
    assert sum(explanation.families.values()) == pytest.approx(explanation.value - explanation.base_value, abs=1e-3)
    masks = shapley.coalitions(6)
    inputs = classifier.inputs(frames, adaptation)
    batch, _ = perturbation.of_families(classifier.bundle, inputs, masks, classifier.statistics(adaptation))
    np.testing.assert_allclose(batch, one_by_one(classifier, inputs, masks, adaptation), atol=1e-4)


def test_a_bundle_that_hears_two_families_is_explained(tmp_path, voice):
    chosen = features.FeatureSet(("mfcc", "prosody"))
    bundle = export(untrained("frames", chosen), tmp_path / "two", "two")
    explanation = explain(Classifier(bundle), features.frames(voice, chosen))
    assert list(explanation.families) == ["mfcc", "prosody"]
    assert sum(explanation.families.values()) == pytest.approx(explanation.value - explanation.base_value, abs=1e-3)


def test_any_length_of_clip(bundles):
    classifier = Classifier(bundles["frames"])
    masks = shapley.coalitions(len(features.FAMILIES))
    for length in (5, 6, 47, 600):
        inputs = np.random.default_rng(length).normal(size=(1, length, features.COUNT)).astype(np.float32)
        batch = perturbation.of_families(classifier.bundle, inputs, masks)[0]
        np.testing.assert_allclose(batch, one_by_one(classifier, inputs, masks), atol=1e-4)


def test_family_at_its_baseline_speaks_for_nothing(bundles, frames):
    classifier = Classifier(bundles["frames"])
    place = features.FAMILIES["contrast"]
    frames[:, place] = classifier.bundle.scaler.mean[place]
    assert families(classifier, frames).families["contrast"] == pytest.approx(0, abs=1e-5)


def test_explanation_follows_the_adapter(bundles, frames):
    classifier = Classifier(bundles["frames"])
    adapter = Adapter(features.COUNT, classifier.bundle.embedding)
    cold = families(classifier, frames)
    for _ in range(200):
        adapter.observe(classifier.scaled(frames), classifier.predict(frames, adapter.snapshot()).embedding)
    warm = families(classifier, frames, adapter.snapshot())
    assert warm.base_value != pytest.approx(warm.value)
    assert cold.baseline == "training mean"
    assert "adapted" in warm.baseline
    assert warm.families != cold.families


def test_uncertain_prediction_is_explained_and_flagged(classifier, frames):
    explanation = Explainer(classifier).families(classifier.predict(frames, threshold=1.0))
    assert explanation.uncertain is True
    assert explanation.target in classifier.bundle.labels


@pytest.mark.parametrize("length", [0, 1, 4])
def test_clip_shorter_than_one_window(classifier, frames, length):
    with pytest.raises(ExplanationError, match="shorter than one window"):
        Explainer(classifier).predict_and_explain(frames[:length])


def test_clip_longer_than_any_utterance(bundles):
    with pytest.raises(ExplanationError, match="longer than 60 s"):
        families(Classifier(bundles["frames"]), np.zeros((4000, features.COUNT), np.float32))


def test_batches_of_any_size_give_the_same(classifier, frames, monkeypatch):
    whole = explain(classifier, frames)
    monkeypatch.setattr(perturbation, "FRAMES_OF_COPIES", 3 * len(frames))
    monkeypatch.setattr(perturbation, "FRAMES_OF_COALITIONS", 5 * len(frames))
    portions = explain(classifier, frames)
    assert portions.families == pytest.approx(whole.families, abs=1e-4)
    assert [entry.feature for entry in portions.features] == [entry.feature for entry in whole.features]
    for part in ("features", "time"):
        effects = [[entry.effect for entry in getattr(found, part)] for found in (portions, whole)]
        assert effects[0] == pytest.approx(effects[1], abs=1e-4)


@pytest.mark.parametrize(("rows", "frames"), [(1, 10), (7, 10), (10, 10), (64, 1), (3, 1000), (5, 0)])
def test_no_batch_is_larger_than_its_budget(rows, frames):
    sizes = []

    def run(part):
        sizes.append(part.stop - part.start)
        return [np.arange(rows)[part], -np.arange(rows)[part]]

    first, second = perturbation.in_batches(rows, frames, 30, run)
    assert first.tolist() == list(range(rows))
    assert second.tolist() == [-row for row in range(rows)]
    assert all(size == 1 or size * frames <= 30 for size in sizes)


@pytest.mark.parametrize("length", [1024, 48_000])
def test_silence(classifier, length):
    with pytest.raises(ExplanationError, match="silence"):
        families(classifier, features.frames(np.zeros(length, np.float32)))


def test_bundle_without_a_baseline(classifier, frames):
    manifest = msgspec.structs.replace(classifier.bundle.manifest, baseline=None)
    object.__setattr__(classifier.bundle, "manifest", manifest)
    try:
        with pytest.raises(ExplanationError, match="baseline"):
            families(classifier, frames)
    finally:
        manifest = msgspec.structs.replace(manifest, baseline="training mean")
        object.__setattr__(classifier.bundle, "manifest", manifest)


@pytest.mark.parametrize("parts", [("families",), ("families", "time"), ("features",)])
def test_a_prediction_out_of_the_explanation_is_the_classifiers(classifier, frames, parts):
    adaptation = Adapter(len(classifier.bundle.scaler.mean), classifier.bundle.embedding).snapshot()
    prediction, explanation = Explainer(classifier).predict_and_explain(frames, adaptation, 0.7, parts)
    alone = classifier.predict(frames, adaptation, 0.7)
    assert prediction.label == alone.label == explanation.target
    np.testing.assert_allclose(prediction.logits, alone.logits, atol=1e-4)
    np.testing.assert_allclose(prediction.embedding, alone.embedding, atol=1e-4)
    assert prediction.adaptation is adaptation
    assert prediction.threshold == 0.7
    if "time" in parts:
        np.testing.assert_allclose(explanation.attention, alone.attention, atol=1e-5)


def test_a_prediction_is_explained_as_it_was_made_whatever_came_after(classifier, frames):
    adapter = Adapter(len(classifier.bundle.scaler.mean), classifier.bundle.embedding)
    prediction = classifier.predict(frames, adapter.snapshot())
    before = Explainer(classifier).explain(prediction)
    for _ in range(50):
        adapter.observe(classifier.scaled(frames), prediction.embedding)
        classifier.predict(frames[::-1], adapter.snapshot(), threshold=1.0)
    after = Explainer(classifier).explain(prediction)
    assert msgspec.structs.replace(after, milliseconds=0) == msgspec.structs.replace(before, milliseconds=0)


def test_shares_that_miss_the_prediction_are_not_published(classifier, frames):
    prediction = classifier.predict(frames)
    prediction.logits[np.argmax(prediction.logits)] += 0.01
    with pytest.raises(ExplanationError, match="miss the prediction"):
        Explainer(classifier).families(prediction)


def test_log_odds_are_those_of_the_softmax():
    logits = np.random.default_rng(0).normal(0, 3, (4, 7))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(log_odds(logits), np.log(shares / (1 - shares)), atol=1e-9)
    assert np.isfinite(log_odds(np.array([[1000.0, -1000.0, 0.0]]))).all()


@pytest.mark.parametrize(("profile", "count"), [("frames", features.COUNT), ("pooled", len(features.POOLED_NAMES))])
def test_every_feature_belongs_to_one_family(profile, count):
    groups = membership(profile, features.FIVE)
    assert groups.shape == (len(features.FAMILIES), count)
    assert (groups.sum(axis=0) == 1).all()
