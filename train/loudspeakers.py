"""Speech out of a loudspeaker, and people in the same rooms: what a detector of playback would have to tell apart.

A programme is levelled as for broadcast, mixed with music, coded, and played by a simulated loudspeaker. People are
heard in the same rooms, noises and microphones, so that nothing but the programme and the loudspeaker differs.
"""

from dataclasses import dataclass

import numpy as np
import scipy.signal
from numpy.typing import NDArray

from edge.audio import SAMPLE_RATE
from train import microphones
from train.augmentation import microphone
from train.rooms import Side
from train.surroundings import Surroundings

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Range = tuple[float, float]

DISTANCES: dict[str, Range] = {"near": (0.5, 1.0), "far": (2.0, 4.0)}  # m
NOISE = (5.0, 30.0)  # dB that it lies below what is heard
MUSIC = (8.0, 25.0)  # dB that it lies below the voice of its programme
RADIO = (5.0, 20.0)  # dB that music in the room lies below a person
CODECS = (None, ("MP3", "MPEG_LAYER_III"), ("OGG", "VORBIS"))
CODED_RATE = 32_000  # Hz: a codec's own low-pass lies above what the device hears
BLOCK = 64  # samples, 4 ms: steps of the compressor's level
FADE = 80  # samples, 5 ms


@dataclass(frozen=True)
class Family:
    """Loudspeakers of a kind, each quantity a range to draw from.

    ``low`` and ``high`` bound its band, Hz, ``order`` is that of the lower slope (2 closed, 4 vented); ``ripple`` is
    how far resonances reach, dB; ``cabinet`` where the box resonates, Hz, and ``boom`` by how much, dB; ``distortion``
    is the level of its harmonics below the sound, dB.
    """

    low: Range
    order: int
    high: Range
    ripple: float
    cabinet: Range
    boom: Range
    distortion: Range

    def play(self, samples: Floats, generator: np.random.Generator) -> Floats:
        """The sound float32 [samples] that one loudspeaker of the family makes."""
        bent = _bent(samples, generator.uniform(*self.distortion), generator)
        lowest, highest = (np.exp(generator.uniform(*np.log(band))) for band in (self.low, self.high))
        sections = [
            scipy.signal.butter(self.order, lowest, "highpass", fs=SAMPLE_RATE, output="sos"),
            microphones.peaking(
                generator.uniform(*self.cabinet), generator.uniform(*self.boom), generator.uniform(1, 4)
            ),
        ]
        for _ in range(int(generator.integers(3, 7))):
            frequency = np.exp(generator.uniform(np.log(300), np.log(7500)))
            gain = generator.uniform(-self.ripple, self.ripple)
            sections.append(microphones.peaking(frequency, gain, generator.uniform(1, 6)))
        if highest < SAMPLE_RATE / 2:
            sections.append(scipy.signal.butter(2, highest, fs=SAMPLE_RATE, output="sos"))
        return np.asarray(scipy.signal.sosfilt(np.concatenate(sections), bent), np.float32)


FAMILIES = {
    "television": Family((110, 250), 4, (6000, 14000), 6, (180, 500), (0, 6), (-50, -28)),
    "telephone": Family((300, 550), 2, (7000, 14000), 8, (600, 1500), (0, 8), (-40, -22)),
    "radio": Family((120, 300), 2, (3500, 8000), 6, (150, 400), (2, 9), (-45, -25)),
    "smart speaker": Family((65, 150), 4, (8000, 14000), 4, (90, 250), (0, 6), (-50, -30)),
    "laptop": Family((220, 420), 2, (7000, 14000), 7, (400, 1200), (0, 6), (-45, -25)),
    "bookshelf": Family((45, 90), 4, (10000, 14000), 3, (80, 200), (-2, 3), (-65, -45)),
}
"""Ranges by judgement, not measured. A band that ends above 8 kHz has no end here."""


def _bent(samples: Floats, level: float, generator: np.random.Generator) -> Doubles:
    """The sound with harmonics of the second and the third order ``level`` dB against it, at twice the rate.

    Bass drives a cone furthest, so it bends what the lower octaves hold most.
    """
    dense = scipy.signal.resample_poly(samples.astype(np.float64), 2, 1)
    dense /= microphones.rms(dense)
    driven = dense + scipy.signal.sosfilt(scipy.signal.butter(1, 400, fs=2 * SAMPLE_RATE, output="sos"), dense)
    second, third = np.square(driven), driven * np.square(driven)
    share = generator.uniform(0.2, 0.8)
    harmonics = share * second / microphones.rms(second) - (1 - share) * third / microphones.rms(third)
    return np.asarray(scipy.signal.resample_poly(dense + 10 ** (level / 20) * harmonics, 1, 2)[: len(samples)])


def programme(said: Floats, generator: np.random.Generator, side: Side, music: bool) -> Floats:
    """Speech [samples] as it is broadcast: compressed, music below where there is some, limited, coded."""
    level = compressed(said, generator)
    if music:
        level = microphones.behind(level, bed(len(said), generator, side), generator.uniform(*MUSIC))
    limit = microphones.rms(level) * generator.uniform(2.5, 5)
    limited = np.asarray(0.3 * np.tanh(level / limit), np.float32)
    codec = CODECS[int(generator.integers(len(CODECS)))]
    return microphones.through(limited, CODED_RATE, *codec) if codec else limited


def compressed(samples: Floats, generator: np.random.Generator) -> Floats:
    """Dynamics made smaller: what exceeds a threshold 5 to 25 dB below the speech grows 2 to 6 times more slowly."""
    count = -(-len(samples) // BLOCK)
    power = (
        np.square(np.pad(samples, (0, count * BLOCK - len(samples)), mode="edge")).reshape(count, BLOCK).mean(axis=1)
    )
    levels = 10 * np.log10(power + 1e-10)
    threshold = np.percentile(levels, 90) - generator.uniform(5, 25)
    slope = 1 - 1 / generator.uniform(2, 6)
    attack, release = (np.exp(-BLOCK / SAMPLE_RATE / generator.uniform(*span)) for span in ((0.002, 0.02), (0.05, 0.5)))
    wanted = slope * np.maximum(0, levels - threshold)
    reduction, held = np.empty(count), 0.0
    for place, aim in enumerate(wanted):
        pole = attack if aim > held else release
        held = pole * held + (1 - pole) * aim
        reduction[place] = held
    gain = np.interp(np.arange(len(samples)) / BLOCK, np.arange(count) + 0.5, -reduction)
    return np.asarray(samples * 10 ** (gain / 20), np.float32)


SCALES: dict[Side, tuple[int, ...]] = {"training": (0, 2, 4, 5, 7, 9, 11), "evaluation": (0, 2, 3, 5, 7, 8, 10)}


def bed(count: int, generator: np.random.Generator, side: Side) -> Doubles:
    """Music [count] of unit power: plucked chords in major in training, held chords in minor in evaluation."""
    time = np.arange(count) / SAMPLE_RATE
    beat = 60 / generator.uniform(60, 140) * generator.choice((1, 2))
    scale, tonic = SCALES[side], 110 * 2 ** generator.uniform(0, 1)
    sound, partials = np.zeros(count), np.arange(1, 9)
    for start in np.arange(-generator.uniform(0, beat), count / SAMPLE_RATE, beat):
        degree = int(generator.integers(7))
        here = slice(max(0, int(start * SAMPLE_RATE)), max(0, int((start + beat) * SAMPLE_RATE)))
        passed = time[here] - start
        if side == "training":
            envelope = np.exp(-passed / generator.uniform(0.1, 0.6))
        else:
            envelope = np.sin(np.pi * np.clip(passed / beat, 0, 1)) ** 0.5
        for step in (0, 2, 4):
            octave, place = divmod(degree + step, 7)
            pitch = tonic * 2 ** (octave + scale[place] / 12)
            heard = partials[partials * pitch < SAMPLE_RATE / 2]
            shares = generator.uniform(0, 1, len(heard)) / heard ** generator.uniform(0.7, 2)
            waves = np.sin(2 * np.pi * pitch * passed[:, None] * heard + generator.uniform(0, 6.28, len(heard)))
            sound[here] += envelope * (waves @ shares)
    return sound / microphones.rms(sound)


@dataclass(frozen=True)
class Scene:
    """Who speaks in a room with a loudspeaker in it, and what plays.

    With ``played``, the loudspeaker speaks; without, a person does in its place. ``music`` is the programme's, or, when
    a person speaks, what plays elsewhere in the room.
    """

    played: bool
    family: str
    music: bool
    distance: str

    def heard(
        self,
        samples: Floats,
        around: Surroundings,
        own: np.random.Generator,
        place: np.random.Generator,
        device: np.random.Generator,
    ) -> Floats:
        """A recording float32 [n] as the microphone hears it, with half a second or so before and after.

        ``own`` draws the programme and the loudspeaker, ``place`` the pauses, the room and the noise, ``device`` the
        microphone: give a person and a loudspeaker the same ``place``, and all that one device hears one ``device``.
        """
        said = _padded(samples, place)
        side, family = around.rooms.side, FAMILIES[self.family]
        sounding = family.play(programme(said, own, side, self.music), own) if self.played else said
        heard = around.rooms.apply(sounding, place, DISTANCES[self.distance])
        if self.music and not self.played:
            radio = around.rooms.apply(family.play(np.asarray(0.1 * bed(len(said), own, side), np.float32), own), own)
            unit = radio.astype(np.float64) / microphones.rms(radio)
            heard = microphones.behind(heard, unit, own.uniform(*RADIO))
        heard = microphones.behind(heard, around.sounds.draw(len(heard), place), place.uniform(*NOISE))
        return microphone(microphones.response(heard, device), device, bands=0.15)


def _padded(samples: Floats, generator: np.random.Generator) -> Floats:
    """The recording with the pauses around it that the gate leaves, its ends faded."""
    faded = samples.copy()
    rise = np.linspace(0, 1, min(FADE, len(faded)), dtype=np.float32)
    faded[: len(rise)] *= rise
    faded[len(faded) - len(rise) :] *= rise[::-1]
    before, after = (int(SAMPLE_RATE * generator.uniform(0.3, 0.7)) for _ in range(2))
    return np.pad(faded, (before, after))
