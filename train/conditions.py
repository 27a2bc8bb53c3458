"""The conditions that everything is evaluated in: near, far, noisy, narrow; each clip's own is drawn by its content."""

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.errors import UsageError
from train import microphones
from train.recordings import Change
from train.surroundings import Heard, Surroundings

Floats = NDArray[np.float32]

VERSION = 1  # of what a condition does: raise it, and no features of before are taken from the disk

FAR_LEVEL, FAR_RATIO = -35.0, 15.0  # dBFS of the voice, and dB between it and the noise
NOISY_RATIO = (5.0, 15.0)  # dB
NARROW_RATIO = (20.0, 40.0)  # dB


def far(samples: Floats, generator: np.random.Generator, around: Surroundings) -> Floats:
    """2 to 4 m away in a room whose sound falls by 60 dB in 0.35 to 0.6 s, real noise 15 dB below, at -35 dBFS."""
    voice = microphones.at_level(around.rooms.apply(samples, generator), FAR_LEVEL)
    noise = around.sounds.draw(len(samples), generator)
    return microphones.quantised(microphones.behind(voice, noise, FAR_RATIO))


def noisy(samples: Floats, generator: np.random.Generator, around: Surroundings) -> Floats:
    """As recorded, with real noise 5 to 15 dB below."""
    ratio = generator.uniform(*NOISY_RATIO)
    return microphones.quantised(microphones.behind(samples, around.sounds.draw(len(samples), generator), ratio))


def narrow(samples: Floats, generator: np.random.Generator, around: Surroundings) -> Floats:
    """Telephone or camera: 8 kHz through a codec, a little real noise, -35 to -20 dBFS."""
    ratio = generator.uniform(*NARROW_RATIO)
    heard = microphones.behind(samples, around.sounds.draw(len(samples), generator), ratio)
    heard = microphones.at_level(heard, generator.uniform(-35, -20))
    band = microphones.NARROW[int(generator.integers(len(microphones.NARROW)))]
    return microphones.quantised(band(heard, generator))


HEARD: dict[str, Heard | None] = {"near": None, "far": far, "noisy": noisy, "narrow": narrow}
"""What becomes of a recording in each condition; near is the recording."""
CONDITIONS = tuple(HEARD)


def condition(name: str, cache: Path, sounds: Path) -> tuple[str, Change] | None:
    """A condition as ``train.recordings`` takes a change: its name in the cache, and what to do; None for ``near``.

    Rooms and noises are those of evaluation, which no training copy has. UsageError for a name that is none, and
    where there are no sounds.
    """
    if name not in HEARD:
        raise UsageError(f"No condition is called {name}; choose one of {', '.join(CONDITIONS)}.")
    heard = HEARD[name]
    if heard is None:
        return None
    around = Surroundings.of("evaluation", cache, sounds)
    around.sounds.require()
    return f"heard-{name}-{VERSION}-{around.digest}", partial(heard, around=around)
