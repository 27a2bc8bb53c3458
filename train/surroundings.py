"""Where speech is heard: rooms, and the sounds in them, of one side."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from train.rooms import Rooms, Side
from train.sounds import Sounds

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Surroundings:
    """The rooms and the sounds of one side; a value small enough to be sent to another process."""

    rooms: Rooms
    sounds: Sounds

    @property
    def digest(self) -> str:
        """Names what can be heard here, so that no copy is taken for one of other surroundings."""
        return hashlib.sha256(f"{self.rooms.digest} {self.sounds.digest}".encode()).hexdigest()[:8]

    @classmethod
    def of(cls, side: Side, cache: Path, sounds: Path) -> "Surroundings":
        """Those of a side: rooms are kept under ``cache``, sounds come from the folder ``sounds``."""
        return cls(Rooms(cache.resolve() / "rooms", side), Sounds(sounds.resolve(), side))


class Heard(Protocol):
    """What becomes of a sound in some surroundings: float32 [samples] at 16 kHz -> float32 [samples]."""

    def __call__(self, samples: Floats, generator: np.random.Generator, around: Surroundings) -> Floats: ...
