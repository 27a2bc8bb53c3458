"""Whether speech out of a loudspeaker can be told from people: corpora, rooms, sounds and loudspeakers are left out.

Run from the repository's root: python -m benchmarks.accuracy.playback SEED ...

Each seed cuts the corpora and the kinds of loudspeaker into those that train and those that are left out. What is
drawn is kept under runs/playback; the figures are in benchmarks/accuracy/playback.json.
"""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tqdm import tqdm

from benchmarks.accuracy.playback_measures import columns, measures
from edge.model.bundle import Bundle
from edge.sources.highpass import high_passed_float
from train.corpora import Clip, read_folders, read_sounds
from train.loudspeakers import DISTANCES, FAMILIES, Scene
from train.recordings import decode
from train.rooms import Side
from train.settings import data_folders, sounds_folder
from train.surroundings import Surroundings

Floats = NDArray[np.float32]

KEPT, CACHE = Path("runs/playback"), Path("runs/cache")
RESULTS = Path(__file__).parent / "playback.json"
BUNDLE = Path(__file__).parents[2] / "edge/models/default"

TRAINING_CORPORA, TRAINING_FAMILIES = 5, 3  # the rest is left out
SHARE = 144  # clips of each corpus
HOME = 12  # clips that one device hears
HISTORY = 20  # utterances that a device's usual is the mean of

PREVALENCES = {"a tenth": 0.1, "half": 0.5}
"""How much of what a device hears comes out of a loudspeaker."""
PRECISION = 0.9
FEWEST = 20  # rows above a threshold, with fewer of which a precision says nothing
STRENGTHS = (1e-3, 1e-2, 1e-1)  # C of the logistic regression


@dataclass(frozen=True)
class Table:
    """Rows [n, columns], and of each: whether it was played, and words for its corpus, scene, clip and device."""

    rows: Floats
    played: NDArray[np.bool_]
    words: Mapping[str, NDArray[np.str_]]

    @classmethod
    def joined(cls, tables: Sequence["Table"]) -> "Table":
        """Several tables as one."""
        words = {name: np.concatenate([table.words[name] for table in tables]) for name in tables[0].words}
        rows, played = (np.concatenate([getattr(table, name) for table in tables]) for name in ("rows", "played"))
        return cls(rows, played, words)


def draw(clips: Sequence[Clip], root: Path, around: Surroundings, families: Sequence[str], seed: int) -> Table:
    """Every clip of one corpus near and far, from a person and out of one of the loudspeakers in turn.

    Music is in half of the programmes, and in the room of every fourth person.
    """
    bundle = Bundle.load(BUNDLE)
    rows, played, words = [], [], []
    for place, clip in enumerate(tqdm(clips, desc=clips[0].corpus, unit="clip", leave=False)):
        samples, start, home = decode(root / clip.path), [seed, *clip.corpus.encode()], place // HOME
        for out_of_it in (False, True):
            for far, distance in enumerate(DISTANCES):
                scene = Scene(out_of_it, families[place % 3], (place // 3) % (2 if out_of_it else 4) == 0, distance)
                own, here = (np.random.default_rng([*start, place, far, stream]) for stream in (1, 2))
                heard = scene.heard(samples, around, own, here, np.random.default_rng([*start, home, 99]))
                rows.append(columns(high_passed_float(heard), bundle))
                played.append(out_of_it)
                music = "music" if scene.music else "no music"
                names = (f"{clip.corpus} {number}" for number in (place, home))
                words.append((clip.corpus, scene.family, music, distance, *names))
    kinds = ("corpus", "loudspeaker", "music", "distance", "clip", "device")
    return Table(np.array(rows), np.array(played), dict(zip(kinds, np.array(words).T, strict=True)))


def drawn(seed: int) -> dict[Side, Table]:
    """What trains and what is left out in a seed, from the disk as far as it is there."""
    root, *more = data_folders()
    clips = read_folders((root, *more)) + read_sounds(sounds_folder(), {"levels": "baved", "speakers": "korean"})
    generator = np.random.default_rng(seed)
    corpora = generator.permutation(sorted({clip.corpus for clip in clips}))
    families = generator.permutation(sorted(FAMILIES))
    sides: dict[Side, tuple[NDArray[np.str_], NDArray[np.str_]]] = {
        "training": (corpora[:TRAINING_CORPORA], families[:TRAINING_FAMILIES]),
        "evaluation": (corpora[TRAINING_CORPORA:], families[TRAINING_FAMILIES:]),
    }
    KEPT.mkdir(parents=True, exist_ok=True)
    found = {}
    for side, (names, kinds) in sides.items():
        tables = []
        for corpus in names:
            kept = KEPT / f"{seed}-{side}-{corpus}.npz"
            own = [clip for clip in clips if clip.corpus == corpus]
            own = [own[place] for place in generator.permutation(len(own))[:SHARE]]
            if not kept.is_file():
                around = Surroundings.of(side, CACHE, sounds_folder())
                table = draw(own, root, around, [str(kind) for kind in kinds], seed)
                np.savez(kept, rows=table.rows, played=table.played, **table.words)
            with np.load(kept) as file:
                words = {name: file[name] for name in file.files if name not in ("rows", "played")}
                tables.append(Table(file["rows"], file["played"], words))
        found[side] = Table.joined(tables)
    return found


def usual(table: Table, prevalence: float, generator: np.random.Generator) -> Floats:
    """What the device of each row had heard before, the mean of ``HISTORY`` of its rows of other clips [n, columns].

    A share of ``prevalence`` of them was played.
    """
    found = np.zeros_like(table.rows)
    for place in range(len(table.rows)):
        others = (table.words["device"] == table.words["device"][place]) & (
            table.words["clip"] != table.words["clip"][place]
        )
        count = generator.binomial(HISTORY, prevalence)
        played = generator.choice(np.flatnonzero(others & table.played), count)
        live = generator.choice(np.flatnonzero(others & ~table.played), HISTORY - count)
        found[place] = table.rows[np.concatenate([played, live])].mean(axis=0)
    return found


def threshold(played: NDArray[np.bool_], scores: NDArray[np.float64], prevalence: float) -> float:
    """The lowest score from which on ``PRECISION`` is reached, were ``prevalence`` played; infinite where none is."""
    order = np.argsort(-scores)
    hits, alarms = (np.cumsum(kind[order]) / kind.sum() for kind in (played, ~played))
    good = prevalence * hits >= PRECISION * (prevalence * hits + (1 - prevalence) * alarms)
    last = np.flatnonzero(good & (np.arange(len(order)) >= FEWEST - 1))
    return float(scores[order[last[-1]]]) if len(last) else np.inf


def rates(played: NDArray[np.bool_], marked: NDArray[np.bool_], prevalence: float) -> dict[str, float | None]:
    """Precision were ``prevalence`` played, None where nothing is marked; recall; the share of people marked."""
    return _rates(float(marked[played].mean()), float(marked[~played].mean()), prevalence)


def _rates(recall: float, alarms: float, prevalence: float) -> dict[str, float | None]:
    both = prevalence * recall + (1 - prevalence) * alarms
    precision = round(prevalence * recall / both, 4) if both else None
    return {"precision": precision, "recall": round(recall, 4), "false_alarms": round(alarms, 4)}


def logistic(strength: float) -> ClassifierMixin:
    """Standardised, with a squared penalty."""
    return make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=200))


def trees(_: float) -> ClassifierMixin:
    """Boosted: what is there beyond sums."""
    return HistGradientBoostingClassifier(
        max_iter=200, learning_rate=0.06, max_leaf_nodes=12, l2_regularization=1, max_features=0.2, random_state=1
    )


@dataclass(frozen=True)
class Head:
    """What decides: a model, and what it is given."""

    build: Callable[[float], ClassifierMixin]
    chosen: slice
    """Of the columns."""
    strengths: tuple[float, ...] = STRENGTHS
    """To choose from."""
    usual: bool = False
    """Whether it knows what its device has heard before."""
    share: float = 1.0
    """Of the training clips."""


WIDTH = len(measures(np.zeros(16_000, np.float32)))
HEADS = {
    "measures": Head(logistic, slice(0, WIDTH)),
    "encoder": Head(logistic, slice(WIDTH, None)),
    "both": Head(logistic, slice(None)),
    "both, half of the training clips": Head(logistic, slice(None), share=0.5),
    "both, and the device's usual": Head(logistic, slice(None), usual=True),
    "both, boosted trees": Head(trees, slice(None), strengths=(0.0,)),
}


def thinned(table: Table, share: float, generator: np.random.Generator) -> Table:
    """The rows of a ``share`` of the clips."""
    clips = np.unique(table.words["clip"])
    kept = np.isin(table.words["clip"], generator.permutation(clips)[: round(share * len(clips))])
    return Table(table.rows[kept], table.played[kept], {name: words[kept] for name, words in table.words.items()})


def inputs(head: Head, table: Table, generator: np.random.Generator) -> list[Floats]:
    """What a head is given of every row: once, or, where a usual counts, once for each prevalence."""
    rows = table.rows[:, head.chosen]
    if not head.usual:
        return [rows]
    histories = (usual(table, prevalence, generator)[:, head.chosen] for prevalence in PREVALENCES.values())
    return [np.concatenate([rows, rows - history], axis=1) for history in histories]


def judge(head: Head, training: Table, evaluation: Table, seed: int) -> dict[str, object]:
    """Strength and thresholds from the training side, each corpus scored by the others; then the side left out."""
    generator = np.random.default_rng(seed)
    training = thinned(training, head.share, generator)
    learnt, tested = (inputs(head, table, generator) for table in (training, evaluation))
    rows, times = np.concatenate(learnt), len(learnt)
    played, corpora = np.tile(training.played, times), np.tile(training.words["corpus"], times)
    answers = {
        strength: cross_val_predict(
            head.build(strength), rows, played, groups=corpora, cv=LeaveOneGroupOut(), method="decision_function"
        )
        for strength in head.strengths
    }
    best = max(answers, key=lambda strength: roc_auc_score(played, answers[strength]))
    model = head.build(best).fit(rows, played)
    found: dict[str, object] = {"strength": best}
    for place, (words, prevalence) in enumerate(PREVALENCES.items()):
        known = np.split(answers[best], times)[place % times]
        scores = model.decision_function(tested[place % times])
        marked = scores >= threshold(training.played, known, prevalence)
        flattered = scores >= threshold(evaluation.played, scores, prevalence)
        parts = {"all": np.ones(len(scores), bool)} | {
            str(value): evaluation.words[name] == value
            for name in ("distance", "music", "loudspeaker", "corpus")
            for value in np.unique(evaluation.words[name])
        }
        found[words] = {
            "auc": round(float(roc_auc_score(evaluation.played, scores)), 4),
            "recall_with_the_best_threshold": rates(evaluation.played, flattered, prevalence)["recall"],
            **{part: rates(evaluation.played[here], marked[here], prevalence) for part, here in parts.items()},
        }
    return found


def summary(seeds: Mapping[str, Mapping]) -> dict[str, dict]:
    """Means over the seeds; a precision is that of the mean rates."""
    found: dict[str, dict] = {}
    for head in HEADS:
        found[head] = {}
        for words, prevalence in PREVALENCES.items():
            every = [seed["heads"][head][words] for seed in seeds.values()]
            row = {
                name: round(mean(one[name] for one in every), 4) for name in ("auc", "recall_with_the_best_threshold")
            }
            for part in ("all", *DISTANCES):
                recall, alarms = (mean(one[part][name] for one in every) for name in ("recall", "false_alarms"))
                row[part] = _rates(recall, alarms, prevalence)
            found[head][words] = row
    return found


def main() -> None:
    seeds: dict[str, dict] = {}
    for seed in map(int, sys.argv[1:]):
        sides = drawn(seed)
        heads = {
            name: judge(head, sides["training"], sides["evaluation"], seed)
            for name, head in tqdm(HEADS.items(), desc=f"seed {seed}", leave=False)
        }
        left_out = {name: sorted(set(sides["evaluation"].words[name].tolist())) for name in ("corpus", "loudspeaker")}
        rows = {side: len(table.rows) for side, table in sides.items()}
        seeds[str(seed)] = {"left_out": left_out, "rows": rows, "heads": heads}
    RESULTS.write_text(json.dumps({"summary": summary(seeds), "seeds": seeds}, indent=1) + "\n")
    sys.stdout.write(f"{RESULTS}\n")


if __name__ == "__main__":
    main()
