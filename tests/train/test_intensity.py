"""The intensity's manifests, and what is wrong with some."""

from pathlib import Path

import numpy as np
import pytest

from edge.errors import UsageError
from edge.model import intensity
from edge.model.bundle import DEFAULT, Bundle
from train.corpora import Clip
from train.intensity import IntensitySettings, Table, choose, ranks, read_manifest, ridge
from train.settings import SplitSettings


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("path,speaker\na.wav,x\n", "lacks the column intensity"),
        ("path,speaker,intensity\na.wav,x,strong\nb.wav,x,strong\n", "one intensity"),
        ("path,speaker,intensity\na.wav,x,strong\nb.wav,x,purple\n", "purple has no place"),
        ("path,speaker,intensity\na.wav,,strong\nb.wav,x,normal\n", "path or speaker is empty"),
        ("path,speaker,intensity\n", "one intensity"),
    ],
)
def test_a_manifest_that_does_not_say_gets_one_sentence(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "manifest.csv"
    path.write_text(text)
    with pytest.raises(UsageError, match=why) as caught:
        read_manifest(path)
    assert "\n" not in str(caught.value)


def test_labels_have_their_order_and_numbers_theirs() -> None:
    assert ranks(["low", "high", "neutral"], Path("m")).tolist() == [0, 2, 1]
    assert ranks(["normal", "strong"], Path("m")).tolist() == [0, 1]
    assert ranks(["0.5", "3"], Path("m")).tolist() == [0.5, 3]


def test_ridge_without_a_penalty_is_least_squares() -> None:
    rows = np.random.default_rng(1).normal(size=(50, 3))
    weights, bias = ridge(rows, rows @ [1.0, -2.0, 0.5] + 3, np.ones(50), np.zeros(3))
    assert np.allclose(weights, [1, -2, 0.5])
    assert bias == pytest.approx(3)


def test_penalties_are_chosen_by_speakers_left_out() -> None:
    """Where the embedding knows each training speaker and nothing else, it is held down."""
    generator = np.random.default_rng(2)
    bundle = Bundle.load(DEFAULT)
    columns, width = intensity.size(bundle.features, bundle.embedding), bundle.embedding
    begin = columns - len(bundle.features.names) - 2 * width
    rows, wanted = np.zeros((200, columns)), np.tile([0.0, 1.0], 100)
    rows[:, 0] = wanted + generator.normal(0, 0.3, 200)
    speakers = np.arange(200) // 20
    rows[:, begin : begin + width] = generator.normal(0, 1, (10, width))[speakers]
    rows[:, begin] += 0.5 * wanted * np.where(speakers % 2, 1, -1)
    clips = [Clip("a.wav", "ravdess", f"ravdess_{who}", "", intensity="normal") for who in speakers]
    settings = IntensitySettings(split=SplitSettings(), levels={}, corpora=("ravdess",), penalties=(0.01, 10.0))
    chosen = choose(settings, Table(rows, wanted, np.ones(200), clips), bundle)
    assert chosen.embedding == 10.0
