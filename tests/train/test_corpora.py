from pathlib import Path

import pytest

from edge.errors import UsageError
from train.corpora import Clip, classes_of, read_manifest, relabel


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_optional_columns_may_be_missing(tmp_path: Path) -> None:
    manifest = write(tmp_path / "m.csv", "path,corpus,speaker,emotion\na.wav,house,ann,sad\n")
    assert read_manifest(manifest) == [Clip("a.wav", "house", "ann", "sad")]


def test_stray_spaces_make_no_new_label(tmp_path: Path) -> None:
    manifest = write(tmp_path / "m.csv", "path,corpus,speaker,emotion\na.wav,house,ann, sad \n")
    assert read_manifest(manifest)[0].emotion == "sad"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("path,corpus,emotion\na.wav,house,sad\n", "lacks the column speaker"),
        ("path,corpus,speaker,emotion\n", "no rows"),
        ("path,corpus,speaker,emotion\na.wav,house,,sad\n", "line 2: speaker is empty"),
        ("", "lacks the column path"),
    ],
)
def test_a_broken_manifest_is_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        read_manifest(write(tmp_path / "m.csv", text))


def test_an_absent_manifest_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_manifest(tmp_path / "none.csv")


def test_labels_are_renamed_or_left_out() -> None:
    clips = [Clip("a", "c", "s", "calm"), Clip("b", "c", "s", "boredom"), Clip("c", "c", "s", "sad")]
    assert [clip.emotion for clip in relabel(clips, {"calm": "neutral", "boredom": None})] == ["neutral", "sad"]


def test_one_emotion_only_cannot_be_trained() -> None:
    with pytest.raises(UsageError, match="one emotion only"):
        classes_of([Clip("a", "c", "s", "sad")])
