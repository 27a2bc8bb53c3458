import numpy as np
import pytest

from train import metrics
from train.calibration import fit_temperature, threshold_for

CLASSES = ["anger", "neutral", "sad"]


def test_recall_is_averaged_over_the_emotions_that_occur() -> None:
    probabilities = np.array([[0.8, 0.1, 0.1], [0.7, 0.2, 0.1], [0.6, 0.3, 0.1], [0.2, 0.7, 0.1]])
    scores = metrics.score(probabilities, np.array([0, 0, 1, 1]), CLASSES)
    assert scores.wa == pytest.approx(0.75)
    assert scores.uar == pytest.approx(0.75)
    assert scores.per_class == {"anger": 1.0, "neutral": 0.5}
    assert scores.confusion == [[2, 0, 0], [1, 1, 0], [0, 0, 0]]


def test_confidence_that_comes_true_has_no_calibration_error() -> None:
    generator = np.random.default_rng(1)
    confidence = generator.uniform(0.5, 1, 200_000)
    probabilities = np.stack([confidence, 1 - confidence], axis=1)
    meant = (generator.random(200_000) > confidence).astype(int)
    assert metrics.calibration_error(probabilities, meant) < 0.01
    assert metrics.calibration_error(probabilities, np.ones(200_000, int)) > 0.5


def test_temperature_undoes_what_made_logits_too_sure() -> None:
    generator = np.random.default_rng(1)
    logits = generator.standard_normal((20_000, 3))
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    meant = (generator.random((20_000, 1)) > chances.cumsum(axis=1)).sum(axis=1)
    assert fit_temperature((3 * logits).astype(np.float32), meant) == pytest.approx(3, rel=0.05)


def test_threshold_lets_its_coverage_through() -> None:
    confidences = np.random.default_rng(1).random(1000)
    assert (confidences >= threshold_for(confidences, 0.9)).mean() == pytest.approx(0.9, abs=0.005)


def test_the_most_confident_are_counted_first() -> None:
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.55, 0.45], [0.6, 0.4]])
    assert metrics.accuracy_at(probabilities, np.array([0, 0, 1, 1]), 0.5) == 1.0
