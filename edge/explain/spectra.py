"""The spectra of one utterance under a change of its voice: what an aspect explains, without making sound of it.

A voice is taken as a source behind a filter. The filter is the smooth part of a log spectrum (its cepstrum below
``_ENVELOPE_S``); the rest is the source, whose harmonics move with the pitch.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Self

import numpy as np
from numpy.typing import NDArray

from edge import features
from edge.audio import SAMPLE_RATE
from edge.explain.aspects import VOICED, Change, level, melody
from edge.features import log_mel, prosody
from edge.features.spectrum import Samples
from edge.model import encoder
from edge.model.bundle import Bundle

Array = NDArray[np.float64]
Floats = NDArray[np.float32]

_ENVELOPE_S = 0.0018  # of the cepstrum: shorter than the period of nearly every voice, longer than formants need
_SMALLEST = 1e-12  # power
_STEPS = 3  # of the secant that finds a tilt: from the second on it is right to a tenth of a decibel
_PIVOT = 1000.0  # Hz


@dataclass(frozen=True)
class Course:
    """What a change has to know of each frame: its pitch in octaves from the median, and in Hz; voiced; level in dB."""

    octaves: Array
    hertz: Array
    voiced: NDArray[np.bool_]
    level: Array

    @classmethod
    def of(cls, power: Array) -> Self:
        """What the power spectra of the families say."""
        hertz, voicing = prosody.pitch(power)
        voiced = voicing >= VOICED
        octaves = np.log2(hertz / prosody.PITCH_REFERENCE)
        middle = 0.0
        if voiced.any():
            octaves[voiced] = melody(octaves[voiced])
            middle = float(np.median(octaves[voiced]))
        octaves = np.clip(octaves - middle, -1, 1)
        energy = 10 * np.log10(np.maximum(power.sum(axis=1), prosody.AMIN))
        return cls(octaves, prosody.PITCH_REFERENCE * np.exp2(octaves + middle), voiced, level(energy))

    def at(self, index: NDArray[np.int64]) -> "Course":
        """The same at other moments."""
        return Course(self.octaves[index], self.hertz[index], self.voiced[index], self.level[index])


@dataclass(frozen=True, eq=False)
class _Stretch:
    """One kind of spectra of the utterance: power [time, bins], and its two parts in natural logarithms."""

    power: Array
    course: Course
    noise: Callable[[], Array]
    """The power of white noise of the same length."""
    parts: list[Floats] = field(default_factory=list)
    """Envelope and source, once somebody has asked."""

    def changed(self, change: Change, tilt: float) -> Array:
        """The power after a change; ``tilt`` in dB an octave."""
        power = self.power
        if (change.octaves, change.melody, change.regularity) != (0.0, 1.0, 1.0):
            power = self._with_another_source(change)
        decibels = change.gain_db + (change.dynamics - 1) * (self.course.level - self.course.level.mean())
        louder: Array = 10 ** (decibels[:, None] / 10) * 10 ** (tilt * octaves_above(power.shape[1]) / 10)
        louder *= power
        return louder if change.rate == 1 else louder[stretched(len(louder), change.rate)]

    def _with_another_source(self, change: Change) -> Array:
        """The harmonics moved or drawn out, in voiced frames; the level of each frame stays."""
        if not self.parts:
            whole: Floats = np.log(np.maximum(self.power, _SMALLEST)).astype(np.float32)
            into, back = _lifter(whole.shape[1])
            smooth = (whole @ into @ back).astype(np.float32, copy=False)
            self.parts.extend((smooth, whole - smooth))
        envelope, source = self.parts
        voiced = self.course.voiced
        octaves = change.octaves + (change.melody - 1) * self.course.octaves[voiced]
        bins = source.shape[1]
        old_hertz = self.course.hertz[voiced, None] * (2 * (bins - 1) / SAMPLE_RATE)
        places = _harmonics(bins, old_hertz, old_hertz * np.exp2(octaves)[:, None])
        below = np.clip(places.astype(np.int64), 0, bins - 2)
        share = np.clip(places - below, 0, 1)
        rows = np.arange(len(below))[:, None]
        old = source[voiced]
        fine = (1 - share) * old[rows, below] + share * old[rows, below + 1]
        filtered: Array = np.exp(envelope[voiced].astype(np.float64))
        before = self.power[voiced]
        moved = _as_loud(filtered * np.exp(fine.astype(np.float64)), before)
        if change.regularity != 1:
            # Breath is noise in the shape of the envelope: so much of what was periodic becomes that.
            breath = _as_loud(filtered * self.noise()[voiced], before)
            moved = _as_loud(change.regularity * moved + (1 - change.regularity) * breath, before)
        power = self.power.copy()
        power[voiced] = moved
        return power

    def wipe(self) -> None:
        """Overwrite all of it."""
        self.power.fill(0)
        for part in self.parts:
            part.fill(0)


class Spectra:
    """The spectra of one utterance, from which the families and the encoder's log-mel come.

    ``samples`` are those that the prediction was made from, mono at 16 kHz, mains hum taken out.
    """

    def __init__(self, samples: Samples, bundle: Bundle) -> None:
        self._bundle = bundle
        power = features.power_of(samples)
        course = Course.of(power)
        noise = white_noise(len(samples))
        self._families = _Stretch(power, course, lambda: features.power_of(noise))
        self._log_mel: _Stretch | None = None
        if bundle.encoder:
            fine = log_mel.power_of(samples)
            there = course.at(_nearest(len(fine), len(power)))
            self._log_mel = _Stretch(fine, there, lambda: log_mel.power_of(noise))

    def frames(self, change: Change) -> Floats:
        """Raw frames float32 [time, columns] as the bundle wants them, of the utterance after a change."""
        tilt = tilt_for(self._families.power, change.brighter_db)
        power = self._families.changed(change, tilt)
        hand_made = features.of_power(power, self._bundle.features)
        power.fill(0)
        if self._log_mel is None:
            return hand_made
        power = self._log_mel.changed(change, tilt)
        spectrum = log_mel.of_power(power)
        power.fill(0)
        return encoder.joined(hand_made, self._bundle, spectrum)

    def wipe(self) -> None:
        """Overwrite what is held: freed memory is not cleared."""
        for stretch in (self._families, self._log_mel):
            if stretch:
                stretch.wipe()


def white_noise(count: int) -> Array:
    """Noise in -0.5..0.5, [count]: the same each time and in every language, and so are explanations.

    The place of a sample, hashed (Wellons, *lowbias32*).
    """
    mixed: NDArray[np.uint32] = np.arange(count, dtype=np.uint32)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B), (16, 1)):
        mixed = (mixed ^ (mixed >> np.uint32(shift))) * np.uint32(factor)
    noise: Array = mixed / 2.0**32 - 0.5
    return noise


def tilt_for(power: Array, brighter_db: float) -> float:
    """The tilt, dB an octave, that moves the mean alpha ratio of power spectra [time, bins] by so much."""
    if not brighter_db:
        return 0.0
    slope, hertz = octaves_above(power.shape[1]), SAMPLE_RATE / 2 / (power.shape[1] - 1)
    low, high = (slice(round(first / hertz), round(last / hertz) + 1) for first, last in prosody.ALPHA_BANDS)

    def brightness(tilt: float) -> float:
        gain = 10 ** (tilt * slope / 10)
        bands = [np.maximum(power[:, band] @ gain[band], prosody.AMIN) for band in (low, high)]
        return float(10 * np.log10(bands[1] / bands[0]).mean())

    wanted, before, tilt = brightness(0.0) + brighter_db, 0.0, brighter_db / 2
    found = wanted - brighter_db
    for _ in range(_STEPS):
        here = brightness(tilt)
        if abs(here - found) < 1e-6:
            break
        before, tilt, found = tilt, tilt + (wanted - here) * (tilt - before) / (here - found), here
    return float(np.clip(tilt, -12, 12))


def _harmonics(bins: int, old: Array, new: Array) -> Floats:
    """Where in the ``old`` spectrum each bin of the ``new`` one comes from, [time, bins]; pitches in bins [time, 1].

    A bin keeps its distance from the nearest harmonic, so that harmonics stay as wide as the window makes them, and
    takes the old harmonic nearest to it, so that what is noise at a height stays noise there.
    """
    place = np.arange(bins, dtype=np.float32)
    apart = place - np.round(place / new) * new
    return (np.round(place / old) * old + np.clip(apart, -old / 2, old / 2)).astype(np.float32)


def _as_loud(power: Array, before: Array) -> Array:
    """Power spectra [time, bins] with as much below and above 1 kHz as ``before``: neither louder nor brighter."""
    edge = round(_PIVOT / (SAMPLE_RATE / 2) * (power.shape[1] - 1))
    for band in (slice(0, edge), slice(edge, None)):
        power[:, band] *= (before[:, band].sum(axis=1) / power[:, band].sum(axis=1).clip(min=_SMALLEST))[:, None]
    return power


def stretched(frames: int, rate: float) -> NDArray[np.int64]:
    """Which of so many frames stands at each place of the same utterance, ``rate`` times as fast."""
    count = max(1, round(frames / rate))
    return np.minimum(np.round((np.arange(count) + 0.5) * rate - 0.5), frames - 1).clip(min=0).astype(np.int64)


def _nearest(count: int, frames: int) -> NDArray[np.int64]:
    """Which frame, of those of the families, each of the encoder's goes with."""
    centres = np.arange(count) * log_mel.HOP_SAMPLES
    return np.minimum((centres + features.HOP_SAMPLES // 2) // features.HOP_SAMPLES, frames - 1)


@cache
def octaves_above(bins: int) -> Array:
    """How many octaves each bin lies above 1 kHz; below 62.5 Hz as there."""
    hertz = np.arange(bins) * (SAMPLE_RATE / 2 / (bins - 1))
    octaves: Array = np.log2(np.maximum(hertz, _PIVOT / 16) / _PIVOT)
    octaves.flags.writeable = False
    return octaves


@cache
def _lifter(bins: int) -> tuple[Floats, Floats]:
    """From log spectra [.., bins] to the low part of their cepstrum, and back: two matrices, for their product."""
    size, count = 2 * (bins - 1), int(_ENVELOPE_S * SAMPLE_RATE)
    cosines = np.cos(2 * np.pi * np.outer(np.arange(bins), np.arange(count)) / size)
    weights = np.full(bins, 2.0)
    weights[[0, -1]] = 1
    back = np.where(np.arange(count) == 0, 1.0, 2.0)[:, None] * cosines.T
    taper = np.ones(count)
    edge = count // 4
    taper[-edge:] = 0.5 + 0.5 * np.cos(np.pi * (np.arange(edge) + 0.5) / edge)  # a sudden end would ring
    return (weights[:, None] * cosines / size).astype(np.float32), (taper[:, None] * back).astype(np.float32)
