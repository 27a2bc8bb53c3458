"""Batches: groups of utterances that one source was heard to say, cropped, behind what came before, and masked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge import features
from edge.features import prosody
from train.adaptive import before
from train.bank import Bank
from train.settings import AugmentationSettings, HistorySettings

Floats = NDArray[np.float32]
Halves = NDArray[np.float16]
Integers = NDArray[np.int64]

ENERGY = np.array([name == "energy" for name in prosody.NAMES], np.float32)
WIDE = 40  # features of a family in which a run of them can be masked


@dataclass(frozen=True)
class Batch:
    """Frames [groups * utterances, time, features], and of each utterance its emotion, a partner to be mixed with, and
    the share that is its own; ``prior`` [groups, 1, 1] is that of ``train.adaptive.before``. ``sound``
    [groups * utterances, time', width] are the same stretches as an encoder hears them (train.bank), or empty, and
    ``audible`` [groups * utterances] is 0 where the encoder's family is silenced.
    """

    frames: Floats
    prior: Floats
    emotions: Integers
    partners: Integers
    shares: Floats
    sound: Halves
    audible: Floats


class Groups:
    """Draws utterances that one source may have heard one after another: of one speaker, or of several of a corpus."""

    def __init__(self, bank: Bank, settings: HistorySettings | None, size: int, balance: float, neutral: int) -> None:
        self.bank, self.settings, self.size, self.balance, self.neutral = bank, settings, size, balance, neutral
        self.corpora = [np.flatnonzero(bank.corpora == corpus) for corpus in range(bank.corpora.max() + 1)]
        self.speakers = [
            [np.flatnonzero(bank.speakers == speaker) for speaker in np.unique(bank.speakers[corpus])]
            for corpus in self.corpora
        ]

    def draw(self, generator: np.random.Generator) -> tuple[Integers, bool]:
        """The places of ``size`` clips in the bank, in order, and whether they are of one speaker."""
        corpus = _choice([len(pool) for pool in self.corpora], self.balance, generator)
        own = self.settings is not None and generator.random() >= self.settings.mixed
        pool = self.corpora[corpus]
        if own:
            speakers = self.speakers[corpus]
            pool = speakers[_choice([len(speaker) for speaker in speakers], self.balance, generator)]
        clips = self._even(pool, self.size, generator)
        if self.settings is not None and generator.random() < self.settings.skewed:
            emotions = self.bank.emotions[pool]
            usual = self.neutral if generator.random() < 0.5 else generator.choice(emotions)
            alike, heard = pool[emotions == usual], int(generator.integers(self.size // 4, self.size))
            if len(alike):
                chosen = generator.choice(alike, heard)
                clips[:heard] = np.where(generator.random(heard) < 0.8, chosen, clips[:heard])
        return clips, own

    def _even(self, pool: Integers, count: int, generator: np.random.Generator) -> Integers:
        """Clips of a pool, its emotions alike as far as ``balance`` says."""
        emotions = self.bank.emotions[pool]
        weights = (1 / np.bincount(emotions)[emotions]) ** self.balance
        drawn: Integers = generator.choice(pool, count, p=weights / weights.sum())
        return drawn

    def frequencies(self, classes: int, draws: int = 4000) -> NDArray[np.float64]:
        """How often each emotion is drawn [classes], estimated with a seed of its own."""
        generator = np.random.default_rng(0)
        emotions = np.concatenate([self.bank.emotions[self.draw(generator)[0]] for _ in range(draws)])
        return np.bincount(emotions, minlength=classes) / len(emotions)


def _choice(sizes: list[int], balance: float, generator: np.random.Generator) -> int:
    """One of several pools: 0 as often as it is large, 1 each alike."""
    weights = np.array(sizes) ** (1.0 - balance)
    return int(generator.choice(len(sizes), p=weights / weights.sum()))


class Sources:
    """What each speaker, and each corpus, sounds like: mean and standard deviation of every feature [.., features]."""

    def __init__(self, bank: Bank) -> None:
        self.bank = bank
        self.speakers = [_moments(bank, bank.speakers == speaker) for speaker in range(bank.speakers.max() + 1)]
        self.corpora = [_moments(bank, bank.corpora == corpus) for corpus in range(bank.corpora.max() + 1)]
        self.members = [np.unique(bank.speakers[bank.corpora == corpus]) for corpus in range(len(self.corpora))]

    def transfer(self, clip: int, own: bool, generator: np.random.Generator) -> tuple[Floats, Floats]:
        """Factor and offset [features] that take a clip's source some way towards another, of whatever corpus."""
        corpus = int(generator.integers(len(self.corpora)))
        if own:
            here = self.speakers[self.bank.speakers[clip]]
            there = self.speakers[int(generator.choice(self.members[corpus]))]
        else:
            here, there = self.corpora[self.bank.corpora[clip]], self.corpora[corpus]
        way = generator.random()
        factor = 1 - way + way * there[1] / here[1]
        return factor, (1 - way) * here[0] + way * there[0] - factor * here[0]


def _moments(bank: Bank, chosen: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    mean, square = bank.means[chosen].mean(axis=0), bank.squares[chosen].mean(axis=0)
    return mean, np.sqrt(np.maximum(square - np.square(mean), 0.01))


def hear(bank: Bank, clips: Integers, frames: Floats, change: tuple[Floats, Floats], prior: Floats) -> Floats:
    """The frames [groups * utterances, time, features] of ``clips`` [groups, utterances], as deviations from what came
    before in their group.

    ``change`` [groups, 1, features], a factor and an offset, is what another microphone does to a whole group, to what
    the adapter learns as to what is heard.
    """
    factor, offset = change
    means = factor * bank.means[clips] + offset
    squares = factor**2 * bank.squares[clips] + 2 * factor * offset * bank.means[clips] + offset**2
    shift, scale = before(means, squares, prior)
    shape = (len(frames), 1, frames.shape[2])
    gain, bias = ((part / scale).astype(np.float32).reshape(shape) for part in (factor, offset - shift))
    heard: Floats = frames * gain + bias
    return heard


def microphone(
    settings: AugmentationSettings, scale: Floats, places: Mapping[str, slice], generator: np.random.Generator
) -> Floats:
    """What another microphone adds to the scaled features [features]: a gain and a smooth equaliser, in log-mel.

    MFCC are the DCT of log-mel, so both families move exactly as they would; energy moves by the gain; chroma,
    contrast and tonnetz compare neighbouring bins and stay as they are.
    """
    colour = np.zeros(len(scale), np.float32)
    if not (settings.gain or settings.equaliser) or generator.random() < 1 / 3:
        return colour
    waves = np.cos(np.pi * np.arange(1, 5)[:, None] * (np.arange(features.MELS) + 0.5) / features.MELS)
    gain = settings.gain * generator.standard_normal()
    decibels = gain + settings.equaliser * generator.standard_normal(4) @ (waves / np.sqrt(2))
    added = {"mel": decibels, "mfcc": decibels @ features.DCT, "prosody": gain * ENERGY}
    for family, place in places.items():
        colour[place] = added.get(family, 0)
    colour /= scale
    return colour


def priors(groups: int, settings: HistorySettings | None, generator: np.random.Generator) -> Floats:
    """How little each group trusts what came before [groups, 1, 1]: not at all where it is infinite."""
    if settings is None:
        return np.full((groups, 1, 1), np.inf, np.float32)
    low, high = np.log(settings.priors)
    drawn = np.exp(generator.uniform(low, high, (groups, 1, 1)))
    return np.where(generator.random((groups, 1, 1)) < settings.none, np.inf, drawn).astype(np.float32)


def crop(bank: Bank, clips: Integers, time: int, tempo: float, generator: np.random.Generator) -> tuple[Floats, Halves]:
    """A stretch of ``time`` frames of each clip [batch, time, features], and of its sound [batch, time', width].

    A clip that is shorter is repeated.
    """
    rates = 1 + tempo * generator.uniform(-1, 1, (len(clips), 1))
    lengths = bank.lengths[clips][:, None]
    starts = generator.random((len(clips), 1)) * np.where(lengths > time * rates, lengths - time * rates, lengths)
    positions = np.floor(starts + rates * np.arange(time)).astype(np.int64) % lengths
    frames = bank.frames[bank.starts[clips][:, None] + positions].astype(np.float32)
    if not len(bank.sound):
        return frames, np.zeros((len(clips), 0, 0), np.float16)
    count = int(np.ceil(time * bank.pace))
    positions = np.floor(bank.pace * starts + rates * np.arange(count)).astype(np.int64)
    positions %= bank.sound_lengths[clips][:, None]
    return frames, bank.sound[bank.sound_starts[clips][:, None] + positions]


def mask(
    frames: Floats, families: Sequence[slice], settings: AugmentationSettings, generator: np.random.Generator
) -> Floats:
    """Silences, in place, stretches of time, runs of features, and now and then a whole family (SpecAugment).

    The last of ``families`` may lie behind the frames: it is the encoder's, and what is given is 1 where it is kept.
    """
    batch, time, width = frames.shape
    wide = [family for family in families if family.stop - family.start >= WIDE and family.stop <= width]
    audible = np.ones(batch, np.float32)
    for row in range(batch):
        for _ in range(settings.time_masks):
            span = generator.integers(0, time // 8 + 1)
            start = generator.integers(0, time - span + 1)
            frames[row, start : start + span] = 0
        for _ in range(settings.feature_masks if wide else 0):
            family = wide[int(generator.integers(len(wide)))]
            span = generator.integers(0, 9)
            start = generator.integers(family.start, family.stop - span + 1)
            frames[row, :, start : start + span] = 0
        if generator.random() < settings.family_mask:
            family = families[int(generator.integers(len(families)))]
            frames[row, :, family] = 0
            audible[row] = float(family.start < width)
    return audible


def mix(count: int, alpha: float, generator: np.random.Generator) -> tuple[Integers, Floats]:
    """Whom each of ``count`` utterances is mixed with, and its own share, at least a half; all where alpha is 0."""
    if not alpha:
        return np.arange(count), np.ones(count, np.float32)
    shares = generator.beta(alpha, alpha, count).astype(np.float32)
    return generator.permutation(count), np.maximum(shares, 1 - shares)
