"""How sure the network may be, by what a device can measure."""

import numpy as np
import pytest
from scipy.special import softmax

from edge.model.calibration import MEASURES, Calibration, measures
from train import metrics
from train.calibration import constant, fit_calibration


def answers(count: int = 4000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logits that are right as often as they say where the distance is small, and guesses where it is large."""
    generator = np.random.default_rng(1)
    measured = generator.standard_normal((count, len(MEASURES))).astype(np.float32)
    logits = generator.normal(0, 2, (count, 4)).astype(np.float32)
    sharpness = np.where(measured[:, MEASURES.index("distance")] > 0, 0.1, 1.0)[:, None]
    chances = softmax(logits * sharpness, axis=1).cumsum(axis=1)
    meant = (generator.random((count, 1)) > chances).sum(axis=1)
    return logits, meant, measured


def test_a_constant_calibration_is_a_temperature() -> None:
    logits, _, measured = answers(10)
    np.testing.assert_allclose(constant(1.7).probabilities(logits, measured), softmax(logits / 1.7, axis=1), rtol=1e-5)
    assert constant(1.7).temperature == pytest.approx(1.7)
    np.testing.assert_allclose(Calibration().probabilities(logits, measured), softmax(logits, axis=1), rtol=1e-5)


def test_what_is_far_from_training_is_given_with_less_confidence() -> None:
    logits, meant, measured = answers()
    fitted = fit_calibration(logits, meant, measured)
    distance = fitted.measures.index("distance")
    assert fitted.coefficients[distance] < -0.1
    assert max(abs(value) for place, value in enumerate(fitted.coefficients) if place != distance) < 0.1
    sure = fitted.probabilities(logits, measured).max(axis=1)
    far = measured[:, MEASURES.index("distance")] > 0
    assert sure[far].mean() < sure[~far].mean() - 0.2
    plain = constant(1.0).probabilities(logits, measured)
    fine = fitted.probabilities(logits, measured)
    assert metrics.calibration_error(fine[far], meant[far]) < metrics.calibration_error(plain[far], meant[far]) / 3


def test_a_measure_that_never_changes_has_no_coefficient_and_extremes_count_no_further() -> None:
    logits, meant, measured = answers()
    measured[:, 0] = 2.0
    fitted = fit_calibration(logits, meant, measured)
    assert fitted.measures == MEASURES[1:]
    measured[:5] = 1e6
    wild = fitted.probabilities(logits[:5], measured[:5])
    assert np.isfinite(wild).all()


def test_measures_tell_a_quiet_narrow_and_smeared_sound_from_a_near_one() -> None:
    generator = np.random.default_rng(1)
    pauses = np.where(np.sin(np.arange(200) / 4) > 0, 0.0, -50.0)[:, None]
    near = (-40 + pauses + generator.normal(0, 3, (200, 40))).astype(np.float32)
    found = dict(zip(MEASURES, measures(near, np.ones(8, np.float32), 0.0), strict=True))
    assert found["seconds"] == pytest.approx(np.log2(3.2))
    assert found["distance"] == pytest.approx(0, abs=1e-6)
    assert found["history"] == 0
    quiet = dict(zip(MEASURES, measures(near - 20, np.full(8, 2.0, np.float32), 6.0), strict=True))
    assert quiet["level"] == pytest.approx(found["level"] - 20, abs=0.01)
    assert quiet["range"] == pytest.approx(found["range"], abs=0.01)
    assert quiet["distance"] == pytest.approx(np.log(4))
    narrow = near.copy()
    narrow[:, 32:] = -100
    assert dict(zip(MEASURES, measures(narrow, None, 0.0), strict=True))["high"] < found["high"] - 40
    smeared = np.maximum(near, near.max(axis=0) - 15)
    far = dict(zip(MEASURES, measures(smeared, None, 0.0), strict=True))
    assert far["range"] < found["range"] - 20
    assert far["modulation"] < found["modulation"] / 2


def test_silence_has_measures() -> None:
    assert np.isfinite(measures(np.full((1, 40), -100, np.float32), None, 0.0)).all()
