"""How strongly an emotion is expressed: what the head rests on, and what a bundle says of it."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from edge.errors import BundleError
from edge.model import intensity
from edge.model.adapter import Adapter, AdapterSettings
from edge.model.bundle import Bundle
from edge.model.classifier import Classifier
from edge.model.encoder import frames
from edge.model.manifest import MANIFEST

SECONDS = np.arange(16000 * 2) / 16000
TONE = (0.1 * np.sin(2 * np.pi * 180 * SECONDS + np.sin(2 * np.pi * 3 * SECONDS))).astype(np.float32)
TONE += np.random.default_rng(1).normal(0, 0.003, len(TONE)).astype(np.float32)


@pytest.fixture(scope="module", params=["default", "light"])
def bundle(request: pytest.FixtureRequest) -> Bundle:
    return Bundle.load(Path("edge/models") / request.param)


def test_both_bundles_say_how_strongly(bundle: Bundle) -> None:
    found = Classifier(bundle).predict(frames(TONE, bundle)).intensity
    assert found is not None
    assert 0 <= found <= 1


def test_a_louder_microphone_changes_no_measure_of_prosody(bundle: Bundle) -> None:
    first, second = (intensity._own(frames(sound, bundle), bundle.features) for sound in (TONE, 3 * TONE))
    assert np.allclose(first, second, atol=0.05)


def test_an_unknown_voice_has_no_usual(bundle: Bundle) -> None:
    heard = frames(TONE, bundle)
    scaled, embedding = bundle.scaler.apply(heard), np.ones(bundle.embedding, np.float32)
    adapter = Adapter(len(bundle.features.names), bundle.embedding)
    cold = intensity.measures(heard, scaled, bundle.features, embedding, None)
    assert np.array_equal(cold, intensity.measures(heard, scaled, bundle.features, embedding, adapter.snapshot()))
    assert len(cold) == intensity.size(bundle.features, bundle.embedding)


def test_the_usual_voice_counts_alike_however_fast_it_was_learnt(bundle: Bundle) -> None:
    heard = frames(TONE, bundle)
    scaled, embedding = bundle.scaler.apply(heard), np.ones(bundle.embedding, np.float32)
    found = []
    for prior in (2.0, 25.0):
        adapter = Adapter(len(bundle.features.names), bundle.embedding, AdapterSettings(prior))
        for level in (0.5, 1.0, 1.5):
            adapter.observe(scaled * level, embedding * level)
        found.append(intensity.measures(heard, scaled, bundle.features, embedding * 3, adapter.snapshot()))
    np.testing.assert_allclose(*found, atol=1e-4)
    assert np.abs(found[0][-bundle.embedding :] - 3 / 28 * 2).max() < 1e-4


def test_a_bundle_without_a_head_says_nothing(bundle: Bundle, tmp_path: Path) -> None:
    folder = changed(bundle, tmp_path, None)
    assert Classifier(Bundle.load(folder)).predict(frames(TONE, bundle)).intensity is None


def test_a_head_that_does_not_fit_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    folder = changed(bundle, tmp_path, {"mean": [0.0], "scale": [1.0], "weights": [1.0], "bias": 0.0})
    with pytest.raises(BundleError, match="`intensity` that does not fit"):
        Bundle.load(folder)


def changed(bundle: Bundle, tmp_path: Path, head: object) -> Path:
    """A copy of a bundle with another head."""
    folder = Path(shutil.copytree(bundle.path, tmp_path / "bundle"))
    path = folder / MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_text()), "intensity": head}))
    return folder
