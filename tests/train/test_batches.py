import numpy as np
import pytest

from edge import features
from edge.adapt import Adapter, AdapterSettings
from edge.bundle import Scaler
from train import batches
from train.bank import Bank
from train.corpora import Clip
from train.settings import AugmentationSettings, HistorySettings

ADAPTER = AdapterSettings(prior=4, memory=40)
PLAIN = AugmentationSettings(gain=0, equaliser=0)


@pytest.fixture(scope="module")
def bank() -> Bank:
    """Two corpora of two speakers; every frame of a clip holds the clip's number."""
    clips, frames = [], []
    for number in range(40):
        corpus, speaker = ("left", "right")[number % 2], f"s{number % 4}"
        clips.append(Clip(f"{number}.wav", corpus, speaker, ("anger", "neutral")[number // 4 % 2]))
        frames.append(np.full((20 + number, features.COUNT), number, np.float32))
    identity = Scaler(np.zeros(features.COUNT, np.float32), np.ones(features.COUNT, np.float32))
    return Bank.build(clips, frames, identity, ["anger", "neutral"])


def means(bank: Bank, settings: HistorySettings, clip: int) -> tuple[np.ndarray, np.ndarray]:
    histories = batches.Histories(bank, settings, ADAPTER, neutral=1)
    weight, mean, _ = histories.draw(np.full(300, clip), np.random.default_rng(1))
    return weight[:, 0], mean[:, 0]


def test_a_cold_history_is_empty(bank: Bank) -> None:
    weight, _ = means(bank, HistorySettings(none=1, mixed=0), 8)
    assert not weight.any()


def test_an_own_history_holds_the_own_speaker_and_never_the_clip_itself(bank: Bank) -> None:
    weight, mean = means(bank, HistorySettings(none=0, mixed=0, skewed=0), 8)
    single = weight == 1
    assert set(mean[single].tolist()) == {float(n) for n in range(0, 40, 4) if n != 8}


def test_a_mixed_history_stays_in_its_corpus(bank: Bank) -> None:
    weight, mean = means(bank, HistorySettings(none=0, mixed=1, skewed=0), 8)
    heard = set(mean[weight == 1].tolist())
    assert heard - {float(n) for n in range(0, 40, 4)}
    assert all(number % 2 == 0 for number in heard)


def test_history_lengths_reach_from_one_to_the_adapters_memory(bank: Bank) -> None:
    weight, _ = means(bank, HistorySettings(none=0, mixed=0), 8)
    assert weight.max() > 30
    assert (weight <= 2).mean() > 0.1


def test_training_hears_what_the_device_hears(bank: Bank) -> None:
    adapter = Adapter(features.COUNT, ADAPTER)
    for frames in list(bank.clips())[:3]:
        adapter.observe(frames)
    clip = list(bank.clips())[5]
    history = (
        np.full((1, 1), 3, np.float32), bank.means[:3].mean(axis=0)[None], bank.squares[:3].mean(axis=0)[None]
    )  # fmt: skip
    heard = batches.hear(clip[None].copy(), history, ADAPTER.prior, PLAIN, bank, np.random.default_rng(1))
    np.testing.assert_allclose(heard[0], adapter.apply(clip), rtol=1e-4)


def test_a_simulated_microphone_moves_the_features_as_a_real_gain_does() -> None:
    speech = (0.1 * np.random.default_rng(1).standard_normal(16_000)).astype(np.float32)
    quiet, loud = features.frames(speech), features.frames(speech * 10 ** (6 / 20))
    decibels = np.full((1, features.MELS), 6.0)
    moved = quiet.copy()
    moved[:, features.FAMILIES["mel"]] += decibels
    moved[:, features.FAMILIES["mfcc"]] += decibels @ features.DCT
    np.testing.assert_allclose(moved, loud, atol=2e-3)


def test_crops_come_from_their_clip_and_short_clips_are_repeated(bank: Bank) -> None:
    clips = np.array([0, 39, 17])
    frames = batches.crop(bank, clips, 50, 0.2, np.random.default_rng(1))
    assert frames.shape == (3, 50, features.COUNT)
    np.testing.assert_array_equal(frames, np.broadcast_to(clips[:, None, None], frames.shape))


def test_mixing_keeps_the_larger_share_first() -> None:
    frames = np.arange(64, dtype=np.float32)[:, None, None]
    mixed, partners, shares = batches.mix(frames, 0.4, np.random.default_rng(1))
    assert (shares >= 0.5).all()
    np.testing.assert_allclose(mixed[:, 0, 0], shares * np.arange(64) + (1 - shares) * partners, rtol=1e-5)


def test_full_balance_draws_every_corpus_and_emotion_alike(bank: Bank) -> None:
    chances = batches.chances(bank, 1.0)
    for corpus in (0, 1):
        for emotion in (0, 1):
            assert chances[(bank.corpora == corpus) & (bank.emotions == emotion)].sum() == pytest.approx(0.25)
