"""Simulated households: a few people at one microphone for half an hour, mostly neutral, and who is taken for whom."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edge.model.voices import Voices
from train.corpora import Clip
from train.listen import CALM
from train.pairs import CALM as NEUTRAL
from train.pairs import coverage, purity

Floats = NDArray[np.float32]

PEOPLE = 4
UTTERANCES = 180
"""In half an hour: one every ten seconds."""
ON = 0.5
"""How often the one who spoke last goes on."""
ROUNDS = 5
"""Half hours of each household."""


def households(clips: Sequence[Clip], seed: int = 1) -> list[Clip]:
    """The clips with a household in place of their corpus: its speakers in drawn groups of four, the last smaller."""
    speakers: dict[str, list[str]] = defaultdict(list)
    for who, corpus in sorted({clip.who: clip.corpus for clip in clips}.items()):
        speakers[corpus].append(who)
    home: dict[str, str] = {}
    for corpus, names in speakers.items():
        drawn = np.random.default_rng(seed).permutation(len(names))
        home |= {names[place]: f"{corpus} {rank // PEOPLE + 1}" for rank, place in enumerate(drawn)}
    return [replace(clip, corpus=home[clip.who], speaker=clip.who) for clip in clips]


def half_hour(clips: Sequence[Clip], generator: np.random.Generator) -> list[int]:
    """Which clips of one household are heard, in turn; none twice before all of its speaker and kind were."""
    stores: dict[tuple[str, bool], list[int]] = defaultdict(list)
    for place, clip in enumerate(clips):
        stores[clip.who, clip.emotion in NEUTRAL].append(place)
    people = sorted({clip.who for clip in clips})
    left: dict[tuple[str, bool], list[int]] = defaultdict(list)
    turns: list[int] = []
    speaker = people[0]
    for _ in range(UTTERANCES):
        if generator.random() >= ON:
            speaker = people[int(generator.integers(len(people)))]
        kind = (speaker, bool(generator.random() < CALM))
        kind = kind if kind in stores else (speaker, not kind[1])
        if not left[kind]:
            left[kind] = [stores[kind][place] for place in generator.permutation(len(stores[kind]))]
        turns.append(left[kind].pop())
    return turns


def clustered(
    clips: Sequence[Clip], voices: Floats, seconds: Sequence[float], fresh: Callable[[], Voices], seed: int = 1
) -> tuple[float, float]:
    """Mean purity and coverage over some half hours of every household of at least two people."""
    generator = np.random.default_rng(seed)
    scores = []
    homes = households(clips, seed)
    for home in sorted({clip.corpus for clip in homes}):
        here = [place for place, clip in enumerate(homes) if clip.corpus == home]
        if len({homes[place].who for place in here}) < 2:
            continue
        for _ in range(ROUNDS):
            at = fresh()
            turns = [here[turn] for turn in half_hour([homes[place] for place in here], generator)]
            given = [at.hear(voices[turn], seconds[turn]).id for turn in turns]
            true = [homes[turn].who for turn in turns]
            scores.append((purity(given, true), coverage(given, true)))
    found = np.mean(scores, axis=0)
    return float(found[0]), float(found[1])
