"""Silero in numpy against the graph that Silero publishes."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from edge.audio import BLOCK_SAMPLES
from edge.errors import AffectdError
from edge.sources.conversion import into_blocks, read_audio
from edge.vad.silero import CONTEXT, FILE, TENSORS, Silero, Weights
from export.silero import archive, source
from tests.conftest import DEMO


def published(blocks: np.ndarray) -> np.ndarray:
    """Probabilities [n] of blocks float32 [n, 512] in a row, from ONNX Runtime."""
    session = onnxruntime.InferenceSession(source(), providers=["CPUExecutionProvider"])
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
    silero = Silero(Weights.load())
    own = [silero.probability(block) for block in blocks]
    assert own == pytest.approx(published(blocks), abs=1e-4)


@pytest.mark.parametrize("kind", ["speech", "silence", "noise", "clipped"])
@pytest.mark.parametrize("stretch", [1, 7, 64])
def test_blocks_heard_at_once_are_those_heard_one_by_one(kind: str, stretch: int) -> None:
    blocks, weights = blocks_of(kind), Weights.load()
    alone, before = Silero(weights), np.zeros(CONTEXT, np.float32)
    one_by_one = [alone.probability(block) for block in blocks]
    silero, found = Silero(weights), []
    for start in range(0, len(blocks), stretch):
        several = blocks[start : start + stretch]
        encoded = weights.encoded(several, before)
        found += [silero.probability(block, row) for block, row in zip(several, encoded, strict=True)]
        row = encoded[-1]
        before = several[-1, -CONTEXT:]
    assert found == pytest.approx(one_by_one, abs=1e-4)
    silero.reset()
    assert silero.probability(several[-1], np.full_like(row, 1e3)) == Silero(weights).probability(several[-1])


def test_reset_forgets_everything() -> None:
    blocks = blocks_of("speech")[100:200]
    silero = Silero(Weights.load())
    fresh = [silero.probability(block) for block in blocks]
    silero.reset()
    assert [silero.probability(block) for block in blocks] == fresh


def test_the_weights_are_those_of_the_published_graph() -> None:
    assert FILE.read_bytes() == archive(source().read_bytes()), "run `python -m export.silero`"
    assert FILE.stat().st_size < 2 << 20


def test_another_graph_makes_no_weights() -> None:
    with pytest.raises(AffectdError, match="Silero VAD 5"):
        archive(b"")


def test_weights_of_another_network_are_refused() -> None:
    with pytest.raises(AffectdError, match="not those of Silero VAD 5"):
        Weights({name: np.zeros(3, np.float32) for name in TENSORS})


@pytest.mark.parametrize("place", [0, 5_000, 500_000, -1])
def test_damaged_weights_are_one_sentence(tmp_path: Path, place: int) -> None:
    content = bytearray(FILE.read_bytes())
    content[place] ^= 0xFF
    (tmp_path / "silero.npz").write_bytes(content if place >= 0 else content[:-100])
    with pytest.raises(AffectdError, match="install affectd again"):
        Weights.load(tmp_path / "silero.npz")
