"""What people hear in a voice: measured, put back to usual, and shared out."""

from pathlib import Path

import numpy as np
import pytest

import edge
from edge import features
from edge.audio import SAMPLE_RATE
from edge.errors import ExplanationError
from edge.explain import aspects, by_aspects, shapley, texts
from edge.explain.aspects import ASPECTS, Change
from edge.explain.spectra import Spectra, stretched, tilt_for, white_noise
from edge.explain.values import log_odds
from edge.model import encoder
from edge.model.bundle import DEFAULT, Bundle
from edge.model.classifier import Classifier
from edge.sources.conversion import read_audio

CHANGES = {
    "pitch": (Change(octaves=0.25), 3.0),
    "pitch_movement": (Change(melody=1.5), np.log(1.5)),
    "loudness": (Change(gain_db=6.0), 6.0),
    "loudness_movement": (Change(dynamics=1.3), np.log(1.3)),
    "brightness": (Change(brighter_db=4.0), 4.0),
    "clarity": (Change(regularity=0.7), -0.5),
}
"""A change, and how far it moves what is measured."""


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(Bundle.load(DEFAULT))


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    recording = read_audio(Path(edge.__file__).parent / "demo.opus")
    return recording[round(27.2 * SAMPLE_RATE) : round(31.2 * SAMPLE_RATE)]


@pytest.fixture(scope="module")
def prediction(classifier, speech):
    return classifier.predict(encoder.frames(speech.astype(float) / 32768, classifier.bundle))


def singing(hertz: float, swing: float = 0.0, seconds: float = 2.0) -> np.ndarray:
    """Harmonics that fall by 12 dB an octave, at a pitch that swings by so many octaves to each side, in syllables."""
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    pitch = hertz * 2 ** (swing * np.sin(2 * np.pi * 1.5 * time))
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
    tone = sum(np.sin(k * phase) / k**2 for k in range(1, 20))
    loud = 0.2 + 0.8 * np.sin(np.pi * 4 * time) ** 2
    noise = np.random.default_rng(0).normal(0, 1e-4, len(time))
    return 0.1 * loud * tone + noise


def measured(samples: np.ndarray) -> dict[str, float]:
    return aspects.measures(features.frames(samples, features.SIX), features.SIX)


@pytest.mark.parametrize("hertz", [110.0, 180.0, 300.0])
def test_pitch_of_a_voice_is_measured_in_semitones(hertz):
    assert measured(singing(hertz))["pitch"] == pytest.approx(12 * np.log2(hertz / 150), abs=0.3)


def test_movement_of_the_pitch_grows_with_the_swing():
    still, moving = (measured(singing(180.0, swing))["pitch_movement"] for swing in (0.02, 0.2))
    assert still < 0.5
    assert moving > 1.5


def test_loudness_is_measured_in_decibels():
    quiet, loud = (measured(gain * singing(180.0)) for gain in (0.5, 1.0))
    found = aspects.differences(loud, quiet)
    assert found["loudness"] == pytest.approx(6.02, abs=0.1)
    assert all(abs(found[name]) < ASPECTS[name].least for name in found if name != "loudness")


def test_faster_speech_has_more_tempo_and_no_other_aspect_follows(speech):
    power = features.power_of(speech)
    slow, fast = (
        aspects.measures(features.of_power(power[stretched(len(power), rate)], features.SIX), features.SIX)
        for rate in (1.0, 1.3)
    )
    assert np.log(fast["tempo"] / slow["tempo"]) > 2 * ASPECTS["tempo"].least
    assert abs(fast["pitch"] - slow["pitch"]) < ASPECTS["pitch"].least


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_in_the_spectra_moves_its_own_aspect(name, speech, classifier):
    change, expected = CHANGES[name]
    chosen = classifier.bundle.features
    spectra = Spectra(speech, classifier.bundle)
    before, after = (aspects.measures(spectra.frames(one), chosen) for one in (Change(), change))
    found = aspects.differences(after, before)
    assert found[name] == pytest.approx(expected, rel=0.35)
    largest = max(found, key=lambda one: abs(found[one]) / ASPECTS[one].least)
    assert largest == name


def test_no_change_gives_the_frames_of_the_sound(speech, classifier):
    found = Spectra(speech, classifier.bundle).frames(Change())
    expected = encoder.frames(speech.astype(float) / 32768, classifier.bundle)
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_a_change_by_what_was_measured_puts_an_aspect_back(speech, classifier):
    chosen, spectra = classifier.bundle.features, Spectra(speech, classifier.bundle)
    own, normal = aspects.measures(spectra.frames(Change()), chosen), aspects.usual(classifier.bundle, None)
    apart = aspects.differences(own, normal)
    for name in ("pitch", "brightness"):
        after = aspects.measures(spectra.frames(aspects.change(name, apart[name])), chosen)
        assert abs(after[name] - normal[name]) < 0.4 * abs(apart[name])


def test_tilt_reaches_what_is_wanted(speech):
    power = features.power_of(speech)
    assert tilt_for(power, 0.0) == 0.0
    assert tilt_for(power, 4.0) > 0 > tilt_for(power, -4.0)


def test_breath_is_white_and_the_same_each_time():
    noise = white_noise(20 * SAMPLE_RATE)
    np.testing.assert_array_equal(noise[:3], white_noise(3))
    assert noise[:3] == pytest.approx([-0.5, -0.0916509, 0.3166981], abs=1e-6)
    power = features.power_of(noise)[4:-4].mean(axis=0)[4:-4]
    assert power == pytest.approx(power.mean(), rel=0.2)


def test_shares_add_up_to_what_the_voice_adds(classifier, speech, prediction):
    found = by_aspects.explain(speech, prediction, classifier)
    total = sum(effect.effect for effect in found.effects.values())
    assert total == pytest.approx(found.value - found.base_value, abs=1e-6)
    assert found.value == pytest.approx(float(log_odds(prediction.logits[None]).max()), abs=1e-3)
    assert abs(found.residual) < 1e-6


def test_one_aspect_alone_is_heard_by_the_whole_network(classifier, speech, prediction):
    own = aspects.measures(prediction.frames, classifier.bundle.features)
    for name in ("pitch", "tempo"):
        normal = dict(own) | {name: own[name] * 0.8 if ASPECTS[name].relative else own[name] - 3}
        found = by_aspects.explain(speech, prediction, classifier, normal=normal)
        change = aspects.change(name, aspects.difference(name, own[name], normal[name]))
        frames = Spectra(speech, classifier.bundle).frames(change)
        target = classifier.bundle.labels.index(prediction.label)
        expected = log_odds(classifier.predict(frames).logits[None])[0, target]
        assert found.evaluations == 2
        assert found.base_value == pytest.approx(float(expected), abs=0.05 if name == "pitch" else 0.3)


def test_what_is_as_usual_adds_nothing(classifier, speech, prediction):
    own = aspects.measures(prediction.frames, classifier.bundle.features)
    found = by_aspects.explain(speech, prediction, classifier, normal=own)
    assert {effect.words for effect in found.effects.values()} == {texts.AS_USUAL}
    assert all(effect.effect == 0 for effect in found.effects.values())
    assert found.base_value == found.value


def test_equal_arguments_give_equal_explanations(classifier, speech, prediction):
    one, other = (by_aspects.explain(speech, prediction, classifier) for _ in range(2))
    assert one.effects == other.effects


def test_the_usual_voice_of_a_source_is_what_it_has_heard(classifier, speech, prediction):
    adapter = classifier.bundle.adapter()
    for _ in range(200):
        adapter.observe(classifier.scaled(prediction.frames), prediction.embedding)
    own = aspects.measures(prediction.frames, classifier.bundle.features)
    cold, warm = (aspects.usual(classifier.bundle, known) for known in (None, adapter.snapshot()))
    for name in ("pitch", "loudness", "brightness", "clarity"):
        assert abs(warm[name] - own[name]) < abs(cold[name] - own[name])


def test_a_whisper_has_no_pitch(classifier):
    whisper = np.random.default_rng(1).normal(0, 0.05, 2 * SAMPLE_RATE)
    found = by_aspects.explain(whisper, classifier.predict(encoder.frames(whisper, classifier.bundle)), classifier)
    assert {name for name, reason in found.absent.items() if reason == texts.NO_PITCH} == {
        "pitch", "pitch_movement", "clarity",
    }  # fmt: skip
    assert "loudness" in found.effects


@pytest.mark.parametrize(("seconds", "word"), [(0.3, "shorter"), (21, "longer")])
def test_length(classifier, seconds, word):
    sound = singing(180.0, seconds=seconds)
    with pytest.raises(ExplanationError, match=word):
        by_aspects.explain(sound, classifier.predict(encoder.frames(sound, classifier.bundle)), classifier)


def test_a_bundle_without_prosody(bundles, voice):
    classifier = Classifier(bundles["frames"])
    with pytest.raises(ExplanationError, match="prosody"):
        by_aspects.explain(voice, classifier.predict(features.frames(voice)), classifier)


def test_the_fewest_aspects_that_change_the_verdict_are_named():
    gone = 1 - shapley.coalitions(3)
    logits = np.stack([np.zeros(8), 2 * gone[:, 0] + gone[:, 1] + gone[:, 2] - 1.5], axis=1).astype(np.float32)
    found = by_aspects.counterfactual(logits, ("anger", "neutral"), "anger", {"a": 0.5, "b": 0.2, "c": 0.1})
    assert found.aspects == ["a"]
    assert found.label == "neutral"


def test_of_equal_sets_the_one_of_least_effect_is_named():
    gone = 1 - shapley.coalitions(2)
    logits = np.stack([np.zeros(4), gone.sum(axis=1) - 0.5], axis=1).astype(np.float32)
    found = by_aspects.counterfactual(logits, ("anger", "neutral"), "anger", {"a": 0.5, "b": 0.2})
    assert found.aspects == ["b"]


def test_octave_errors_of_the_pitch_are_mended():
    course = np.linspace(0.2, 0.4, 60)
    wrong = course.copy()
    wrong[[10, 11, 30]] += 1
    np.testing.assert_allclose(aspects.melody(wrong), course, atol=1e-9)
