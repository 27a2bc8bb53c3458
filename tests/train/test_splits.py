from dataclasses import replace

import pytest

from edge.errors import UsageError
from train.corpora import Clip
from train.splits import Split, at_random, by_speaker, by_statement, said, speaker_folds, statement_folds

CLIPS = [
    Clip(
        f"{who}/{emotion}{take}.wav",
        "house",
        who,
        emotion,
        sex="F" if who in "ac" else "M",
        sha256=f"{who}{emotion}{take}",
    )
    for who in "abcd"
    for emotion in ("anger", "neutral")
    for take in range(5)
]


def test_no_speaker_stands_on_two_sides() -> None:
    split = by_speaker(CLIPS, test=["house/a"], calibration=["house/b"])
    sides = [{clip.who for clip in side} for side in (split.train, split.calibration, split.test)]
    assert sides == [{"house/c", "house/d"}, {"house/b"}, {"house/a"}]


def test_shared_speaker_is_refused() -> None:
    with pytest.raises(UsageError, match="speaker house/a stands in train and in test"):
        Split("speaker", CLIPS[:5], [], CLIPS[5:])


def test_shared_recording_is_refused_even_at_random() -> None:
    with pytest.raises(UsageError, match="recording"):
        Split("random", CLIPS, [], CLIPS[:1])


def test_same_content_under_another_name_is_refused() -> None:
    twin = replace(CLIPS[0], path="elsewhere.wav", speaker="z")
    with pytest.raises(UsageError, match="content"):
        Split("speaker", CLIPS, [], [twin])


def test_pattern_that_matches_nobody_is_named() -> None:
    with pytest.raises(UsageError, match="house/zoe"):
        by_speaker(CLIPS, test=["house/zoe"], calibration=[])


def test_an_emotion_of_one_speaker_cannot_be_split() -> None:
    alone = [replace(CLIPS[0], path="alone.wav", emotion="sarcastic", sha256="")]
    with pytest.raises(UsageError, match="Only house/a speaks with sarcastic"):
        by_speaker(CLIPS + alone, test=["house/b"], calibration=[])
    assert len(by_speaker(CLIPS + alone, test=[], calibration=[]).train) == 41


def test_random_split_takes_its_share_of_every_emotion() -> None:
    split = at_random(CLIPS, 0.2, seed=1)
    assert len(split.test) == 8
    assert sum(clip.emotion == "anger" for clip in split.test) == 4
    assert len(split.train) + len(split.calibration) + len(split.test) == len(CLIPS)


def test_folds_balance_sexes_and_lose_nobody() -> None:
    folds = speaker_folds(CLIPS, 2)
    assert sorted(who for fold in folds for who in fold) == ["house/a", "house/b", "house/c", "house/d"]
    assert all(len({who in ("house/a", "house/c") for who in fold}) == 2 for fold in folds)


def test_more_folds_than_speakers_are_refused() -> None:
    with pytest.raises(UsageError, match="4 speakers cannot be split into 5"):
        speaker_folds(CLIPS, 5)


SENTENCES = ("Kids are talking.", "kids  are talking", "dogs-rep-01", "dogs-rep-02", "Say the word back")
SPOKEN = [replace(clip, statement=SENTENCES[number % 5]) for number, clip in enumerate(CLIPS)]


def test_what_is_said_evaluates_or_trains_never_both() -> None:
    groups = statement_folds(SPOKEN, 10)
    assert sorted(statement for group in groups for statement in group) == [
        "dogs",
        "kids are talking",
        "say the word back",
    ]
    for group in groups:
        split = by_statement(SPOKEN, group, calibration=["house/b"])
        heard = {said(clip) for clip in split.test}
        assert heard == set(group)
        assert not heard & {said(clip) for clip in split.train + split.calibration}
        assert {clip.who for clip in split.calibration} == {"house/b"}
        assert len(split.train) + len(split.calibration) + len(split.test) == len(SPOKEN)


@pytest.mark.parametrize(("kept", "leaked"), [(0, 1), (2, 3)])
def test_shared_statement_is_refused_however_it_is_written(kept: int, leaked: int) -> None:
    with pytest.raises(UsageError, match=r"statement .* stands in train and in test"):
        Split("statement", [SPOKEN[kept]], [], [SPOKEN[leaked]])
    with pytest.raises(UsageError, match=r"statement .* stands in calibration and in test"):
        Split("statement", [SPOKEN[4]], [SPOKEN[kept]], [SPOKEN[leaked]])


def test_calibration_may_say_what_training_says() -> None:
    assert Split("statement", [SPOKEN[0]], [SPOKEN[1]], [SPOKEN[2]]).calibration == [SPOKEN[1]]


@pytest.mark.parametrize(
    ("clips", "sentence"), [([*SPOKEN, CLIPS[0]], "do not say in `statement`"), (SPOKEN[::5], "say the same")]
)
def test_statements_that_cannot_be_told_apart_are_one_sentence(clips: list[Clip], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        statement_folds(clips, 10)
