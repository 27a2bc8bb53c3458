from dataclasses import replace

import numpy as np
import pytest
import torch

from edge import features
from edge.model.adapter import Adapter, AdapterSettings
from edge.model.bundle import Scaler
from train import batches
from train.adaptive import before
from train.bank import Bank
from train.corpora import Clip
from train.settings import HistorySettings


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


def drawn(bank: Bank, settings: HistorySettings | None, balance: float = 1.0) -> list[tuple[np.ndarray, bool]]:
    groups = batches.Groups(bank, settings, 16 if settings else 1, balance, neutral=1)
    generator = np.random.default_rng(1)
    return [groups.draw(generator) for _ in range(200)]


def test_a_group_is_one_speakers_or_one_corpus(bank: Bank) -> None:
    for mixed in (0, 1):
        for clips, own in drawn(bank, HistorySettings(mixed=mixed, skewed=0)):
            assert own is (mixed == 0)
            assert len(set((bank.corpora if mixed else bank.speakers)[clips].tolist())) == 1
    assert len({int(bank.speakers[clip]) for clip in clips}) == 2  # a corpus is more than one of its speakers


def test_a_skewed_group_begins_with_mostly_one_emotion(bank: Bank) -> None:
    skewed = [clips for clips, _ in drawn(bank, HistorySettings(skewed=1))]
    early = np.mean([max(np.bincount(bank.emotions[clips[:4]])) for clips in skewed]) / 4
    even = (
        np.mean([max(np.bincount(bank.emotions[clips[:4]])) for clips, _ in drawn(bank, HistorySettings(skewed=0))]) / 4
    )
    assert early > even + 0.1
    neutral = np.mean([np.mean(bank.emotions[clips[:4]] == 1) for clips in skewed])
    assert neutral > 0.55


def test_without_an_adapter_clips_are_drawn_one_by_one_and_remember_nothing(bank: Bank) -> None:
    assert {len(clips) for clips, _ in drawn(bank, None)} == {1}
    assert np.isinf(batches.priors(5, None, np.random.default_rng(1))).all()


def test_priors_stay_in_their_range_and_some_groups_are_cold() -> None:
    prior = batches.priors(500, HistorySettings(none=0.25, priors=(2, 10)), np.random.default_rng(1))
    cold = np.isinf(prior)
    assert 0.2 < cold.mean() < 0.3
    assert prior[~cold].min() >= 2
    assert prior[~cold].max() <= 10


@pytest.mark.parametrize("balance", [0.0, 1.0])
def test_balance_draws_clips_alike_or_corpora_and_emotions_alike(bank: Bank, balance: float) -> None:
    lopsided = replace(bank, emotions=np.where(np.arange(len(bank)) < 30, 0, 1))
    groups = batches.Groups(lopsided, None, 1, balance, neutral=1)
    assert groups.frequencies(2)[0] == pytest.approx(0.5 if balance else 0.75, abs=0.03)


def test_training_hears_what_the_device_hears(bank: Bank) -> None:
    adapter = Adapter(features.COUNT, settings=AdapterSettings(prior=5))
    clips = np.array([[3, 9, 20, 5]])
    every = [frames for frames, _ in bank.clips()]
    for clip in clips[0, :3]:
        adapter.observe(every[clip])
    frames = np.stack([every[clip][:20] for clip in clips[0]])
    same = np.ones((1, 1, features.COUNT), np.float32), np.zeros((1, 1, features.COUNT), np.float32)
    heard = batches.hear(bank, clips, frames, same, np.full((1, 1, 1), 5, np.float32))
    np.testing.assert_allclose(heard[0], frames[0], rtol=1e-4)  # the first of a group is heard cold
    np.testing.assert_allclose(heard[3], adapter.apply(frames[3]), rtol=1e-4)
    cold = batches.hear(bank, clips, frames, same, np.full((1, 1, 1), np.inf, np.float32))
    np.testing.assert_allclose(cold, frames)


def test_another_microphone_moves_what_the_adapter_learns_as_it_moves_what_is_heard(bank: Bank) -> None:
    clips, every = np.array([[3, 9]]), [frames for frames, _ in bank.clips()]
    frames = np.stack([every[clip][:20] for clip in clips[0]])
    factor, offset = np.full((1, 1, features.COUNT), 2, np.float32), np.full((1, 1, features.COUNT), 7, np.float32)
    heard = batches.hear(bank, clips, frames, (factor, offset), np.full((1, 1, 1), 5, np.float32))
    adapter = Adapter(features.COUNT, settings=AdapterSettings(prior=5))
    adapter.observe(2 * every[3] + 7)
    np.testing.assert_allclose(heard[1], adapter.apply(2 * frames[1] + 7), rtol=1e-4)


def test_a_transfer_ends_at_the_other_speaker(bank: Bank) -> None:
    sources = batches.Sources(bank)

    class AllTheWay:
        """Draws the other corpus, its first speaker, and the whole way."""

        integers = staticmethod(lambda high: 1)
        choice = staticmethod(lambda members: members[0])
        random = staticmethod(lambda: 1.0)

    clip = int(np.flatnonzero(bank.corpora == 0)[0])
    factor, offset = sources.transfer(clip, own=True, generator=AllTheWay())
    there = bank.speakers == np.unique(bank.speakers[bank.corpora == 1])[0]
    here = bank.speakers == bank.speakers[clip]
    moved = factor * bank.means[here].mean(axis=0) + offset
    np.testing.assert_allclose(moved, bank.means[there].mean(axis=0), rtol=1e-4)


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
    frames, _ = batches.crop(bank, clips, 50, 0.2, np.random.default_rng(1))
    assert frames.shape == (3, 50, features.COUNT)
    np.testing.assert_array_equal(frames, np.broadcast_to(clips[:, None, None], frames.shape))


def test_mixing_keeps_the_larger_share() -> None:
    partners, shares = batches.mix(64, 0.4, np.random.default_rng(1))
    assert (shares >= 0.5).all()
    assert sorted(partners) == list(range(64))
    partners, shares = batches.mix(64, 0.0, np.random.default_rng(1))
    assert (shares == 1).all()


@pytest.mark.parametrize("kind", ["numpy", "torch"])
def test_what_came_before_is_the_history_of_each(kind: str) -> None:
    values = np.random.default_rng(1).normal(size=(2, 6, 3)).astype(np.float32)
    prior = np.array([4, np.inf], np.float32)[:, None, None]
    given = (values, values**2, prior)
    found = before(*given) if kind == "numpy" else [part.numpy() for part in before(*map(torch.from_numpy, given))]
    adapter = Adapter(0, 3, AdapterSettings(prior=4))
    for place in range(6):
        usual = adapter.snapshot().embedding_statistics
        np.testing.assert_allclose([part[0, place] for part in found], usual, atol=1e-5)
        np.testing.assert_allclose([part[1, place] for part in found], [[0, 0, 0], [1, 1, 1]], atol=1e-6)
        adapter.observe(np.empty((1, 0), np.float32), values[0, place])
