"""The way from sound to verdict in torch is the device's, and has a slope everywhere."""

import numpy as np
import pytest
import torch

from edge import features
from edge.audio import FULL_SCALE, SAMPLE_RATE
from edge.errors import UsageError
from edge.explain.listening import parted
from edge.features import log_mel
from edge.model import encoder
from edge.model.bundle import DEFAULT, Bundle
from edge.model.classifier import Classifier
from edge.sources.conversion import read_audio
from tests.conftest import DEMO
from train.chain import Chain, hand_made_of, log_mel_of, masked, power_of


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return Bundle.load(DEFAULT)


@pytest.fixture(scope="module")
def chain(bundle) -> Chain:
    return Chain(bundle)


def spoken(seconds: float, start: float = 27.2) -> np.ndarray:
    first = round(start * SAMPLE_RATE)
    return read_audio(DEMO)[first : first + round(seconds * SAMPLE_RATE)]


def full_scale(samples: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(samples.astype(np.float32) / FULL_SCALE)[None]


@pytest.mark.parametrize("seconds", [0.5, 2.017, 3.0])
def test_features_are_the_devices(bundle, seconds):
    samples = spoken(seconds)
    found = hand_made_of(power_of(full_scale(samples)), features.SIX.families)[0].numpy()
    wanted = features.frames(samples, features.SIX)
    count = len(features.SIX.names)
    np.testing.assert_allclose(found / bundle.scaler.scale[:count], wanted / bundle.scaler.scale[:count], atol=2e-3)
    np.testing.assert_allclose(log_mel_of(full_scale(samples))[0].numpy(), log_mel.log_mel(samples), atol=1e-4)


@pytest.mark.parametrize("seconds", [0.5, 2.017, 3.0])
def test_verdicts_are_the_devices(bundle, chain, seconds):
    samples = spoken(seconds)
    with torch.inference_mode():
        heard = chain(full_scale(samples))
    wanted = Classifier(bundle).predict(encoder.frames(samples, bundle)).logits
    np.testing.assert_allclose(heard.logits[0].numpy(), wanted, atol=5e-3)


def test_half_precision_tells_nearly_the_same(bundle, chain):
    samples = full_scale(spoken(2.0))
    with torch.inference_mode():
        np.testing.assert_allclose(Chain(bundle, half=True)(samples).logits, chain(samples).logits, atol=0.3)


def test_a_masked_sound_is_the_devices():
    samples = spoken(1.37)
    shares = np.random.default_rng(1).random((log_mel.BANDS, len(samples) // log_mel.HOP_SAMPLES), np.float32)
    found = masked(full_scale(samples), torch.from_numpy(shares)[None])[0].numpy() * FULL_SCALE
    assert np.abs(found - parted(samples, shares)[0]).max() <= 1


@pytest.mark.parametrize("level", [0.0, 1e-5, 0.1])
def test_a_mask_has_a_slope_that_is_a_number_whatever_the_sound(chain, level):
    sound = level * torch.randn(1, SAMPLE_RATE, generator=torch.Generator().manual_seed(1))
    sound[:, : SAMPLE_RATE // 2] = 0  # digital silence, in which roots and logarithms have no slope
    mask = torch.full((1, log_mel.BANDS, 100), 0.5, requires_grad=True)
    chain(masked(sound, mask)).logits.square().sum().backward()
    assert torch.isfinite(mask.grad).all()
    assert (mask.grad.abs().max() > 0) == (level > 0)


def test_a_step_against_the_slope_lowers_the_log_odds(chain):
    sound = full_scale(spoken(2.0))
    mask = torch.full((1, log_mel.BANDS, 200), 0.9, requires_grad=True)
    logits = chain(masked(sound, mask)).logits
    chosen = int(logits.argmax())
    logits[0, chosen].backward()
    with torch.inference_mode():
        lower = chain(masked(sound, (mask - 0.1 * mask.grad.sign()).clamp(0, 1))).logits
    assert lower[0, chosen] < logits[0, chosen] - 0.1


def test_a_bundle_without_an_encoder_gets_one_sentence():
    with pytest.raises(UsageError, match="no encoder"):
        Chain(Bundle.load(DEFAULT.with_name("light")))
