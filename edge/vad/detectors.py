"""The two detectors of voice: WebRTC's, which costs next to nothing, and Silero's, which knows."""

from functools import cache

import numpy as np
import webrtcvad
from numpy.typing import NDArray

from edge.audio import SAMPLE_RATE
from edge.vad.silero import CONTEXT, Silero, Weights

FULL_SCALE = 32768.0  # of int16
_UNIT = np.float32(1 / FULL_SCALE)
_WEBRTC_SAMPLES = 480  # 30 ms: of the frame lengths that WebRTC knows, the one nearest to a block


class CheapDetector:
    """WebRTC's voice detector: Gaussian mixtures over six bands, about 3 us a block.

    ``aggressiveness`` 0..3: from hearing voice everywhere to hearing it seldom.
    """

    def __init__(self, aggressiveness: int) -> None:
        self._vad = webrtcvad.Vad(aggressiveness)

    def is_speech(self, block: NDArray[np.int16]) -> bool:
        """Whether ``block`` [512] may hold a voice."""
        return bool(self._vad.is_speech(block.tobytes(), SAMPLE_RATE, _WEBRTC_SAMPLES))


class NeuralDetector:
    """Silero's voice detector."""

    def __init__(self) -> None:
        self._silero = Silero(_weights())

    def reset(self) -> None:
        """Forget everything heard so far."""
        self._silero.reset()

    def probability(self, block: NDArray[np.float32], encoded: NDArray[np.float32] | None = None) -> float:
        """How likely ``block`` [512], in int16 units, continues or begins speech: 0..1.

        ``encoded`` is its row of ``encode``, if there is one.
        """
        return self._silero.probability(block * _UNIT, encoded)

    def encode(self, blocks: NDArray[np.int16], before: NDArray[np.float32]) -> NDArray[np.float32]:
        """What can be heard of ``blocks`` [n, 512] at once, and after the samples ``before``; both in int16 units."""
        return _weights().encoded(blocks * _UNIT, before[-CONTEXT:] * _UNIT)


@cache
def _weights() -> Weights:
    """Read once, however many listen."""
    return Weights.load()
