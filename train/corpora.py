"""Corpora as rows of a manifest, and the labels that training gives them."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edge.errors import UsageError

REQUIRED = ("path", "corpus", "speaker", "emotion")
OPTIONAL = ("sex", "intensity", "statement", "language", "sha256")


@dataclass(frozen=True)
class Clip:
    """One recording: where it lies under the data folder, who speaks, and which emotion was meant."""

    path: str
    corpus: str
    speaker: str
    emotion: str
    sex: str = ""
    intensity: str = ""
    statement: str = ""
    language: str = ""
    sha256: str = ""

    @property
    def who(self) -> str:
        """The speaker as splits name it: ``corpus/speaker``."""
        return f"{self.corpus}/{self.speaker}"


def read_manifest(path: Path) -> list[Clip]:
    """The rows of a manifest: CSV with a header; path, corpus, speaker, emotion are needed, the rest may be empty."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = [name for name in REQUIRED if name not in (reader.fieldnames or ())]
            if missing:
                raise UsageError(f"{path}: the manifest lacks the column {missing[0]}; it needs {', '.join(REQUIRED)}.")
            clips = [_clip(path, number, row) for number, row in enumerate(reader, start=2)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path}: the manifest cannot be read ({error}); give a CSV file in UTF-8.") from error
    if not clips:
        raise UsageError(f"{path}: the manifest has no rows; scan a folder of recordings first.")
    return clips


def read_folders(folders: Sequence[Path], manifest: str = "manifest.csv") -> list[Clip]:
    """The rows of every data folder's manifest, first to last.

    The paths of a second folder's clips, and of any further one's, are absolute, so that they are found from the first.
    """
    clips = read_manifest(folders[0] / manifest)
    for folder in folders[1:]:
        there = folder.resolve()
        clips += [replace(clip, path=str(there / clip.path)) for clip in read_manifest(folder / manifest)]
    return clips


def read_sounds(sounds: Path, corpora: Mapping[str, str]) -> list[Clip]:
    """Recordings among the folder of sounds that say who speaks, with absolute paths; none where there is no folder.

    ``corpora`` names the kinds that are taken, and the corpus that each is. Their labels count as intensities.
    """
    table = sounds / "manifest.csv"
    if not table.is_file():
        return []
    with table.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["kind"] in corpora and row["speaker"]]
    there = sounds.resolve()
    return [
        Clip(str(there / row["path"]), corpora[row["kind"]], row["speaker"], "", row["sex"], row["label"])
        for row in rows
    ]


def _clip(path: Path, number: int, row: Mapping[str, str | None]) -> Clip:
    empty = [name for name in REQUIRED if not (row[name] or "").strip()]
    if empty:
        raise UsageError(f"{path}, line {number}: {empty[0]} is empty; fill it in or remove the row.")
    return Clip(**{name: (row.get(name) or "").strip() for name in (*REQUIRED, *OPTIONAL)})


def relabel(clips: Sequence[Clip], labels: Mapping[str, str | None]) -> list[Clip]:
    """The clips with their emotions mapped by ``labels``; an emotion mapped to ``None`` is left out."""
    mapped = ((clip, labels.get(clip.emotion, clip.emotion)) for clip in clips)
    return [replace(clip, emotion=emotion) for clip, emotion in mapped if emotion is not None]


def classes_of(clips: Sequence[Clip]) -> list[str]:
    """The sorted emotions of the clips; at least two are needed to train."""
    classes = sorted({clip.emotion for clip in clips})
    if len(classes) < 2:
        raise UsageError(f"The training clips hold one emotion only ({', '.join(classes) or 'none'}); add another.")
    return classes
