"""What of a sound a verdict rests on: the mask laid over it, the two parts, and what has none."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.audio import SAMPLE_RATE
from edge.errors import ExplanationError
from edge.explain import listening
from edge.explain.listening import CARRIED, listen, mask, parted
from edge.features import log_mel
from edge.model import encoder
from edge.model.bundle import DEFAULT, Bundle
from edge.model.classifier import Classifier
from edge.sources.conversion import read_audio
from tests.conftest import DEMO
from tests.maps import with_map


@pytest.fixture(scope="module")
def classifier(tmp_path_factory) -> Classifier:
    return Classifier(with_map(tmp_path_factory.mktemp("map") / "bundle"))


@pytest.fixture(scope="module")
def utterance() -> np.ndarray:
    """Angry, says the network, from the demonstration recording."""
    return read_audio(DEMO)[round(27.2 * SAMPLE_RATE) : round(31.2 * SAMPLE_RATE)]


def tones(*hertz: float, seconds: float = 1.0) -> np.ndarray:
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return np.rint(sum(5000 * np.sin(2 * np.pi * hz * time) for hz in hertz)).astype(np.int16)


def power(samples: np.ndarray, hertz: float) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(spectrum[round(hertz * len(samples) / SAMPLE_RATE)] ** 2)


def open_everywhere(samples: np.ndarray, value: float = 1.0) -> np.ndarray:
    return np.full((log_mel.BANDS, max(1, len(samples) // log_mel.HOP_SAMPLES)), value, np.float32)


def test_every_bin_is_a_mean_of_bands():
    np.testing.assert_allclose(CARRIED.sum(axis=0), 1)
    assert (CARRIED >= 0).all()
    assert (np.diff(CARRIED.argmax(axis=0)) >= 0).all()  # higher bins from higher bands


@given(seed=st.integers(0, 2**31), length=st.integers(1, 5000))
@settings(deadline=None, max_examples=40)
def test_the_parts_add_up_to_the_sound_under_any_mask(seed, length):
    generator = np.random.default_rng(seed)
    samples = generator.integers(-32768, 32768, length).astype(np.int16)
    shares = generator.random((log_mel.BANDS, max(1, length // log_mel.HOP_SAMPLES)), np.float32)
    kept, rest = parted(samples, shares)
    assert kept.dtype == rest.dtype == np.int16
    loud = np.abs(kept.astype(int)) + np.abs(rest.astype(int)) > 32766  # where one of them would not fit 16 bits
    assert (kept.astype(int) + rest == samples)[~loud].all()


@pytest.mark.parametrize("length", [6401, 16_000, 16_159])
def test_a_mask_of_ones_keeps_all_and_one_of_zeros_nothing(length):
    samples = np.random.default_rng(1).integers(-9000, 9000, length).astype(np.int16)
    kept, rest = parted(samples, open_everywhere(samples))
    assert np.array_equal(kept, samples)
    assert not rest.any()
    assert not parted(samples, open_everywhere(samples, 0.0))[0].any()


def test_half_a_mask_keeps_half_of_every_amplitude():
    samples = tones(500)
    kept, rest = parted(samples, open_everywhere(samples, 0.5))
    assert np.abs(kept - samples / 2).max() <= 1
    assert np.abs(rest - samples / 2).max() <= 1


def test_bands_that_are_kept_sound_and_the_others_are_in_the_rest():
    samples = tones(500, 3000)
    shares = open_everywhere(samples)
    centre = log_mel.BANK.argmax(axis=0) * SAMPLE_RATE / log_mel.WINDOW_SAMPLES
    shares[centre > 1500] = 0
    kept, rest = parted(samples, shares)
    assert power(kept, 500) == pytest.approx(power(samples, 500), rel=0.01)
    assert power(rest, 3000) == pytest.approx(power(samples, 3000), rel=0.01)
    assert power(kept, 3000) < 1e-4 * power(samples, 3000)
    assert power(rest, 500) < 1e-4 * power(samples, 500)


def test_moments_that_are_kept_sound_and_the_others_are_in_the_rest():
    samples = tones(500)
    shares = open_everywhere(samples)
    shares[:, 50:] = 0
    kept, rest = parted(samples, shares)
    edge = round(0.025 * SAMPLE_RATE)
    half = 50 * log_mel.HOP_SAMPLES
    assert np.array_equal(kept[: half - edge], samples[: half - edge])
    assert np.array_equal(rest[half + edge :], samples[half + edge :])
    assert not kept[half + edge :].any()


def test_an_utterance_is_parted_and_both_parts_are_judged(classifier, utterance):
    prediction = classifier.predict(encoder.frames(utterance, classifier.bundle))
    found = listen(classifier, utterance, prediction)
    assert found.mask.shape == (log_mel.BANDS, len(utterance) // log_mel.HOP_SAMPLES)
    assert found.mask.min() >= 0
    assert found.mask.max() <= 1
    assert np.array_equal(found.kept + found.rest, utterance)
    assert found.alone.label == prediction.label
    again = classifier.predict(encoder.frames(found.rest, classifier.bundle))
    assert found.without.probabilities == again.probabilities


def test_the_map_is_of_the_verdict_that_it_is_asked_for(classifier, utterance):
    spectrum = log_mel.log_mel(utterance)
    one, other = (mask(classifier.bundle, spectrum, np.eye(7, dtype=np.float32)[place] * 5) for place in (0, 3))
    assert np.abs(one - other).max() > 1e-4


def test_a_long_utterance_has_a_map(classifier):
    spectrum = log_mel.log_mel(np.tile(read_audio(DEMO), 2)[: 40 * SAMPLE_RATE])  # heard in pieces of 15 s
    assert mask(classifier.bundle, spectrum, np.zeros(7, np.float32)).shape == spectrum.shape


def noise(seconds: float) -> np.ndarray:
    return np.random.default_rng(1).integers(-3000, 3000, round(seconds * SAMPLE_RATE)).astype(np.int16)


def melody() -> np.ndarray:
    """Four plucked notes, each with its overtones."""
    time = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    notes = [
        sum(np.sin(2 * np.pi * hz * order * time) / order for order in range(1, 8)) * np.exp(-3 * time)
        for hz in (262, 330, 392, 524)
    ]
    return np.rint(4000 * np.concatenate(notes)).astype(np.int16)


@pytest.mark.parametrize(
    ("samples", "word"),
    [
        (tones(500, seconds=0.3), "shorter than 400 ms"),
        (np.zeros(2 * SAMPLE_RATE, np.int16), "silence"),
        (tones(262, 330, 392, 524, seconds=3), "Nobody is heard"),
        (melody(), "Nobody is heard"),
        (noise(3), "Nobody is heard"),
        (noise(70), "longer than 60 s"),
    ],
)
def test_what_has_no_map_gets_one_sentence(classifier, samples, word):
    prediction = classifier.predict(encoder.frames(samples[: 5 * SAMPLE_RATE], classifier.bundle))
    with pytest.raises(ExplanationError, match=word) as caught:
        listen(classifier, samples, prediction)
    assert "\n" not in str(caught.value)


def test_a_bundle_without_a_map_says_so(utterance):
    light = Classifier(Bundle.load(DEFAULT.with_name("light")))
    prediction = light.predict(encoder.frames(utterance, light.bundle))
    with pytest.raises(ExplanationError, match="light has no map"):
        listen(light, utterance, prediction)


class Closed:
    """A graph that keeps nothing."""

    def run(self, _wanted, feed):
        return [np.zeros_like(feed["log_mel"])]


def test_a_map_that_does_not_keep_the_verdict_is_not_shown(classifier, utterance):
    bundle = replace(classifier.bundle, map=Closed())
    prediction = classifier.predict(encoder.frames(utterance, classifier.bundle))
    silent = classifier.predict(encoder.frames(np.zeros_like(utterance), classifier.bundle))
    assert silent.label != prediction.label
    with pytest.raises(ExplanationError, match=f"sounds like {silent.label} and not like {prediction.label}") as caught:
        listen(Classifier(bundle), utterance, prediction)
    assert "\n" not in str(caught.value)


def test_hum_that_was_taken_out_before_the_verdict_is_in_neither_part(classifier, utterance):
    time = np.arange(len(utterance)) / SAMPLE_RATE
    hum = np.rint(600 * np.sin(2 * np.pi * 100 * time)).astype(np.int16)
    humming = utterance + hum
    prediction = classifier.predict(encoder.frames(humming, classifier.bundle))
    found = listening.listen(classifier, humming, prediction)
    assert power(found.kept + found.rest, 100) < 0.01 * power(humming, 100)
