"""Batches: clips drawn evenly, each behind an adapter with a random history, cropped, mixed and masked."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge import adapt, features
from train.bank import Bank
from train.settings import AugmentationSettings, HistorySettings

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Batch:
    """Frames [batch, time, features]; each row is of ``emotions[0]`` by ``shares``, else of ``emotions[1]``."""

    frames: Floats
    emotions: tuple[Integers, Integers]
    shares: Floats


def chances(bank: Bank, balance: float) -> NDArray[np.float64]:
    """How often each clip is drawn [clips]: 0 every clip alike, 1 every corpus, and in it every emotion, alike."""
    groups = bank.corpora * (bank.emotions.max() + 1) + bank.emotions
    weights = (1 / np.bincount(groups)[groups]) ** balance
    for corpus in np.unique(bank.corpora):
        members = bank.corpora == corpus
        weights[members] *= members.sum() ** (1 - balance) / weights[members].sum()
    return np.asarray(weights / weights.sum())


class Histories:
    """Draws what an adapter may have heard before a clip: nothing, its own speaker, or several of its corpus."""

    def __init__(self, bank: Bank, settings: HistorySettings, adapter: adapt.AdapterSettings, neutral: int) -> None:
        self.bank, self.settings, self.adapter, self.neutral = bank, settings, adapter, neutral
        self.by_speaker = _groups(bank.speakers)
        self.by_corpus = _groups(bank.corpora)

    def draw(self, clips: Integers, generator: np.random.Generator) -> tuple[Floats, Floats, Floats]:
        """Weight [batch, 1], mean and mean square [batch, features] of one history for each clip."""
        weight = np.zeros((len(clips), 1), np.float32)
        mean = np.zeros((len(clips), self.bank.means.shape[1]), np.float32)
        square = np.ones_like(mean)
        for row, clip in enumerate(clips):
            heard = self._heard(clip, generator)
            if len(heard):
                weight[row] = len(heard)
                mean[row] = self.bank.means[heard].mean(axis=0)
                square[row] = self.bank.squares[heard].mean(axis=0)
        return weight, mean, square

    def _heard(self, clip: int, generator: np.random.Generator) -> Integers:
        kind = generator.random()
        if kind < self.settings.none:
            return np.empty(0, np.int64)
        own = kind >= self.settings.none + self.settings.mixed
        pool = self.by_speaker[self.bank.speakers[clip]] if own else self.by_corpus[self.bank.corpora[clip]]
        count = int(np.exp(generator.uniform(0, np.log(self.adapter.memory + 1))))
        heard = generator.choice(pool, count)
        if generator.random() < self.settings.skewed:
            emotions = self.bank.emotions[pool]
            usual = self.neutral if generator.random() < 0.5 else generator.choice(emotions)
            alike = pool[emotions == usual]
            if len(alike):
                heard = np.where(generator.random(count) < 0.8, generator.choice(alike, count), heard)
        others: Integers = heard[heard != clip]
        return others


def _groups(codes: Integers) -> list[Integers]:
    return [np.flatnonzero(codes == code) for code in range(codes.max() + 1)]


def crop(bank: Bank, clips: Integers, time: int, tempo: float, generator: np.random.Generator) -> Floats:
    """A stretch of ``time`` frames of each clip [batch, time, features]; a clip that is shorter is repeated."""
    rates = 1 + tempo * generator.uniform(-1, 1, (len(clips), 1))
    lengths = bank.lengths[clips][:, None]
    starts = generator.random((len(clips), 1)) * np.where(lengths > time * rates, lengths - time * rates, lengths)
    positions = np.floor(starts + rates * np.arange(time)).astype(np.int64) % lengths
    return bank.frames[bank.starts[clips][:, None] + positions]


def mask(
    frames: Floats, families: Sequence[slice], settings: AugmentationSettings, generator: np.random.Generator
) -> None:
    """Silences, in place, stretches of time, runs of features, and now and then a whole family (SpecAugment)."""
    batch, time, _ = frames.shape
    wide = [family for family in families if family.stop - family.start >= 40]
    for row in range(batch):
        for _ in range(settings.time_masks):
            width = generator.integers(0, time // 8 + 1)
            start = generator.integers(0, time - width + 1)
            frames[row, start : start + width] = 0
        for _ in range(settings.feature_masks if wide else 0):
            family = wide[int(generator.integers(len(wide)))]
            width = generator.integers(0, 9)
            start = generator.integers(family.start, family.stop - width + 1)
            frames[row, :, start : start + width] = 0
        if generator.random() < settings.family_mask:
            frames[row, :, families[int(generator.integers(len(families)))]] = 0


def mix(frames: Floats, alpha: float, generator: np.random.Generator) -> tuple[Floats, Integers, Floats]:
    """Each row mixed with another: frames, the partner's row, and the own share [batch], at least a half."""
    shares = generator.beta(alpha, alpha, len(frames)).astype(np.float32)
    shares = np.maximum(shares, 1 - shares)
    partners = generator.permutation(len(frames))
    weights = shares[:, None, None]
    return weights * frames + (1 - weights) * frames[partners], partners, shares


def hear(
    frames: Floats,
    history: tuple[Floats, Floats, Floats] | None,
    prior: float,
    augmentation: AugmentationSettings,
    bank: Bank,
    generator: np.random.Generator,
) -> Floats:
    """The frames [batch, time, features] as an unknown microphone gives them, behind an adapter with that history."""
    colour = microphones(len(frames), augmentation, bank.scale, generator)
    frames += colour[:, None]
    if history is None:
        return frames
    weight, mean, square = history
    square = square + 2 * mean * colour + np.square(colour)
    shift, scale = adapt.normalisation(weight, mean + colour, square, prior)
    return (frames - shift[:, None]) / scale[:, None]


def microphones(count: int, settings: AugmentationSettings, scale: Floats, generator: np.random.Generator) -> Floats:
    """What other microphones add to the scaled features [count, features]: a gain and a smooth equaliser, in log-mel.

    MFCC are the DCT of log-mel, so both families move exactly as they would; chroma, contrast and tonnetz compare
    neighbouring bins and stay as they are.
    """
    colour = np.zeros((count, len(scale)), np.float32)
    if not (settings.gain or settings.equaliser):
        return colour
    waves = np.cos(np.pi * np.arange(1, 5)[:, None] * (np.arange(features.MELS) + 0.5) / features.MELS)
    decibels = settings.gain * generator.standard_normal((count, 1))
    decibels = decibels + settings.equaliser * generator.standard_normal((count, 4)) @ (waves / np.sqrt(2))
    decibels[generator.random(count) < 1 / 3] = 0
    colour[:, features.FAMILIES["mel"]] = decibels
    colour[:, features.FAMILIES["mfcc"]] = decibels @ features.DCT
    return colour / scale
