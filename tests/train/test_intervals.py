"""Intervals: what a figure would be with other speakers."""

import numpy as np
import pytest

from train import intervals
from train.corpora import Clip

CLASSES = ["anger", "neutral", "sad"]


def heard(speakers: int, skills: list[float], corpus: str = "made", clips: int = 60) -> intervals.Answers:
    """Speakers of whom the network hears more or less."""
    generator = np.random.default_rng(1)
    rows, logits = [], []
    for speaker in range(speakers):
        for number in range(clips):
            meant = number % 3
            rows.append(Clip(f"{speaker}-{number}.wav", corpus, str(speaker), CLASSES[meant]))
            guessed = meant if generator.random() < skills[speaker % len(skills)] else (meant + 1) % 3
            logits.append(np.eye(3)[guessed])
    return intervals.answers(rows, np.array(logits), CLASSES)


def width(found: dict[str, object]) -> float:
    low, high = found["uar_interval"]  # type: ignore[misc]
    return float(high - low)


def test_the_interval_holds_the_figure_and_is_always_the_same() -> None:
    answers = heard(12, [0.5, 0.9])
    found = intervals.of(answers)
    assert found == intervals.of(answers)
    total = answers.counts.sum(axis=0)
    uar = (total.diagonal() / total.sum(axis=1)).mean()
    low, high = found["uar_interval"]  # type: ignore[misc]
    assert low < uar < high


def test_more_speakers_and_more_even_ones_make_it_narrower() -> None:
    assert width(intervals.of(heard(24, [0.5, 0.9]))) < width(intervals.of(heard(6, [0.5, 0.9])))
    assert width(intervals.of(heard(12, [0.7]))) < width(intervals.of(heard(12, [0.4, 1.0])))


def test_more_clips_of_the_same_speakers_do_not() -> None:
    """What a bootstrap over clips would get wrong."""
    few, many = (width(intervals.of(heard(8, [0.4, 1.0], clips=count))) for count in (60, 600))
    assert many > 0.6 * few


def test_a_single_speaker_has_no_interval() -> None:
    assert intervals.of(heard(1, [0.5])) == {"wa_interval": None, "uar_interval": None}


def test_a_mean_over_folds_is_steadier_than_a_fold() -> None:
    folds = [heard(10, [0.5, 0.9], corpus) for corpus in ("one", "two", "three", "four")]
    assert width(intervals.of_mean(folds)) < 0.8 * width(intervals.of(folds[0]))


def test_another_seed_of_the_same_speakers_is_no_further_evidence() -> None:
    fold = heard(10, [0.5, 0.9])
    assert intervals.of_mean([fold, fold, fold]) == intervals.of(fold)


def test_folds_of_one_speaker_are_drawn_as_speakers() -> None:
    apart = [heard(1, [skill], corpus) for skill, corpus in ((0.4, "a"), (0.6, "b"), (0.8, "c"), (1.0, "d"))]
    low, high = intervals.of_mean(apart)["uar_interval"]  # type: ignore[misc]
    assert low < 0.7 < high
    assert high - low == pytest.approx(0.4, abs=0.2)


def test_silence_about_an_emotion_is_no_miss() -> None:
    rows = [Clip(f"{number}.wav", "made", str(number % 5), "anger") for number in range(20)]
    found = intervals.of(intervals.answers(rows, np.tile([1.0, 0, 0], (20, 1)), CLASSES))
    assert found["uar_interval"] == [1.0, 1.0]
