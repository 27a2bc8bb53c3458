"""Protocols: the splits that a recipe is judged by, each fold trained anew, and one report for all of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from lightning_fabric.utilities import rank_zero_only
from numpy.typing import NDArray

from edge.errors import UsageError
from edge.model.calibration import Calibration
from train import intervals, listen, report
from train.calibration import fit_calibration
from train.checkpoint import Checkpoint, read_checkpoint
from train.corpora import Clip, read_folders, relabel
from train.run import Material, place_of, read_heard, read_split, run, title_of
from train.settings import Settings, SplitSettings
from train.splits import speaker_folds, statement_folds

Judged = dict[str, tuple[Path, Settings, Checkpoint]]
"""The folds of one seed by name: where each run was left, its configuration, and its checkpoint."""

FoldHeard = tuple[list[Clip], dict[tuple[str, str], tuple[listen.Heard, listen.Heard]]]
"""A fold's clips, and by condition and protocol what was heard of them, behind histories as recorded and as in life."""

FIGURES = ("wa", "uar", "f1_macro", "ece", "accuracy_at_75", "sure_and_wrong")
"""Of every fold, those whose mean and spread a report begins with."""

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
    protocol: str,
    settings: Settings,
    material: Material,
    folder: Path,
    start: Path | None = None,
    seeds: Sequence[int] = (),
) -> dict[str, object]:
    """Trains and evaluates every fold with every seed, then writes report.json: each, and mean and spread over them.

    A fold that ``folder`` holds already, of the same configuration, is taken as it is. Each fold's temperature is
    fitted on what the other folds of its seed were evaluated on, so that every speaker can train. In ``start``,
    ``{seed}`` stands for the seed, in the settings' ``teachers`` ``{fold}`` for the fold. Of several processes the
    first alone has something to tell.
    """
    clips = relabel(read_folders(material.folders, settings.manifest), settings.labels)
    folds, seeds = folds_of(protocol, clips, settings), seeds or (settings.seed,)
    runs: list[Judged] = []
    for seed in seeds:
        judged: Judged = {}
        for fold in folds:
            name = f"{fold.name}@{seed}" if len(seeds) > 1 else fold.name
            place = folder / f"{fold.name}-{seed}"
            pattern = settings.teachers.replace("{fold}", fold.name)
            chosen = msgspec.structs.replace(settings, split=fold.split, seed=seed, teachers=pattern)
            begin = Path(str(start).format(seed=seed)) if start else None
            kept = finished(place, chosen)
            if not kept and (place / "report.json").is_file():
                (place / "last.pt").unlink(missing_ok=True)  # of another configuration, and at its end
            judged[name] = place, chosen, kept or run(chosen, material, place, begin)
        runs.append(judged)
    return sum_up(runs, material.folders, folder, protocol, seeds, settings, start) or {}


@rank_zero_only
def sum_up(
    runs: Sequence[Judged],
    folders: Sequence[Path],
    folder: Path,
    protocol: str,
    seeds: Sequence[int],
    settings: Settings,
    start: Path | None,
) -> dict[str, object]:
    """The report of all folds and seeds, by the first process alone, which has kept what was heard."""
    scores: dict[str, dict[str, dict[str, object]]] = {}
    for judged in runs:
        scores |= at_even_temperature(judged, folders)
    known = list(scores.values())
    summary = {title: summarise([fold[title] for fold in known], len(seeds)) for title in known[0]}
    for title, around in intervals_of(runs, folders).items():
        for row, bounds in around.items():
            if row in summary[title]:
                summary[title][row]["interval"] = bounds
    found = {
        "protocol": protocol,
        "seeds": list(seeds),
        "summary": summary,
        "folds": scores,
        "calibration": together(runs, folders),
        "started_from": start.parent.name if start else None,
        "training": msgspec.to_builtins(settings),
    }
    report.write(found, folder / "report.json")
    return found


def finished(folder: Path, settings: Settings) -> Checkpoint | None:
    """The checkpoint of a run that went to its end with these settings."""
    if not (folder / "report.json").is_file():
        return None
    checkpoint = read_checkpoint(folder / "checkpoint.pt")
    wanted = {key: value for key, value in msgspec.to_builtins(settings).items() if key != "limits"}
    same = msgspec.json.encode(checkpoint.card["training"]) == msgspec.json.encode(wanted)
    return checkpoint if same else None


def heard_of(judged: Judged, folders: Sequence[Path]) -> dict[str, FoldHeard]:
    """Of every fold the clips that evaluated it, and what was heard of them in each condition under each protocol."""
    found = {}
    for name, (folder, settings, checkpoint) in judged.items():
        clips = [clip for clip in read_split(settings, *folders).test if clip.emotion in checkpoint.classes]
        asked = [(condition, protocol) for condition in settings.conditions for protocol in listen.PROTOCOLS]
        found[name] = clips, {one: read_heard(place_of(folder, *one)) for one in asked}
    return found


def at_even_temperature(judged: Judged, folders: Sequence[Path]) -> dict[str, dict[str, dict[str, object]]]:
    """The scores of one seed's folds, each at the temperature that suits the others in all conditions; a single fold
    keeps its own.
    """
    heard = heard_of(judged, folders)
    scores: dict[str, dict[str, dict[str, object]]] = {}
    for name, (_, _, checkpoint) in judged.items():
        others = [other for other in heard if other != name and judged[other][2].classes == checkpoint.classes]
        calibration = calibration_on({other: heard[other] for other in others}, checkpoint.classes)
        calibration = calibration or checkpoint.calibration
        clips, found = heard[name]
        scores[name] = {
            title_of(condition, adapt): {
                **report.of_protocol(clips, recorded, life, checkpoint.classes, calibration, adapt),
                "temperature": round(calibration.temperature, 4),
            }
            for (condition, adapt), (recorded, life) in found.items()
        }
    return scores


def calibration_on(folds: Mapping[str, FoldHeard], classes: Sequence[str]) -> Calibration | None:
    """What suits all that was heard of some folds, cold and adapted, every fold and condition weighing alike."""
    rows = [
        (heard, np.array([classes.index(clip.emotion) for clip in clips]))
        for clips, found in folds.values()
        for (_, adapt), (heard, _) in found.items()
        if adapt in ("none", "speaker")
    ]
    if not rows:
        return None
    logits, measured = (np.concatenate([getattr(one, name) for one, _ in rows]) for name in ("logits", "measured"))
    weights = np.concatenate([np.full(len(truth), 1 / len(truth)) for _, truth in rows])
    return fit_calibration(logits, np.concatenate([truth for _, truth in rows]), measured, weights)


def intervals_of(runs: Sequence[Judged], folders: Sequence[Path]) -> dict[str, dict[str, object]]:
    """Of each condition and protocol the interval of the mean over all folds and seeds, under a summary's names."""
    answers: dict[tuple[str, str], list[intervals.Answers]] = {}
    for judged in runs:
        for name, (clips, found) in heard_of(judged, folders).items():
            classes = judged[name][2].classes
            for (condition, adapt), pair in found.items():
                for suffix, heard in zip(("", "_life") if adapt != "none" else ("",), pair, strict=False):
                    known = intervals.answers(clips, heard.logits, classes)
                    answers.setdefault((title_of(condition, adapt), suffix), []).append(known)
    bounds: dict[str, dict[str, object]] = {}
    for (title, suffix), folds in answers.items():
        around = intervals.of_mean(folds)
        named = {f"{name}{suffix}": around[f"{name}_interval"] for name in intervals.NAMES}
        bounds.setdefault(title, {}).update(named)
    return bounds


def together(runs: Sequence[Judged], folders: Sequence[Path]) -> dict[str, object] | None:
    """The calibration that suits all folds and seeds: for a network of the same recipe that no one is kept from."""
    heard: dict[str, FoldHeard] = {}
    classes = next(iter(runs[0].values()))[2].classes
    for seed, judged in enumerate(runs):
        alike = {name: one for name, one in judged.items() if one[2].classes == classes}
        heard |= {f"{name}@{seed}": found for name, found in heard_of(alike, folders).items()}
    found = calibration_on(heard, classes)
    return msgspec.to_builtins(found) if found else None


def summarise(folds: Sequence[dict[str, Any]], seeds: int = 1) -> dict[str, dict[str, object]]:
    """Mean, standard deviation over all runs, and over the means of the seeds, of the headline figures.

    ``folds`` come seed by seed. ``uar_life`` is UAR behind histories as in life. ``ece_together`` is the calibration
    error of a seed's folds taken together: that of a fold of fifty clips is mostly chance.
    """
    figures = {name: [fold[name] for fold in folds] for name in FIGURES}
    if all("life" in fold for fold in folds):
        figures["uar_life"] = [fold["life"]["uar"] for fold in folds]
    rows = {name: spread(np.array(values, float).reshape(seeds, -1)) for name, values in figures.items()}
    size = len(folds) // seeds
    groups = [folds[start : start + size] for start in range(0, len(folds), size)]
    rows["ece_together"] = spread(np.array([[report.calibration_error(group)] for group in groups]))
    return rows


def spread(values: NDArray[np.float64]) -> dict[str, object]:
    """Figures [seeds, folds] in three."""
    figures = {"mean": values.mean(), "sd": values.std(), "sd_seeds": values.mean(axis=1).std()}
    return {key: round(float(value), 4) for key, value in figures.items()}
