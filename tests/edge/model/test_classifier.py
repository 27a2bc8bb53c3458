import subprocess
import sys

import numpy as np
import pytest

from edge import features
from edge.model.adapter import Adaptation
from edge.model.classifier import Classifier, softmax


@pytest.fixture(params=["frames", "pooled"])
def classifier(request, bundles) -> Classifier:
    return Classifier(bundles[request.param])


def test_probabilities_are_the_tempered_softmax_of_the_logits(classifier, voice):
    prediction = classifier.predict(features.frames(voice))
    expected = np.exp(prediction.logits.astype(float) / 1.5)
    assert list(prediction.probabilities.values()) == pytest.approx(expected / expected.sum(), abs=1e-9)
    assert prediction.confidence == max(prediction.probabilities.values())
    assert prediction.probabilities[prediction.label] == prediction.confidence


def test_attention_is_a_distribution_over_time(bundles, voice):
    attention = Classifier(bundles["frames"]).predict(features.frames(voice)).attention
    assert len(attention) > 5
    assert attention.sum() == pytest.approx(1, abs=1e-5)


def test_uncertain_below_the_threshold_that_is_given(classifier, voice):
    frames = features.frames(voice)
    sure = classifier.predict(frames, threshold=0.0)
    assert sure.emotion == sure.label
    prediction = classifier.predict(frames, threshold=1.0)
    assert prediction.uncertain
    assert prediction.emotion == "uncertain"
    assert prediction.label == sure.label


def test_threshold_of_the_bundle_unless_given(classifier, voice):
    frames = features.frames(voice)
    assert classifier.predict(frames).threshold == 0.4
    assert classifier.predict(frames, threshold=0.0).threshold == 0.0


def test_a_classifier_cannot_be_changed(classifier):
    for name in ("bundle", "threshold", "adapter"):
        with pytest.raises(AttributeError):
            setattr(classifier, name, None)


def test_scaler_is_applied_before_the_adapter(classifier, voice):
    frames = features.frames(voice)
    scaler = classifier.bundle.scaler
    raw = frames if classifier.bundle.profile == "frames" else features.pooled(frames)
    scaled = np.atleast_2d((raw - scaler.mean) / scaler.scale)
    plain = classifier.inputs(frames)
    np.testing.assert_allclose(plain.reshape(scaled.shape), scaled, atol=1e-5)
    count = len(scaler.mean)
    adaptation = Adaptation(np.full(count, 2, np.float32), np.full(count, 4, np.float32), np.empty((2, 0)))
    np.testing.assert_allclose(classifier.inputs(frames, adaptation).reshape(scaled.shape), (scaled - 2) / 4, atol=1e-5)


def test_the_statistics_of_a_source_are_taken_out_of_the_embedding(bundles, voice):
    classifier, frames = Classifier(bundles["frames"]), features.frames(voice)
    cold = classifier.predict(frames)
    count, width = len(classifier.bundle.scaler.mean), classifier.bundle.embedding
    assert cold.embedding.shape == (width,)
    nothing = np.zeros(count, np.float32), np.ones(count, np.float32)
    statistics = np.stack([np.linspace(-1, 1, width), np.full(width, 2)]).astype(np.float32)
    warm = classifier.predict(frames, Adaptation(*nothing, statistics))
    np.testing.assert_allclose(warm.embedding, cold.embedding, atol=1e-5)  # what is learnt is what was heard
    assert np.abs(warm.logits - cold.logits).max() > 0.01
    said = []
    for heard in (frames, frames[:20]):  # an embedding that equals the mean leaves the last layer's bias alone
        embedding = classifier.predict(heard, Adaptation(*nothing, statistics)).embedding
        said.append(classifier.predict(heard, Adaptation(*nothing, np.stack([embedding, statistics[1]]))).logits)
    np.testing.assert_allclose(said[0], said[1], atol=1e-4)


def test_one_frame_is_classified(classifier):
    assert np.isfinite(classifier.predict(np.zeros((1, features.COUNT), np.float32)).logits).all()


def test_softmax_survives_large_logits():
    assert softmax(np.array([1000.0, 0.0])).tolist() == [1.0, 0.0]


def test_runtime_is_imported_only_to_infer():
    modules = "edge.model.bundle, edge.model.classifier, edge.explain.explainer"
    code = f"import sys, {modules}; sys.exit('onnxruntime' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
