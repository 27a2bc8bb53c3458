"""Augmented copies of a waveform; each stays with its original and is seeded by it."""

from functools import partial
from pathlib import Path

import librosa
import numpy as np
import scipy.signal
from numpy.typing import NDArray

from edge.audio import SAMPLE_RATE
from edge.errors import UsageError
from train import microphones
from train.recordings import Change
from train.sounds import coloured, warn_of_absence
from train.surroundings import Heard, Surroundings

Floats = NDArray[np.float32]


def pitch(samples: Floats, generator: np.random.Generator) -> Floats:
    """Up to three semitones higher or lower, no faster."""
    steps = generator.uniform(-3, 3)
    shifted: Floats = librosa.effects.pitch_shift(samples, sr=SAMPLE_RATE, n_steps=steps, res_type="soxr_mq")
    return shifted


def stretch(samples: Floats, generator: np.random.Generator) -> Floats:
    """Up to a fifth faster or slower, no higher."""
    stretched: Floats = librosa.effects.time_stretch(samples, rate=generator.uniform(0.8, 1.2))
    return stretched


def speed(samples: Floats, generator: np.random.Generator) -> Floats:
    """Up to three semitones higher or lower, formants and all, and as much faster or slower: another throat."""
    factor = 2 ** (generator.uniform(-3, 3) / 12)
    resampled: Floats = librosa.resample(
        samples, orig_sr=SAMPLE_RATE * factor, target_sr=SAMPLE_RATE, res_type="soxr_mq"
    )
    return resampled


def noise(samples: Floats, generator: np.random.Generator) -> Floats:
    """Noise between white and brown, 5 to 25 dB below the speech."""
    added = coloured(len(samples), generator.uniform(0, 2), generator)
    level = np.sqrt(np.mean(np.square(samples)) + 1e-12) * 10 ** (-generator.uniform(5, 25) / 20)
    return np.asarray(samples + level * added, np.float32)


def room(samples: Floats, generator: np.random.Generator) -> Floats:
    """A room of 0.15 to 0.6 s, an echo 0 to 12 dB below the direct sound, another level, and a little noise."""
    decay = generator.uniform(0.15, 0.6)
    time = np.arange(int(decay * SAMPLE_RATE)) / SAMPLE_RATE
    tail = generator.standard_normal(len(time)) * np.exp(-6.9 * time / decay)
    tail[: int(0.002 * SAMPLE_RATE)] = 0
    tail *= 10 ** (-generator.uniform(0, 12) / 20) / np.sqrt(np.sum(np.square(tail)))
    tail[0] = 1
    wet = scipy.signal.fftconvolve(samples, tail)[: len(samples)]
    gain = 10 ** (generator.uniform(-15, 6) / 20)
    level = np.sqrt(np.mean(np.square(wet)) + 1e-12) * 10 ** (-generator.uniform(15, 40) / 20)
    noisy = wet + level * coloured(len(samples), 1, generator)
    return np.asarray(np.clip(gain * noisy, -1, 1), np.float32)


def codec(samples: Floats, generator: np.random.Generator) -> Floats:
    """Through a wired telephone, a mobile one or the poorest of streams; beyond [-1, 1] is clipped on the way."""
    container, subtype, rate = CODECS[generator.integers(len(CODECS))]
    return microphones.through(samples, rate, container, subtype)


CODECS = (("WAV", "ULAW", 8_000), ("WAV", "GSM610", 8_000), ("OGG", "VORBIS", SAMPLE_RATE))


def far(samples: Floats, generator: np.random.Generator, around: Surroundings) -> Floats:
    """Anywhere in a room, with noise 5 to 30 dB below, through whatever microphone."""
    wet = around.rooms.apply(samples, generator)
    heard = microphones.behind(wet, around.sounds.draw(len(wet), generator), generator.uniform(5, 30))
    return microphone(heard, generator, bands=0.2)


def noisy(samples: Floats, generator: np.random.Generator, around: Surroundings) -> Floats:
    """Close by, with noise 0 to 25 dB below, through whatever microphone; a room of its own in one case of four."""
    wet = around.rooms.apply(samples, generator) if generator.random() < 0.25 else samples
    heard = microphones.behind(wet, around.sounds.draw(len(wet), generator), generator.uniform(0, 25))
    return microphone(heard, generator, bands=0.2)


def steady(samples: Floats, generator: np.random.Generator, around: Surroundings) -> Floats:
    """Anywhere in a room, with steady noise between white and a little below pink, as of a fan or a poor amplifier."""
    wet = around.rooms.apply(samples, generator)
    noise = coloured(len(wet), generator.uniform(0, 1.2), generator)
    return microphone(microphones.behind(wet, noise, generator.uniform(5, 30)), generator, bands=0.1)


def narrow(samples: Floats, generator: np.random.Generator, around: Surroundings) -> Floats:
    """8 kHz or a poor stream, noise 15 to 45 dB below; a room of its own in two cases of five."""
    wet = around.rooms.apply(samples, generator) if generator.random() < 0.4 else samples
    heard = microphones.behind(wet, around.sounds.draw(len(wet), generator), generator.uniform(15, 45))
    return microphone(heard, generator, bands=1.0)


def microphone(samples: Floats, generator: np.random.Generator, bands: float) -> Floats:
    """At any level from -50 to -15 dBFS; now and then clipped, even, off zero, humming or, by ``bands``, narrow."""
    heard = microphones.at_level(samples, generator.uniform(-50, -15))
    for change, share in (
        (microphones.clipping, 0.12),
        (microphones.gain_control, 0.15),
        (_limit, bands),
        (microphones.hum, 0.15),
        (microphones.offset, 0.15),
    ):
        if generator.random() < share:
            heard = change(heard, generator)
    return microphones.quantised(heard)


def _limit(samples: Floats, generator: np.random.Generator) -> Floats:
    """Through something that keeps less than 8 kHz, or mangles it."""
    limits = (*microphones.NARROW, microphones.wide_stream)
    return limits[int(generator.integers(len(limits)))](samples, generator)


CHANGES: dict[str, Change] = {
    "pitch": pitch,
    "stretch": stretch,
    "speed": speed,
    "noise": noise,
    "room": room,
    "codec": codec,
}
"""Copies that need nothing but the sound."""

PLACES: dict[str, Heard] = {"far": far, "far2": steady, "noisy": noisy, "noisy2": noisy, "narrow": narrow}
"""Copies in rooms and among sounds of the training side; each is drawn by a seed of its own."""

COPIES = (*CHANGES, *PLACES)
VERSION = 1  # of what PLACES do: raise it, and no features of before are taken from the disk


def change_of(name: str, cache: Path, sounds: Path) -> tuple[str, Change]:
    """A copy as ``train.recordings`` takes a change: its name in the cache, and what to do.

    ``cache`` keeps the rooms; ``sounds`` is the folder of real sounds, in whose absence noise is coloured, which is
    said once. UsageError for a name that is none.
    """
    if name in CHANGES:
        return name, CHANGES[name]
    if name not in PLACES:
        raise UsageError(f"No augmented copy is called {name}; choose among {', '.join(COPIES)}.")
    around = Surroundings.of("training", cache, sounds)
    if not around.sounds.present:
        warn_of_absence(sounds)
    return f"{name}-{VERSION}-{around.digest}", partial(_place, name=name, around=around)


def _place(samples: Floats, generator: np.random.Generator, name: str, around: Surroundings) -> Floats:
    """A copy, drawn by the clip's seed and the copy's name."""
    own = np.random.default_rng([int(generator.integers(2**63)), *name.encode()])
    return PLACES[name](samples, own, around)
