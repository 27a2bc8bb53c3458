"""The seventh family on the device: what the bundle's encoder hears, beside the hand-made families."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from edge import features
from edge.errors import BundleError
from edge.explain.explainer import Explainer
from edge.features.log_mel import log_mel
from edge.model import encoder
from edge.model.bundle import Bundle
from edge.model.classifier import Classifier
from edge.model.manifest import ENCODER, MANIFEST
from train.checkpoint import Checkpoint
from train.speech import columns_of, join


def test_columns_are_those_of_training(bundles: dict[str, Bundle], checkpoints: dict[str, Checkpoint], voice) -> None:
    speech = checkpoints["speech"].speech
    assert speech is not None
    (columns,) = columns_of(speech.module(), [log_mel(voice).T])
    wanted = join(features.frames(voice, features.SIX), columns)
    found = encoder.frames(voice, bundles["speech"])
    scale = bundles["speech"].scaler.scale
    assert found.shape == wanted.shape
    assert np.abs((found - wanted) / scale).max() < 0.1  # the weights are kept in 8 bits


@pytest.mark.parametrize("seconds", [0.0, 0.001, 0.02, 16.0, 60.0])
def test_every_length_has_its_columns(bundles: dict[str, Bundle], seconds: float) -> None:
    samples = (0.1 * np.random.default_rng(1).standard_normal(round(seconds * 16_000))).astype(np.float32)
    found = encoder.frames(samples, bundles["speech"])
    assert found.shape == (1 + len(samples) // features.HOP_SAMPLES, len(bundles["speech"].features.names))
    assert np.isfinite(found).all()


def test_speech_is_explained_among_the_families(bundles: dict[str, Bundle], voice) -> None:
    classifier = Classifier(bundles["speech"])
    prediction, explanation = Explainer(classifier).predict_and_explain(encoder.frames(voice, classifier.bundle))
    assert list(explanation.families)[-1] == "speech"
    assert explanation.evaluations == 2**7
    assert abs(explanation.residual) < 1e-3
    assert abs(explanation.families["speech"]) > 1e-3
    assert prediction.confidence == pytest.approx(classifier.predict(prediction.frames).confidence, abs=1e-4)


def test_single_features_name_speech_as_one(bundles: dict[str, Bundle], voice) -> None:
    classifier = Classifier(bundles["speech"])
    prediction = classifier.predict(encoder.frames(voice, classifier.bundle))
    effects = Explainer(classifier).explain(prediction, ("features",)).features
    named = [effect.feature for effect in effects]
    assert not [name for name in named if name.startswith("speech_")]
    silent = prediction.frames.copy()
    place = classifier.bundle.features.places["speech"]
    silent[:, place] = classifier.bundle.scaler.mean[place]
    assert not np.allclose(classifier.predict(silent).logits, prediction.logits)


def test_confidence_depends_on_what_is_measured(bundles: dict[str, Bundle], voice) -> None:
    classifier = Classifier(bundles["speech"])
    loud = classifier.predict(encoder.frames(voice, classifier.bundle))
    calibration = classifier.bundle.manifest.calibration
    assert calibration is not None
    steeper = replace_calibration(classifier, coefficients=(3.0, 0.1))
    assert steeper.predict(loud.frames).confidence != loud.confidence
    assert steeper.predict(loud.frames).label == loud.label


def replace_calibration(classifier: Classifier, **changed: object) -> Classifier:
    manifest = classifier.bundle.manifest
    calibration = msgspec.structs.replace(manifest.calibration, **changed)
    return Classifier(replace(classifier.bundle, manifest=msgspec.structs.replace(manifest, calibration=calibration)))


def changed(bundle: Bundle, folder: Path, change) -> Path:
    """A copy of a bundle whose manifest is changed."""
    copy = folder / "copy"
    shutil.copytree(bundle.path, copy)
    manifest = json.loads((copy / MANIFEST).read_bytes())
    change(manifest, copy)
    (copy / MANIFEST).write_text(json.dumps(manifest))
    return copy


def without_encoder(manifest: dict, copy: Path) -> None:
    del manifest["files"][ENCODER]
    (copy / ENCODER).unlink()


def other_canary(manifest: dict, _copy: Path) -> None:
    manifest["encoder_canary"][0] += 1


def endless_calibration(manifest: dict, _copy: Path) -> None:
    manifest["calibration"]["scale"][0] = 0


def unknown_measure(manifest: dict, _copy: Path) -> None:
    manifest["calibration"]["measures"][0] = "mood"


@pytest.mark.parametrize("change", [without_encoder, other_canary, endless_calibration, unknown_measure])
def test_an_encoder_that_does_not_fit_is_refused(bundles: dict[str, Bundle], tmp_path: Path, change) -> None:
    with pytest.raises(BundleError) as refusal:
        Bundle.load(changed(bundles["speech"], tmp_path, change))
    assert str(refusal.value).count("\n") == 0


def test_a_bundle_without_speech_stays_valid(bundles: dict[str, Bundle], voice) -> None:
    assert bundles["prosody"].encoder is None
    found = encoder.frames(voice, bundles["prosody"])
    assert np.array_equal(found, features.frames(voice, features.SIX))
