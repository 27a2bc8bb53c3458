"""A training run from configuration to checkpoint: split, scale, fit, calibrate, evaluate, report."""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
import torch
from lightning_fabric.utilities import rank_zero_only
from numpy.typing import NDArray
from tqdm import tqdm

from edge.errors import AffectdError, UsageError
from edge.features import FeatureSet, pooled
from edge.model.bundle import Scaler
from edge.model.calibration import Calibration
from train import listen, report
from train.augmentation import change_of
from train.bank import Bank, fit_scaler
from train.calibration import fit_calibration, threshold_for
from train.checkpoint import Checkpoint, of_hearing, read_checkpoint
from train.conditions import condition
from train.corpora import Clip, classes_of, read_folders, relabel
from train.distillation import Teachers, read_teachers, refuse_strangers
from train.encoder import Encoder
from train.fit import BatchSource, fit, infer
from train.pretrained import load_encoder
from train.recordings import Change, hand_made, log_mel, states_of, streams_of
from train.settings import Settings, sounds_folder
from train.speech import Hearing, Speech, columns_of, encoded, join
from train.splits import Split, at_random, by_speaker, by_statement

Floats = NDArray[np.float32]
Halves = NDArray[np.float16]

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
NEAR = "near"
PLAIN = "plain"
KEPT = ("logits", "before", "measured")


@dataclass(frozen=True)
class Known:
    """What all banks of a run have in common; without a ``scaler`` one is fitted on the bank that is built."""

    classes: list[str]
    sound: bool | Encoder
    """Whether an encoder hears the clips as well, and which, where it is not trained."""
    scaler: Scaler | None = None


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

    @property
    def folders(self) -> tuple[Path, ...]:
        """All data folders."""
        return (self.root, *self.more)

    def streams(
        self, clips: Sequence[Clip], chosen: FeatureSet, change: tuple[str, Change] | None, sound: bool | Encoder
    ) -> tuple[list[Floats], list[Halves]]:
        """The hand-made frames of every clip, changed or not, and, if asked for, its log-mel, or what an encoder makes
        of that.
        """
        fronts = (hand_made(chosen), log_mel()) if sound else (hand_made(chosen),)
        found = streams_of(clips, self.root, self.cache, self.jobs, change, self.dask, fronts)
        frames, heard = found if sound else (*found, [])
        if isinstance(sound, Encoder):
            name = change[0] if change else "plain"
            heard = states_of(clips, self.root, self.cache / digest_of(sound) / name, partial(encoded, sound), heard)
        return frames, heard

    def bank(self, clips: Sequence[Clip], settings: Settings, known: Known, change: str = "") -> Bank:
        """The clips, or their augmented copies, as training draws them."""
        named = change_of(change, self.cache, self.sounds) if change else None
        frames, sound = self.streams(clips, settings.features, named, known.sound)
        if settings.profile == "pooled":
            frames = [pooled(clip)[None] for clip in frames]
        return Bank.build(clips, frames, known.scaler or fit_scaler(frames), known.classes, sound)

    def columns(
        self, clips: Sequence[Clip], settings: Settings, speech: Speech | None, heard: str = "near"
    ) -> list[Floats]:
        """All columns of the clips as they are heard in a condition, raw: what a device has of them."""
        named = condition(heard, self.cache, self.sounds)
        wanted = speech.encoder.fixed() if speech else False
        frames, sounds = self.streams(clips, settings.features, named, wanted)
        if speech is None:
            return frames
        bar = tqdm(sounds, desc=f"encode ({heard})", unit="clip", leave=False)
        return [join(one, columns_of(speech, [sound])[0]) for one, sound in zip(frames, bar, strict=True)]


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
    for name in settings.conditions:  # an unknown one, or missing sounds, are told before hours of training
        condition(name, material.cache, material.sounds)
    checkpoint = train(settings, split, material, folder, start)
    reports: dict[str, object] = {}
    clips = [clip for clip in split.test if clip.emotion in checkpoint.classes]
    speech = checkpoint.speech.module() if checkpoint.speech else None
    for name in settings.conditions if clips else ():
        columns = material.columns(clips, settings, speech, name)
        for protocol in listen.PROTOCOLS:
            place = place_of(folder, name, protocol)
            heard = hear(checkpoint, clips, columns, protocol, settings)
            life = hear(checkpoint, clips, columns, protocol, settings, "life") if protocol != "none" else heard
            write_heard(place, heard, life)
            reports[title_of(name, protocol)] = report.of_protocol(
                clips, heard, life, checkpoint.classes, checkpoint.calibration, protocol
            )
            report.draw(clips, heard, checkpoint.classes, checkpoint.calibration, place)
    for path in settings.reports:
        reports |= report.summary_of(Path(path))
    checkpoint = msgspec.structs.replace(checkpoint, card={**checkpoint.card, "scores": reports})
    checkpoint.save(folder / "checkpoint.pt")
    report.write({"protocol": split.protocol, "card": checkpoint.card}, folder / "report.json")
    return checkpoint


def place_of(folder: Path, heard: str, protocol: str) -> Path:
    """Where a run keeps what it heard in a condition, under a protocol."""
    return folder / protocol if heard == NEAR else folder / heard / protocol


def title_of(heard: str, protocol: str) -> str:
    """What a report calls the scores in a condition, under a protocol."""
    return protocol if heard == NEAR else f"{heard}, {protocol}"


@rank_zero_only
def write_heard(folder: Path, heard: listen.Heard, life: listen.Heard) -> None:
    """Keeps what was heard of the test side, in the split's order: scores can be had again without hearing again."""
    folder.mkdir(parents=True, exist_ok=True)
    both = {"": heard, "life_": life}
    np.savez(
        folder / HEARD,
        **{f"{prefix}{name}": getattr(one, name) for prefix, one in both.items() for name in KEPT},
    )


def read_heard(folder: Path) -> tuple[listen.Heard, listen.Heard]:
    """What ``write_heard`` kept."""
    with np.load(folder / HEARD) as kept:
        heard, life = ([kept[f"{prefix}{name}"] for name in KEPT] for prefix in ("", "life_"))
    return listen.Heard(*heard), listen.Heard(*life)


def train(settings: Settings, split: Split, material: Material, folder: Path, start: Path | None = None) -> Checkpoint:
    """Fits and calibrates; the test side is not looked at. ``start`` names a checkpoint to go on from."""
    before = {start: read_checkpoint(start)} if start else {}
    teachers = read_teachers(settings.teachers) if settings.teachers else {}
    others = {**before, **teachers}
    refuse_strangers(others)
    for path, checkpoint in others.items():
        refuse_foreknowledge(path, checkpoint, split, material.folders)
    inherited = next(iter(others.values()), None)
    classes = inherited.classes if inherited else classes_of(split.train)
    speech = speech_of(settings, before[start] if start else None)
    hearings = [teacher.hearing() for teacher in teachers.values()]
    known = Known(classes, sound_for(speech, hearings), inherited.hand_made if inherited else None)
    first = material.bank(split.train, settings, known)
    known = replace(known, scaler=first.scaler)
    banks = [first] + [
        first if copy == PLAIN else material.bank(split.train, settings, known, copy)
        for copy in settings.augmentation.copies
    ]
    aside = [clip for clip in split.calibration if clip.emotion in classes]
    calibration = material.bank(aside, settings, known) if aside else None
    source = BatchSource(banks, settings, classes)
    class_log_prior = settings.even * torch.from_numpy(source.class_log_prior())
    taught = Teachers(hearings, class_log_prior, settings.softness) if hearings else None
    state = before[start].state if start else None
    hearing, curves = fit(settings, source, calibration, folder, state, taught, speech)
    with torch.no_grad():  # forgets how often each emotion was drawn: logit adjustment (Menon et al., 2021)
        hearing.network.dense.bias.sub_(class_log_prior)
    checkpoint = of_hearing(
        hearing, first.scaler, classes, settings.features, {**card(settings, split), "curves": report.curves_of(curves)}
    )
    return calibrate(checkpoint, aside, material, settings) if aside else checkpoint


def sound_for(speech: Speech | None, teachers: Sequence[Hearing]) -> bool | Encoder:
    """What training must have of each clip beside its frames: nothing, its log-mel, or what an encoder's fixed part
    makes of it.

    The last, which saves most of the work, where no teacher has another.
    """
    encoders = [one.encoder.fixed() for one in (speech, *(teacher.speech for teacher in teachers)) if one]
    if not encoders or len({digest_of(one) for one in encoders}) > 1:
        return bool(encoders)
    return encoders[0]


def digest_of(encoder: Encoder) -> str:
    """Names an encoder by its weights."""
    found = hashlib.sha256(repr(encoder.settings).encode())
    for _, weight in sorted(encoder.state_dict().items()):
        found.update((weight + 0.0).numpy().tobytes())  # of two zeros one
    return found.hexdigest()[:12]


def speech_of(settings: Settings, start: Checkpoint | None) -> Speech | None:
    """What is to hear the family ``speech``: as in the checkpoint to begin from, or as it was pretrained."""
    if settings.speech is None:
        return None
    if start and start.speech:
        sizes = replace(start.speech.settings, trained=settings.speech.trained)
        return msgspec.structs.replace(start.speech, settings=sizes).module()
    torch.manual_seed(settings.seed)
    pretrained = load_encoder(settings.speech.weights, settings.speech.blocks, settings.speech.level)
    speech = Speech(replace(pretrained.settings, trained=settings.speech.trained), settings.speech.width)
    speech.encoder.load_state_dict(pretrained.state_dict())
    return speech


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
    return listen.listen(clips, frames, adaptive_model(checkpoint), protocol, seed=settings.seed, history=history)


def adaptive_model(checkpoint: Checkpoint) -> listen.AdaptiveModel:
    """A trained network around an adapter."""
    network = checkpoint.network()
    if checkpoint.profile == "pooled":
        return listen.AdaptiveModel(
            scale=lambda frames: checkpoint.scaler.apply(pooled(frames)[None]),
            predict=lambda scaled, adaptation: (infer(network, adaptation(scaled))[0], None),
            levels=checkpoint.features.places.get("mel"),
        )
    return listen.AdaptiveModel(
        scale=checkpoint.scaler.apply,
        predict=lambda scaled, adaptation: infer(network, adaptation(scaled), adaptation.embedding_statistics),
        embedding=network.embedding,
        levels=checkpoint.features.places.get("mel"),
    )


def calibrate(checkpoint: Checkpoint, clips: Sequence[Clip], material: Material, settings: Settings) -> Checkpoint:
    """Calibration and threshold on the calibration clips in all conditions, cold and adapted, every corpus alike."""
    speech = checkpoint.speech.module() if checkpoint.speech else None
    heard = [
        hear(checkpoint, clips, columns, protocol, settings)
        for columns in (material.columns(clips, settings, speech, name) for name in settings.conditions)
        for protocol in ("none", "speaker")
    ]
    logits, measured = (np.concatenate([getattr(one, name) for one in heard]) for name in ("logits", "measured"))
    meant = np.array([checkpoint.classes.index(clip.emotion) for clip in clips] * len(heard))
    counts = Counter(clip.corpus for clip in clips)
    weights = np.array([1 / counts[clip.corpus] for clip in clips] * len(heard))
    fitted = fit_calibration(logits, meant, measured, weights)
    calibration = calibration_of(Path(settings.calibrated)) if settings.calibrated else fitted
    confidences = calibration.probabilities(logits, measured).max(axis=1)
    threshold = threshold_for(confidences, settings.coverage)
    return msgspec.structs.replace(checkpoint, calibration=calibration, threshold=threshold)


def calibration_of(path: Path) -> Calibration:
    """What a report of ``judge`` says suits all of its folds."""
    try:
        return msgspec.convert(json.loads(path.read_text(encoding="utf-8"))["calibration"], Calibration)
    except (OSError, ValueError, KeyError, msgspec.ValidationError) as error:
        raise UsageError(f"{path}: has no calibration of folds ({error}); let `python -m train judge` run.") from error


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
