from dataclasses import replace

import pytest

from edge.errors import UsageError
from train.corpora import Clip
from train.protocols import folds_of
from train.settings import Settings, SplitSettings
from train.splits import by_speaker, said

CLIPS = [
    Clip(f"{corpus}/{speaker}_{emotion}.wav", corpus, f"{corpus}_{speaker}", emotion, sex="FM"[speaker % 2])
    for corpus in ("ravdess", "emodb", "nemo")
    for speaker in range(6)
    for emotion in ("anger", "sad")
]
SETTINGS = Settings(name="x", split=SplitSettings(calibration=("emodb/*_1", "nemo/*_2")))


def test_each_corpus_is_left_out_once_and_whole() -> None:
    folds = folds_of("corpora", CLIPS, SETTINGS)
    assert [fold.name for fold in folds] == ["ravdess", "emodb"]
    for fold in folds:
        split = by_speaker(CLIPS, fold.split.test, fold.split.calibration)
        assert {clip.corpus for clip in split.test} == {fold.name}
        assert len(split.test) == 12
        assert fold.name not in {clip.corpus for clip in split.train + split.calibration}


@pytest.mark.parametrize(("protocol", "count"), [("ravdess/5", 5), ("emodb/speakers", 6)])
def test_every_speaker_is_evaluated_once(protocol: str, count: int) -> None:
    folds = folds_of(protocol, CLIPS, SETTINGS)
    assert len(folds) == count
    corpus = protocol.split("/", maxsplit=1)[0]
    tested = [who for fold in folds for who in fold.split.test]
    assert sorted(tested) == sorted({clip.who for clip in CLIPS if clip.corpus == corpus})
    for fold in folds:
        by_speaker(CLIPS, fold.split.test, fold.split.calibration)


def test_every_statement_is_evaluated_once() -> None:
    spoken = [replace(clip, statement=f"sentence {number % 12}") for number, clip in enumerate(CLIPS)]
    folds = folds_of("ravdess/statements", spoken, SETTINGS)
    assert len(folds) == 10
    assert sorted(statement for fold in folds for statement in fold.split.statements) == sorted(
        {said(clip) for clip in spoken if clip.corpus == "ravdess"}
    )


@pytest.mark.parametrize("protocol", ["nonsense", "savee/5", "ravdess/few"])
def test_an_unknown_protocol_is_one_sentence(protocol: str) -> None:
    with pytest.raises(UsageError, match="No protocol is called"):
        folds_of(protocol, CLIPS, SETTINGS)
