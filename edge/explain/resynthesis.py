"""An utterance made again with a changed voice, to listen to: the WORLD vocoder (Morise, Yokomori and Ozawa 2016).

Not for the device: it needs the package pyworld, and takes a tenth of the time that the utterance lasts.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from edge.audio import SAMPLE_RATE
from edge.errors import AffectdError
from edge.explain.aspects import Change, level
from edge.explain.spectra import octaves_above, stretched, tilt_for
from edge.features.spectrum import FULL_SCALE

Array = NDArray[np.float64]

_SMALLEST = 1e-12


@dataclass(frozen=True, eq=False)
class Voice:
    """What WORLD makes of an utterance: pitch in Hz [time], 0 where there is none, and two spectra [time, bins].

    ``envelope`` is the power of the filter, ``noise`` the share of the amplitude that is not periodic.
    """

    pitch: Array
    envelope: Array
    noise: Array

    @classmethod
    def of(cls, samples: NDArray[np.int16]) -> Self:
        """Analyses samples int16 [n] at 16 kHz. AffectdError where the vocoder is not installed."""
        world = _world()
        sound = samples.astype(np.float64) / FULL_SCALE
        rough, times = world.dio(sound, SAMPLE_RATE)
        pitch = world.stonemask(sound, rough, times, SAMPLE_RATE)
        return cls(
            pitch, world.cheaptrick(sound, pitch, times, SAMPLE_RATE), world.d4c(sound, pitch, times, SAMPLE_RATE)
        )

    def sound(self, change: Change | None = None) -> NDArray[np.int16]:
        """The utterance after a change, int16 [n]; of none, it is as near to the original as the vocoder comes."""
        change = change or Change()
        pitch, voiced = self.pitch.copy(), self.pitch > 0
        octaves = np.log2(pitch[voiced])
        middle = np.median(octaves) if len(octaves) else 0.0
        pitch[voiced] = np.exp2(middle + change.octaves + change.melody * (octaves - middle))
        energy = 10 * np.log10(np.maximum(self.envelope.sum(axis=1), _SMALLEST))
        course = level(energy)
        tilt = tilt_for(self.envelope, change.brighter_db)
        decibels = change.gain_db + (change.dynamics - 1) * (course - course.mean())
        gain = decibels[:, None] + tilt * octaves_above(self.envelope.shape[1])
        envelope = self.envelope * 10 ** (gain / 10)
        periodic = np.clip((1 - np.square(self.noise)) * change.regularity, 0, 1)
        noise = np.sqrt(1 - periodic).clip(min=1e-3)
        places = stretched(len(pitch), change.rate)
        sound = _world().synthesize(pitch[places], envelope[places], noise[places], SAMPLE_RATE)
        whole: NDArray[np.int16] = np.clip(np.round(sound * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
        return whole


def together(changes: list[Change]) -> Change:
    """One change that does all of them."""
    return Change(
        octaves=sum(change.octaves for change in changes),
        melody=float(np.prod([change.melody for change in changes])),
        gain_db=sum(change.gain_db for change in changes),
        dynamics=float(np.prod([change.dynamics for change in changes])),
        rate=float(np.prod([change.rate for change in changes])),
        brighter_db=sum(change.brighter_db for change in changes),
        regularity=float(np.prod([change.regularity for change in changes])),
    )


def _world() -> Any:
    try:
        import pyworld
    except ImportError:
        sentence = "Making voices again needs pyworld: install it with `pip install 'affectd[voice]'`"
        raise AffectdError(sentence) from None
    return pyworld
