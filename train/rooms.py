"""Simulated rooms: what of a sound, and how late, reaches a microphone some metres away.

A room is a shoebox whose walls absorb differently at each frequency. Early echoes are image sources, late ones traced
rays (pyroomacoustics: Scheibler, Bezzam, Dokmanić, 2018). Each response is computed once and kept on disk.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal
from uuid import uuid4

import numpy as np
import scipy.signal
from numpy.typing import NDArray

from edge.audio import SAMPLE_RATE

Floats = NDArray[np.float32]
Side = Literal["training", "evaluation"]

VERSION = 1  # of what a number stands for: raise it, and no response of before is taken from the disk
BANDS = (125, 250, 500, 1000, 2000, 4000)  # Hz, octaves in which walls absorb and scatter
SCATTERING = (0.1, 0.15, 0.2, 0.3, 0.4, 0.5)
SMALLEST, LARGEST = (2.4, 2.2, 2.3), (8.0, 6.0, 3.2)  # length, width, height, m
WALLS = ("east", "west", "north", "south", "floor", "ceiling")
DIRECT = 60  # samples that hold the direct sound, 2.5 ms after its peak
LEAD = 40  # samples that pyroomacoustics puts before a source's own delay
SOUND = 343.0  # m/s


@dataclass(frozen=True)
class Draw:
    """How many rooms a side has, how long a sound takes in them to fall by 60 dB, s, and how far the source is, m."""

    count: int
    decay: tuple[float, float]
    distance: tuple[float, float]
    parity: int
    """Whether a room's width is an even or an odd number of decimetres: no room stands on both sides."""


DRAWS: dict[Side, Draw] = {
    "training": Draw(300, (0.2, 0.8), (0.5, 4.0), 0),
    "evaluation": Draw(60, (0.35, 0.6), (2.0, 4.0), 1),
}


@dataclass(frozen=True)
class Room:
    """One response float32 [samples], of energy 1, the direct sound first; its measured decay, s, and distance, m."""

    response: Floats
    decay: float
    distance: float


@dataclass(frozen=True)
class Rooms:
    """The rooms of one side, kept in the folder ``cache``; a value small enough to be sent to another process."""

    cache: Path
    side: Side

    @property
    def digest(self) -> str:
        """Names all that the rooms depend on."""
        draw = DRAWS[self.side]
        text = json.dumps([VERSION, BANDS, SCATTERING, SMALLEST, LARGEST, draw.decay, draw.distance, draw.parity])
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def room(self, number: int) -> Room:
        """The room of this number, from the disk where it is there already."""
        return _kept(self.cache / self.digest, self.side, number)

    def apply(
        self, samples: Floats, generator: np.random.Generator, distance: tuple[float, float] | None = None
    ) -> Floats:
        """The sound [samples] as heard in one of the rooms, as long and as loud as it was.

        ``distance``, m, bounds how far the source is; None for the room's own.
        """
        room = self.room(int(generator.integers(DRAWS[self.side].count)))
        response = at_distance(room, generator.uniform(*distance)) if distance else room.response
        wet = scipy.signal.fftconvolve(samples, response)[: len(samples)]
        loudness = np.sqrt(np.mean(np.square(samples)) / (np.mean(np.square(wet)) + 1e-12))
        return np.asarray(wet * loudness, np.float32)


def at_distance(room: Room, distance: float) -> Floats:
    """The response [samples] with the source at another distance, m.

    The direct sound grows as the distance shrinks; the echoes, which come from everywhere, stay.
    """
    moved = room.response.copy()
    moved[:DIRECT] *= room.distance / distance
    return moved


@lru_cache(maxsize=512)
def _kept(folder: Path, side: Side, number: int) -> Room:
    path = folder / f"{side}-{number:03d}.npz"
    if not path.is_file():
        drawn = simulate(side, number)
        folder.mkdir(parents=True, exist_ok=True)
        half = path.with_suffix(f".{uuid4().hex}.partial")
        with half.open("wb") as file:
            np.savez(file, response=drawn.response, decay=drawn.decay, distance=drawn.distance)
        half.replace(path)
    with np.load(path) as kept:
        return Room(kept["response"], float(kept["decay"]), float(kept["distance"]))


def simulate(side: Side, number: int) -> Room:
    """Draws rooms until one decays as the side asks."""
    draw = DRAWS[side]
    generator = np.random.default_rng([VERSION, draw.parity, number])
    while True:
        room = _attempt(draw, generator)
        if room and draw.decay[0] <= room.decay <= draw.decay[1]:
            return room


def _attempt(draw: Draw, generator: np.random.Generator) -> Room | None:
    import pyroomacoustics as pra  # here: whoever draws no room waits for no import of a second

    size = np.round(generator.uniform(SMALLEST, LARGEST), 1)
    size[1] = (2 * round(size[1] * 5) + draw.parity) / 10
    places = _places(size, draw.distance, generator)
    try:
        absorption, _ = pra.inverse_sabine(generator.uniform(*draw.decay), size)
    except ValueError:  # nothing absorbs enough for so short a decay in so large a room
        return None
    if places is None:
        return None
    tilt = generator.uniform(0.95, 1.25)  # an octave higher, so much more is absorbed
    room = pra.ShoeBox(
        size,
        fs=SAMPLE_RATE,
        materials={wall: _material(absorption, tilt, generator) for wall in WALLS},
        max_order=4,
        ray_tracing=True,
        air_absorption=True,
    )
    room.set_ray_tracing(receiver_radius=0.3, n_rays=8000)
    source, microphone = places
    room.add_source(source)
    room.add_microphone(microphone)
    pra.random.seed(int(generator.integers(2**31)))
    room.compute_rir()
    whole = room.rir[0][0]
    distance = float(np.linalg.norm(source - microphone))
    response = whole[max(0, int(distance / SOUND * SAMPLE_RATE) + LEAD - LEAD // 2) :]
    decay = float(pra.experimental.measure_rt60(whole, SAMPLE_RATE, decay_db=30))
    return Room(np.asarray(response / np.sqrt(np.sum(np.square(response))), np.float32), decay, distance)


def _material(absorption: float, tilt: float, generator: np.random.Generator) -> object:
    """A wall that absorbs about ``absorption`` of the energy, more of it the higher."""
    import pyroomacoustics as pra

    own = absorption * np.exp(generator.normal(0, 0.35))
    shares = np.clip(own * tilt ** (np.arange(len(BANDS)) - 2.5), 0.02, 0.95)
    return pra.Material(
        {"coeffs": shares.tolist(), "center_freqs": list(BANDS)},
        {"coeffs": list(SCATTERING), "center_freqs": list(BANDS)},
    )


def _places(
    size: NDArray[np.float64], distance: tuple[float, float], generator: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Where a mouth and a microphone are, m; None where the room is too small for their distance."""
    wanted = generator.uniform(*distance)
    for _ in range(50):
        mouth = generator.uniform((0.4, 0.4, 1.0), (size[0] - 0.4, size[1] - 0.4, 1.8))
        angle = generator.uniform(0, 2 * np.pi)
        rise = generator.uniform(0.4, 1.9) - mouth[2]
        if abs(rise) >= wanted:
            continue
        along = np.sqrt(wanted**2 - rise**2)
        microphone = mouth + np.array([along * np.cos(angle), along * np.sin(angle), rise])
        if (microphone[:2] > 0.15).all() and (microphone[:2] < size[:2] - 0.15).all():
            return mouth, microphone
    return None
