"""A training run from configuration to checkpoint: split, scale, fit, calibrate, evaluate, report."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
import torch
from lightning_fabric.utilities import rank_zero_only
from numpy.typing import NDArray
from scipy.special import softmax

from edge.errors import AffectdError, UsageError
from edge.features import FeatureSet
from train import listen, report
from train.augmentation import change_of
from train.bank import Bank, fit_scaler
from train.calibration import fit_temperature, threshold_for
from train.checkpoint import Checkpoint, read_checkpoint
from train.corpora import Clip, classes_of, read_folders, relabel
from train.distillation import Teachers, read_teachers, refuse_strangers
from train.fit import BatchSource, fit, infer
from train.recordings import features_of
from train.settings import Settings, sounds_folder
from train.splits import Split, at_random, by_speaker, by_statement

Floats = NDArray[np.float32]

LICENCES = {
    "ravdess": "CC BY-NC-SA 4.0",
    "tess": "CC BY-NC-ND 4.0",
    "emodb": "freely available for research",
    "emovo": "research",
    "nemo": "CC BY-NC-SA 4.0",
    "ased": "none stated; cite the authors",
    "turev": "CC BY-NC-ND 4.0",
}
"""What the official corpora say; a corpus that is not here says nothing."""


HEARD = "heard.npz"


@dataclass(frozen=True)
class Material:
    """Where recordings lie and where their features are kept: on disk, and in memory from one fold to the next.

    ``more`` are further data folders beside ``root``; ``sounds`` is where real noise for augmented copies lies.
    """

    root: Path
    cache: Path
    jobs: int = 1
    dask: str = ""
    more: tuple[Path, ...] = ()
    sounds: Path = field(default_factory=sounds_folder)
    kept: dict[tuple[FeatureSet, str, str], Floats] = field(default_factory=dict)

    @property
    def folders(self) -> tuple[Path, ...]:
        """All data folders."""
        return (self.root, *self.more)

    def frames(self, clips: Sequence[Clip], chosen: FeatureSet, change: str = "") -> list[Floats]:
        """Frames of every clip, or of its augmented copy."""
        new = [clip for clip in clips if (chosen, change, clip.path) not in self.kept]
        named = change_of(change, self.cache, self.sounds) if change else None
        found = features_of(new, self.root, self.cache, self.jobs, named, self.dask, chosen)
        self.kept.update(((chosen, change, clip.path), frames) for clip, frames in zip(new, found, strict=True))
        return [self.kept[chosen, change, clip.path] for clip in clips]


def read_split(settings: Settings, *folders: Path) -> Split:
    """The clips that the configuration names, of every data folder, relabelled and split."""
    clips = relabel(read_folders(folders, settings.manifest), settings.labels)
    if settings.corpora:
        clips = [clip for clip in clips if clip.corpus in settings.corpora]
    if settings.split.random:
        return at_random(clips, settings.split.random, settings.seed)
    if settings.split.statements:
        return by_statement(clips, settings.split.statements, settings.split.calibration)
    return by_speaker(clips, settings.split.test, settings.split.calibration)


def run(settings: Settings, material: Material, folder: Path, start: Path | None = None) -> Checkpoint:
    """Trains, calibrates and evaluates; leaves checkpoint.pt, report.json, pictures and logits in ``folder``."""
    split = read_split(settings, *material.folders)
    checkpoint = train(settings, split, material, folder, start)
    reports: dict[str, object] = {}
    clips = [clip for clip in split.test if clip.emotion in checkpoint.classes]
    frames = material.frames(clips, settings.features)
    for protocol in listen.PROTOCOLS if clips else ():
        heard = hear(checkpoint, clips, frames, protocol, settings)
        life = hear(checkpoint, clips, frames, protocol, settings, "life") if protocol != "none" else heard
        write_heard(folder / protocol, heard, life)
        reports[protocol] = report.of_protocol(clips, heard, life, checkpoint.classes, checkpoint.temperature, protocol)
        report.draw(clips, heard, checkpoint.classes, checkpoint.temperature, folder / protocol)
    for path in settings.reports:
        reports |= report.summary_of(Path(path))
    checkpoint = msgspec.structs.replace(checkpoint, card={**checkpoint.card, "scores": reports})
    checkpoint.save(folder / "checkpoint.pt")
    report.write({"protocol": split.protocol, "card": checkpoint.card}, folder / "report.json")
    return checkpoint


@rank_zero_only
def write_heard(folder: Path, heard: listen.Heard, life: listen.Heard) -> None:
    """Keeps the logits of the test side, in the split's order: scores can be had again without hearing again."""
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / HEARD, logits=heard.logits, before=heard.before, life=life.logits, life_before=life.before)


def read_heard(folder: Path) -> tuple[listen.Heard, listen.Heard]:
    """What ``write_heard`` kept."""
    with np.load(folder / HEARD) as kept:
        return listen.Heard(kept["logits"], kept["before"]), listen.Heard(kept["life"], kept["life_before"])


def train(settings: Settings, split: Split, material: Material, folder: Path, start: Path | None = None) -> Checkpoint:
    """Fits and calibrates; the test side is not looked at. ``start`` names a checkpoint to go on from."""
    before = {start: read_checkpoint(start)} if start else {}
    teachers = read_teachers(settings.teachers) if settings.teachers else {}
    known = {**before, **teachers}
    refuse_strangers(known)
    for path, checkpoint in known.items():
        refuse_foreknowledge(path, checkpoint, split, material.folders)
    inherited = next(iter(known.values()), None)
    classes = inherited.classes if inherited else classes_of(split.train)
    frames = material.frames(split.train, settings.features)
    scaler = inherited.scaler if inherited else fit_scaler(frames)
    banks = [Bank.build(split.train, frames, scaler, classes)]
    banks += [
        Bank.build(split.train, material.frames(split.train, settings.features, change), scaler, classes)
        for change in settings.augmentation.copies
    ]
    aside = [clip for clip in split.calibration if clip.emotion in classes]
    aside_frames = material.frames(aside, settings.features)
    calibration = Bank.build(aside, aside_frames, scaler, classes) if aside else None
    source = BatchSource(banks, settings, classes)
    surplus = settings.even * torch.from_numpy(source.surplus())
    ensemble = [teacher.network() for teacher in teachers.values()]
    taught = Teachers(ensemble, surplus, settings.softness) if ensemble else None
    state = before[start].state if start else None
    network, curves = fit(settings, source, calibration, folder, state, taught)
    with torch.no_grad():  # forgets how often each emotion was drawn: logit adjustment (Menon et al., 2021)
        network.dense.bias.sub_(surplus)
    checkpoint = Checkpoint(
        settings=network.settings,
        state=network.state_dict(),
        scaler=scaler,
        classes=classes,
        features=settings.features,
        card={**card(settings, split), "curves": report.curves_of(curves)},
    )
    return calibrate(checkpoint, aside, aside_frames, settings) if aside else checkpoint


def refuse_foreknowledge(path: Path, checkpoint: Checkpoint, split: Split, folders: Sequence[Path]) -> None:
    """Raises where a network that this one is to begin or learn from was trained on what evaluates or calibrates it."""
    try:
        known = read_split(msgspec.convert(checkpoint.card["training"], Settings), *folders).train
        Split(split.protocol, known, split.calibration, split.test)
    except (KeyError, msgspec.ValidationError) as error:
        raise AffectdError(f"{path}: does not say what it was trained on ({error}); train it again.") from error
    except UsageError as error:
        raise UsageError(f"{path}: knows what this run is evaluated or calibrated on. {error}") from error


def hear(
    checkpoint: Checkpoint,
    clips: Sequence[Clip],
    frames: Sequence[Floats],
    protocol: str,
    settings: Settings,
    history: str = "recorded",
) -> listen.Heard:
    """The logits of the clips under one protocol of adaptation, with the adapter as the device has it."""
    return listen.listen(clips, frames, ear_of(checkpoint), protocol, seed=settings.seed, history=history)


def ear_of(checkpoint: Checkpoint) -> listen.Ear:
    """A trained network around an adapter."""
    network = checkpoint.network()
    return listen.Ear(
        scale=checkpoint.scaler.apply,
        predict=lambda scaled, adaptation: infer(network, adaptation(scaled), adaptation.usual),
        embedding=network.embedding,
    )


def calibrate(
    checkpoint: Checkpoint, clips: Sequence[Clip], frames: Sequence[Floats], settings: Settings
) -> Checkpoint:
    """Temperature and threshold on the calibration clips, cold and adapted, every corpus weighing alike."""
    heard = [hear(checkpoint, clips, frames, protocol, settings).logits for protocol in ("none", "speaker")]
    logits = np.concatenate(heard)
    meant = np.array([checkpoint.classes.index(clip.emotion) for clip in clips] * len(heard))
    counts = Counter(clip.corpus for clip in clips)
    weights = np.array([1 / counts[clip.corpus] for clip in clips] * len(heard))
    temperature = fit_temperature(logits, meant, weights)
    confidences = softmax(logits.astype(np.float64) / temperature, axis=1).max(axis=1)
    threshold = threshold_for(confidences, settings.coverage)
    return msgspec.structs.replace(checkpoint, temperature=temperature, threshold=threshold)


def card(settings: Settings, split: Split) -> dict[str, object]:
    """What a reader of the bundle must know about its making."""

    def counted(clips: Sequence[Clip]) -> dict[str, object]:
        return {
            "clips": len(clips),
            "speakers": len({clip.who for clip in clips}),
            "corpora": dict(sorted(Counter(clip.corpus for clip in clips).items())),
        }

    corpora = sorted({clip.corpus for clip in split.train})
    return {
        "corpora": {name: LICENCES.get(name, "not stated") for name in corpora},
        "protocol": split.protocol,
        "splits": {name: counted(getattr(split, name)) for name in ("train", "calibration", "test")},
        "limits": list(settings.limits),
        "training": {key: value for key, value in msgspec.to_builtins(settings).items() if key != "limits"},
        "coverage": settings.coverage,
    }
