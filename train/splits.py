"""Splits: which clips train, which calibrate, and which evaluate; no speaker on two sides unless asked for."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np

from edge.errors import UsageError
from train.corpora import Clip


@dataclass(frozen=True)
class Split:
    """Three disjoint lists of clips; ``protocol`` is ``speaker``, ``statement`` or ``random``."""

    protocol: str
    train: list[Clip]
    calibration: list[Clip]
    test: list[Clip]

    def __post_init__(self) -> None:
        refuse_leaks(self)


def said(clip: Clip) -> str:
    """What is said, however it is written; two takes of one sentence are the same statement."""
    tidy = " ".join(clip.statement.casefold().split()).rstrip(".!?")
    return re.sub(r"[-_ ]rep[-_ ]?\d+$", "", tidy)


KEPT_APART: dict[str, Callable[[Clip], str]] = {
    "recording": lambda clip: clip.path,
    "content": lambda clip: clip.sha256,
    "speaker": lambda clip: clip.who,
    "statement": said,
}


def refuse_leaks(split: Split) -> None:
    """Raises where two sides share a recording, by path or by content, or what else the protocol keeps apart.

    Speakers are kept from all three sides; a statement that evaluates is kept from the other two.
    """
    sides = {"train": split.train, "calibration": split.calibration, "test": split.test}
    for noun in ("recording", "content", *({split.protocol} & {"speaker", "statement"})):
        seen: dict[str, str] = {}
        for side, clips in sides.items():
            for value in sorted({KEPT_APART[noun](clip) for clip in clips} - {""}):
                if value in seen and (noun != "statement" or side == "test"):
                    raise UsageError(f"The split leaks: the {noun} {value} stands in {seen[value]} and in {side}.")
                seen[value] = side


def by_speaker(clips: Sequence[Clip], test: Sequence[str], calibration: Sequence[str]) -> Split:
    """The speakers that match a pattern of ``test`` (``ravdess/*_17``, ``tess/*``) evaluate, then ``calibration``'s."""
    for pattern in (*test, *calibration):
        if not any(fnmatchcase(clip.who, pattern) for clip in clips):
            raise UsageError(f"The split names {pattern}, which matches no speaker; speakers are named corpus/speaker.")
    if test:
        refuse_single_voices(clips)
    sides: dict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        matches = [side for side, names in (("test", test), ("calibration", calibration)) if _any(clip.who, names)]
        sides[matches[0] if matches else "train"].append(clip)
    if not sides["train"]:
        raise UsageError("The split leaves no speaker to train on; name fewer speakers for test and calibration.")
    return Split("speaker", sides["train"], sides["calibration"], sides["test"])


def refuse_single_voices(clips: Sequence[Clip]) -> None:
    """Raises where an emotion has one speaker: it cannot be trained on some and evaluated on others."""
    voices: dict[str, set[str]] = defaultdict(set)
    for clip in clips:
        voices[clip.emotion].add(clip.who)
    for emotion, speakers in sorted(voices.items()):
        if len(speakers) == 1:
            raise UsageError(
                f"Only {speakers.pop()} speaks with {emotion}, which therefore cannot be split by speaker; "
                f"add a speaker, leave it out (labels: {{{emotion}: null}}), or split at random."
            )


def by_statement(clips: Sequence[Clip], statements: Sequence[str], calibration: Sequence[str] = ()) -> Split:
    """Whatever ``said`` finds in ``statements`` evaluates; of the rest, the speakers of ``calibration`` calibrate."""
    test = [clip for clip in clips if said(clip) in statements]
    rest = [clip for clip in clips if said(clip) not in statements]
    aside = [clip for clip in rest if _any(clip.who, calibration)]
    train = [clip for clip in rest if not _any(clip.who, calibration)]
    if not (test and train):
        raise UsageError(f"The statements of the split leave no recording to {'train' if test else 'test'} on.")
    return Split("statement", train, aside, test)


def _any(who: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(who, pattern) for pattern in patterns)


def at_random(clips: Sequence[Clip], fraction: float, seed: int) -> Split:
    """A random ``fraction`` of each corpus and emotion evaluates; speakers are mixed, and one tenth calibrates."""
    groups: dict[tuple[str, str], list[Clip]] = defaultdict(list)
    for clip in clips:
        groups[clip.corpus, clip.emotion].append(clip)
    generator = np.random.default_rng(seed)
    sides: tuple[list[Clip], list[Clip], list[Clip]] = ([], [], [])
    for key in sorted(groups):
        members = [groups[key][i] for i in generator.permutation(len(groups[key]))]
        first, second = round(len(members) * fraction), round(len(members) * (fraction + 0.1 * (1 - fraction)))
        sides[2].extend(members[:first])
        sides[1].extend(members[first:second])
        sides[0].extend(members[second:])
    return Split("random", *sides)


def speaker_folds(clips: Sequence[Clip], folds: int) -> list[list[str]]:
    """The speakers in ``folds`` groups that are balanced by sex and by number of clips."""
    counts = Counter((clip.sex, clip.who) for clip in clips)
    if len(counts) < folds:
        raise UsageError(f"{len(counts)} speakers cannot be split into {folds} folds; ask for fewer folds.")
    ordered = sorted(counts, key=lambda key: (key[0], -counts[key], key[1]))
    return [[who for _, who in ordered[fold::folds]] for fold in range(folds)]


def statement_folds(clips: Sequence[Clip], folds: int) -> list[list[str]]:
    """What is said in the clips, in at most ``folds`` groups that are balanced by number of clips."""
    if not all(clip.statement for clip in clips):
        raise UsageError("Some recordings do not say in `statement` what is said; fill that column of the manifest in.")
    counts = Counter(said(clip) for clip in clips)
    if len(counts) < 2:
        raise UsageError("All recordings say the same; folds by statement need at least two.")
    ordered = sorted(counts, key=lambda statement: (-counts[statement], statement))
    return [ordered[fold::folds] for fold in range(min(folds, len(ordered)))]
