"""The table of encoders: what a small head learns, and that what it is judged on was kept from it."""

import msgspec
import numpy as np
import pytest
import torch

from benchmarks.accuracy import encoders
from benchmarks.accuracy.encoders import HAND_MADE, Row, blocks_of, judged, rows_of
from tests.train.conftest import tiny_encoder
from train.corpora import Clip

EMOTIONS = ("anger", "neutral", "sad")


def made(corpus: str, count: int, generator: np.random.Generator, shift: float) -> tuple[list[Clip], np.ndarray]:
    """Clips of three speakers, whose emotion stands in their first three statistics, each corpus at another place."""
    clips, vectors = [], []
    for number in range(count):
        emotion = number % 3
        clips.append(Clip(f"{corpus}{number}.wav", corpus, f"s{number % 9 // 3}", EMOTIONS[emotion]))
        vector = generator.normal(0, 0.3, 8)
        vector[emotion] += 2
        vectors.append(vector + shift)
    return clips, np.array(vectors, np.float32)


def test_a_head_hears_in_a_corpus_left_out_what_it_learnt_in_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoders, "HEAD", msgspec.structs.replace(encoders.HEAD, averaging=0.0))
    generator = np.random.default_rng(1)
    torch.set_num_threads(1)
    parts = [made(name, 90, generator, shift) for name, shift in (("one", 0.0), ("two", 0.5), ("three", 1.0))]
    clips = [clip for found, _ in parts for clip in found]
    vectors = {"near": np.concatenate([found for _, found in parts])}
    found = judged(clips, vectors, vectors, "three")
    assert set(found) == {"near none", "near source", "near source life", "near speaker", "near speaker life"}
    assert found["near speaker"] > 0.8
    shuffled = vectors["near"].copy()
    shuffled[:180] = generator.permutation(shuffled[:180])
    assert judged(clips, {"near": shuffled}, vectors, "three")["near speaker"] < 0.7


def test_a_row_takes_means_and_where_asked_spreads() -> None:
    vectors = {HAND_MADE: np.arange(8.0, dtype=np.float32)[None], "tiny 1": np.arange(4.0, dtype=np.float32)[None]}
    assert Row("", ("tiny 1",)).of(vectors).tolist() == [[0, 1]]
    assert Row("", (HAND_MADE, "tiny 1"), (HAND_MADE,)).of(vectors).tolist() == [[0, 1, 2, 3, 4, 5, 6, 7, 0, 1]]
    assert [row.title for row in rows_of({"tiny": 2})] == [
        "hand-made", "tiny 1, mean", "tiny 2, mean", "tiny 2, mean and spread", "tiny 2, mean, and hand-made",
    ]  # fmt: skip


@pytest.mark.parametrize("time", [50, 1600])
def test_the_last_block_is_what_the_encoder_gives(time: int) -> None:
    encoder = tiny_encoder()
    spectrum = np.random.default_rng(1).normal(0, 0.5, (time, 80)).astype(np.float32)
    first, last = blocks_of(encoder, spectrum)
    assert first.shape == last.shape == (128,)
    if time == 50:
        with torch.inference_mode():
            frames = encoder(torch.from_numpy(spectrum.T.copy()).unsqueeze(0))[0].numpy()
        np.testing.assert_allclose(last[:64], frames.mean(axis=0), atol=5e-3)
        np.testing.assert_allclose(last[64:], frames.std(axis=0), atol=5e-3)
