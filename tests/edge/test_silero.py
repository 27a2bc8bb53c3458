"""Silero in numpy against the graph that Silero publishes."""

import numpy as np
import onnxruntime
import pytest

from edge.audio import BLOCK_SAMPLES, into_blocks, read_audio
from edge.errors import AffectdError
from edge.silero import CONTEXT, Silero, Weights
from edge.voice import silero_model
from tests.conftest import DEMO


def published(blocks: np.ndarray) -> np.ndarray:
    """Probabilities [n] of blocks float32 [n, 512] in a row, from ONNX Runtime."""
    session = onnxruntime.InferenceSession(silero_model(), providers=["CPUExecutionProvider"])
    context, state, rate = np.zeros(CONTEXT, np.float32), np.zeros((2, 1, 128), np.float32), np.array(16_000)
    found = []
    for block in blocks:
        window = np.concatenate([context, block])
        probability, state = session.run(None, {"input": window[None], "state": state, "sr": rate})
        context = block[-CONTEXT:]
        found.append(probability[0, 0])
    return np.array(found)


def blocks_of(kind: str) -> np.ndarray:
    if kind == "speech":
        return np.stack(list(into_blocks([read_audio(DEMO)]))).astype(np.float32) / 32768
    noise = np.random.default_rng(0).standard_normal((300, BLOCK_SAMPLES), dtype=np.float32)
    return {"silence": 0 * noise, "noise": 0.1 * noise, "clipped": np.sign(noise)}[kind]


@pytest.mark.parametrize("kind", ["speech", "silence", "noise", "clipped"])
def test_probabilities_are_those_of_the_published_graph(kind: str) -> None:
    blocks = blocks_of(kind)
    silero = Silero(Weights(silero_model().read_bytes()))
    own = [silero.probability(block) for block in blocks]
    assert own == pytest.approx(published(blocks), abs=1e-4)


def test_reset_forgets_everything() -> None:
    blocks = blocks_of("speech")[100:200]
    silero = Silero(Weights(silero_model().read_bytes()))
    fresh = [silero.probability(block) for block in blocks]
    silero.reset()
    assert [silero.probability(block) for block in blocks] == fresh


def test_another_model_is_refused() -> None:
    with pytest.raises(AffectdError, match="not Silero VAD 5"):
        Weights(b"")
