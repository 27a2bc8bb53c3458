"""A scan of a folder of recordings: its manifest, and every problem that would spoil training."""

import csv
import difflib
import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import soundfile

from edge.errors import UsageError
from train.corpora import OPTIONAL, REQUIRED, Clip
from train.layouts import read_path

AUDIO = {".wav", ".flac", ".ogg", ".opus", ".mp3", ".aif", ".aiff", ".au"}
PRODUCT = ("anger", "disgust", "fear", "happy", "neutral", "sad", "sarcastic", "surprise")


@dataclass(frozen=True)
class Scan:
    """The rows found, with the sounds' hashes, and one sentence for each problem."""

    clips: list[Clip]
    problems: list[str]


def scan(root: Path, labels: Mapping[str, str | None], layout: str = "") -> Scan:
    """Every recording under ``root``; ``labels`` maps synonyms to the emotions of the product, ``None`` leaves out."""
    if not root.is_dir():
        raise UsageError(f"{root}: is no folder; name one that holds recordings.")
    paths = sorted(path for path in root.rglob("*") if path.suffix.lower() in AUDIO)
    if not paths:
        raise UsageError(f"{root}: holds no recordings ({', '.join(sorted(AUDIO))}).")
    clips: list[Clip] = []
    problems: list[str] = []
    seen: dict[str, str] = {}
    for path in paths:
        relative = path.relative_to(root).as_posix()
        clip = read_path(relative, layout)
        if clip is None:
            problems.append(
                f"{relative}: fits no layout; name one with --layout, or move it into a folder per emotion."
            )
            continue
        unreadable = _unreadable(path)
        if unreadable:
            problems.append(f"{relative}: cannot be read ({unreadable}); left out.")
            continue
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if digest in seen:
            problems.append(f"{relative}: the same sound as {seen[digest]}; left out.")
            continue
        seen[digest] = relative
        emotion, problem = known_label(clip.emotion, labels)
        problems += [f"{relative}: {problem}"] if problem else []
        clips.append(replace(clip, emotion=emotion, sha256=digest))
    return Scan(clips, problems + lonely_speakers(clips))


def _unreadable(path: Path) -> str:
    try:
        return "" if soundfile.info(path).frames else "no samples"
    except (OSError, soundfile.SoundFileError) as error:
        return str(error)


def known_label(found: str, labels: Mapping[str, str | None]) -> tuple[str, str]:
    """The label without stray spaces, in lower case, through the synonyms; and what is wrong with it, if anything."""
    tidy = " ".join(found.split()).lower()
    known = {*PRODUCT, *labels}
    emotion = labels.get(tidy) or tidy
    if tidy not in known:
        near = difflib.get_close_matches(tidy, sorted(known), n=1)
        return tidy, f"unknown emotion '{tidy}'" + (f" -> {near[0]}?" if near else "; map it under labels.")
    return emotion, f"stray spaces in '{found}'." if found != found.strip() or "  " in found else ""


def lonely_speakers(clips: Iterable[Clip]) -> list[str]:
    """Speakers with one emotion only: what a model learns of them is who speaks, not how."""
    emotions: dict[str, set[str]] = defaultdict(set)
    for clip in clips:
        emotions[clip.who].add(clip.emotion)
    return [f"{who}: speaks in one emotion only ({found.pop()})." for who, found in emotions.items() if len(found) == 1]


def counts(clips: Sequence[Clip]) -> str:
    """A table of recordings per corpus and emotion, and of speakers."""
    emotions = sorted({clip.emotion for clip in clips})
    width = max(len(clip.corpus) for clip in clips) + 2
    lines = [" " * width + "".join(f"{name:>10}" for name in (*emotions, "speakers"))]
    for corpus in sorted({clip.corpus for clip in clips}):
        own = [clip for clip in clips if clip.corpus == corpus]
        found = Counter(clip.emotion for clip in own)
        cells = (*(found[emotion] for emotion in emotions), len({clip.speaker for clip in own}))
        lines.append(f"{corpus:{width}}" + "".join(f"{cell:>10}" for cell in cells))
    return "\n".join(lines)


def write_manifest(clips: Sequence[Clip], path: Path) -> None:
    """Writes the rows as CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*REQUIRED, *OPTIONAL])
        writer.writeheader()
        writer.writerows(asdict(clip) for clip in clips)
