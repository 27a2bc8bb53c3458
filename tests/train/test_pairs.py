"""Equal error rate, purity and coverage where the answer is known."""

import numpy as np
import pytest

from train.corpora import Clip
from train.pairs import coverage, equal_error, nearness, purity


def clip(speaker: str, emotion: str = "anger", sex: str = "F", corpus: str = "c") -> Clip:
    return Clip("a.wav", corpus, speaker, emotion, sex=sex)


def test_pairs_that_are_told_apart_have_no_error_and_the_same_heap_has_half() -> None:
    low, high = np.linspace(0, 0.4, 50), np.linspace(0.6, 1, 50)
    assert equal_error(high, low) == 0
    assert equal_error(low, high) == pytest.approx(1, abs=0.05)
    assert equal_error(low, low) == pytest.approx(0.5, abs=0.03)


def test_one_pair_in_ten_on_the_wrong_side_is_an_error_of_a_tenth() -> None:
    same = np.array([0.9] * 9 + [0.1])
    different = np.array([0.2] * 9 + [0.8])
    assert equal_error(same, different) == pytest.approx(0.1, abs=1e-6)


def test_pairs_stay_in_their_corpus_and_leave_neutral_speech_out() -> None:
    clips = [clip("a"), clip("a", "fear"), clip("b"), clip("a", "neutral"), clip("a", corpus="d")]
    same, different = nearness(clips, np.eye(5, dtype=np.float32))
    assert (len(same), len(different)) == (1, 2)


def test_hard_pairs_are_of_different_emotions_and_one_sex() -> None:
    clips = [clip("a"), clip("a", "fear"), clip("b"), clip("c", "fear", "M")]
    same, different = nearness(clips, np.eye(4, dtype=np.float32), hard=True)
    assert (len(same), len(different)) == (1, 1)


@pytest.mark.parametrize(
    ("given", "true", "pure", "covered"),
    [
        (["1", "1", "2", "2"], ["a", "a", "b", "b"], 1.0, 1.0),
        (["1", "1", "1", "1"], ["a", "a", "b", "b"], 0.5, 1.0),
        (["1", "2", "3", "3"], ["a", "a", "b", "b"], 1.0, 0.75),
        ([None, "1", None, "2"], ["a", "a", "b", "b"], 1.0, 0.5),
        ([None, None], ["a", "b"], 0.0, 0.0),
        (["1", "1", "1", "2"], ["a", "a", "b", "b"], 0.75, 0.75),
    ],
)
def test_labels_with_known_answers(given: list[str | None], true: list[str], pure: float, covered: float) -> None:
    assert purity(given, true) == pure
    assert coverage(given, true) == covered
