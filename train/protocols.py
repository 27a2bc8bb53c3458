"""Protocols: the splits that a recipe is judged by, each fold trained anew, and one report for all of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from edge.errors import UsageError
from train import listen, report
from train.corpora import Clip, read_manifest, relabel
from train.run import Material, run
from train.settings import Settings, SplitSettings
from train.splits import speaker_folds, statement_folds

HELD_OUT_CORPORA = ("ravdess", "emodb", "emovo", "tess")


@dataclass(frozen=True)
class Fold:
    """One training run of a protocol."""

    name: str
    split: SplitSettings


def folds_of(protocol: str, clips: Sequence[Clip], settings: Settings) -> list[Fold]:
    """The folds of a protocol.

    ``corpora`` leaves each of four corpora out in turn; ``CORPUS/K`` splits its speakers in K groups;
    ``CORPUS/speakers`` leaves each of them out; ``CORPUS/statements`` leaves out what is said, in up to ten groups of
    sentences, speakers mixed; ``random`` is the random fifth, speakers mixed.
    """
    aside = settings.split.calibration
    if protocol == "corpora":
        known = [name for name in HELD_OUT_CORPORA if any(clip.corpus == name for clip in clips)]
        return [Fold(name, SplitSettings(test=(f"{name}/*",), calibration=aside)) for name in known]
    if protocol == "random":
        return [Fold("random", SplitSettings(random=0.2))]
    corpus, _, count = protocol.partition("/")
    own = [clip for clip in clips if clip.corpus == corpus]
    if own and count == "statements":
        groups = statement_folds(own, 10)
        return [
            Fold(f"{corpus}-{number:02d}", SplitSettings(statements=tuple(group), calibration=aside))
            for number, group in enumerate(groups, start=1)
        ]
    if not own or not (count == "speakers" or count.isdecimal()):
        raise UsageError(
            f"No protocol is called {protocol}; choose corpora, random, CORPUS/speakers, CORPUS/5 or CORPUS/statements."
        )
    number = len({clip.who for clip in own}) if count == "speakers" else int(count)
    groups = speaker_folds(own, number)
    return [
        Fold(f"{corpus}-{number:02d}", SplitSettings(test=tuple(group), calibration=aside))
        for number, group in enumerate(groups, start=1)
    ]


def judge(
    protocol: str, settings: Settings, material: Material, folder: Path, start: Path | None = None
) -> dict[str, object]:
    """Trains and evaluates every fold, then writes report.json: each fold, and mean and spread over them."""
    clips = relabel(read_manifest(material.root / settings.manifest), settings.labels)
    scores: dict[str, dict[str, dict[str, object]]] = {}
    for fold in folds_of(protocol, clips, settings):
        chosen = msgspec.structs.replace(settings, split=fold.split)
        checkpoint = run(chosen, material, folder / fold.name, start)
        scores[fold.name] = msgspec.convert(checkpoint.card["scores"], dict[str, dict[str, object]])
    summary = {adapt: summarise([fold[adapt] for fold in scores.values()]) for adapt in listen.PROTOCOLS}
    found = {
        "protocol": protocol,
        "summary": summary,
        "folds": scores,
        "started_from": start.parent.name if start else None,
        "training": msgspec.to_builtins(settings),
    }
    report.write(found, folder / "report.json")
    return found


def summarise(folds: Sequence[dict[str, object]]) -> dict[str, object]:
    """Mean and standard deviation over folds of the headline figures."""
    names = ("wa", "uar", "f1_macro", "ece", "accuracy_at_75")
    values = {name: np.array([float(str(fold[name])) for fold in folds]) for name in names}
    return {name: {"mean": round(float(v.mean()), 4), "sd": round(float(v.std()), 4)} for name, v in values.items()}
