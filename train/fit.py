"""Fitting: draw a batch, step, average the weights, and every epoch look at the calibration speakers and save."""

import math
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from lightning_fabric import Fabric
from lightning_fabric.utilities import rank_zero_only
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from edge import features
from edge.errors import AffectdError
from train import batches, plots
from train.adaptive import AdaptiveNetwork
from train.bank import Bank
from train.checkpoint import write_whole
from train.distillation import Teachers, soft_loss
from train.hardware import BOARD, launch
from train.network import EmotionNetwork, NetworkSettings, network_of
from train.settings import Settings
from train.speech import Hearing, Speech, columns_of, join

Floats = NDArray[np.float32]

PARTS = ("hearing", "averaged", "optimiser", "schedule")
"""Of a trainer: what a killed run goes on from."""


@dataclass(frozen=True)
class Epoch:
    """One line of the curves: losses, accuracy on the training batches, and UAR on the calibration speakers."""

    epoch: int
    train_loss: float
    train_accuracy: float
    calibration_loss: float
    calibration_uar: float
    seconds: float


class BatchSource:
    """Endless training batches out of one or several banks (the recordings and their augmented copies)."""

    def __init__(self, banks: Sequence[Bank], settings: Settings, classes: Sequence[str]) -> None:
        self.banks, self.settings = banks, settings
        self.time = 1 if settings.profile == "pooled" else round(settings.seconds * features.FRAME_RATE)
        self.places = settings.features.places
        self.families = list(self.places.values())
        if settings.speech:
            self.families.append(slice(self.families[-1].stop, self.families[-1].stop + settings.speech.width))
        neutral = list(classes).index("neutral") if "neutral" in classes else 0
        size = min(settings.history.group, settings.batch) if settings.history else 1
        self.count = max(1, settings.batch // size)
        self.classes = len(classes)
        self.groups = [batches.Groups(bank, settings.history, size, settings.balance, neutral) for bank in banks]
        self.sources = [batches.Sources(bank) for bank in banks]

    @property
    def steps(self) -> int:
        """Batches in an epoch: as many clips as there are recordings."""
        return -(-len(self.banks[0]) // self.settings.batch)

    def class_log_prior(self) -> Floats:
        """The logarithm of how often each emotion is drawn [classes], which a network learns along with the rest."""
        drawn = self.groups[0].frequencies(self.classes)
        return np.log(np.where(drawn > 0, drawn, 1 / self.classes)).astype(np.float32)

    def draw(self, generator: np.random.Generator) -> batches.Batch:
        """One batch. The clips of a group come from one bank, so that a history is of the same kind as its clip; each
        group draws its own, so that normalisation by the batch is by the mixture that the running averages are of.
        """
        prior = batches.priors(self.count, self.settings.history, generator)
        groups = [self._group(prior[place : place + 1], generator) for place in range(self.count)]
        frames, sound, emotions = (np.concatenate(parts) for parts in zip(*groups, strict=True))
        audible = batches.mask(frames, self.families, self.settings.augmentation, generator)
        partners, shares = batches.mix(len(frames), self.settings.augmentation.mixup, generator)
        return batches.Batch(frames, prior, emotions, partners, shares, sound, audible)

    def _group(self, prior: Floats, generator: np.random.Generator) -> tuple[Floats, batches.Halves, batches.Integers]:
        """Frames, what an encoder is given, and emotions of one group, whose ``prior`` is [1, 1, 1]."""
        place = int(generator.integers(len(self.banks)))
        bank = self.banks[place]
        clips, own = self.groups[place].draw(generator)
        change = self._microphone(self.sources[place], clips[0], own, generator)
        factor, offset = (part[None, None] for part in change)
        frames, sound = batches.crop(bank, clips, self.time, self.settings.augmentation.tempo, generator)
        return batches.hear(bank, clips[None], frames, (factor, offset), prior), sound, bank.emotions[clips]

    def _microphone(
        self, sources: batches.Sources, clip: int, own: bool, generator: np.random.Generator
    ) -> tuple[Floats, Floats]:
        """Factor and offset [features] of what hears a whole group."""
        augmentation, scale = self.settings.augmentation, sources.bank.scaler.scale
        colour = batches.microphone(augmentation, scale, self.places, generator)
        if generator.random() >= augmentation.transfer:
            return np.ones_like(colour), colour
        factor, offset = sources.transfer(clip, own, generator)
        return factor, offset + colour


class Trainer:
    """What a run is made of between two epochs, so that a killed run goes on where it was."""

    def __init__(
        self,
        settings: Settings,
        sizes: NetworkSettings,
        steps: int,
        fabric: Fabric,
        teachers: Teachers | None = None,
        speech: Speech | None = None,
    ) -> None:
        torch.manual_seed(settings.seed)
        self.settings, self.fabric = settings, fabric
        self.teachers = fabric.to_device(teachers) if teachers else None
        self.hearing = Hearing(network_of(settings.profile, sizes), speech)
        if speech:
            speech.encoder.requires_grad_(False)
            speech.encoder.trained.requires_grad_(True)
        self.averaged = AveragedModel(
            self.hearing,
            multi_avg_fn=get_ema_multi_avg_fn(settings.averaging),  # type: ignore[no-untyped-call]
            use_buffers=True,
        )
        fabric.to_device(self.averaged)
        optimisers = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
        groups = parameters(self.hearing, settings)
        self.optimiser = optimisers[settings.optimiser](groups, weight_decay=settings.weight_decay)
        self.model, self.descent = fabric.setup(AdaptiveNetwork(self.hearing), self.optimiser)
        total = max(11, settings.epochs * steps)  # a cycle of ten steps would have no room to rise in
        self.schedule: torch.optim.lr_scheduler.LRScheduler = (
            torch.optim.lr_scheduler.OneCycleLR(
                self.optimiser, [float(group["lr"]) for group in groups], total, pct_start=0.1, cycle_momentum=False
            )
            if settings.schedule == "cosine"
            else torch.optim.lr_scheduler.ConstantLR(self.optimiser, 1.0)
        )
        self.loss = nn.CrossEntropyLoss(label_smoothing=settings.label_smoothing, reduction="none")
        self.begin(0)
        self.curves: list[Epoch] = []

    @property
    def best(self) -> Hearing:
        """What to evaluate and ship: with averaged weights where the settings average."""
        chosen = self.averaged.module if self.settings.averaging else self.hearing
        return chosen.eval()  # type: ignore[return-value]

    def step(self, batch: batches.Batch) -> tuple[float, float]:
        """One step down the gradient of all processes' batches; the loss and the accuracy on this one's."""
        self.model.train()
        frames, prior, emotions, partners, shares, sound, audible = (
            self.fabric.to_device(torch.from_numpy(getattr(batch, field.name))) for field in fields(batch)
        )
        logits = self.model(frames, prior, partners, shares, sound, audible)
        loss = (shares * self.loss(logits, emotions) + (1 - shares) * self.loss(logits, emotions[partners])).mean()
        if self.teachers:
            with self.fabric.autocast():
                taught = self.teachers(frames, prior, partners, shares, sound, torch.ones_like(audible))
            loss = loss + self.settings.teaching * (soft_loss(logits, taught, self.settings.softness) - loss)
        self.descent.zero_grad()
        self.fabric.backward(loss)
        slope = self.fabric.clip_gradients(self.model, self.descent, max_norm=2.0, error_if_nonfinite=False)
        if slope is None or not torch.isfinite(slope):  # every process has the same slope, and so stops with the others
            raise AffectdError("The loss is no longer a number; lower learning_rate and resume from the last epoch.")
        self.descent.step()
        self.schedule.step()
        if self.settings.averaging:
            self.averaged.update_parameters(self.hearing)
        return float(loss.detach()), float((logits.argmax(dim=1) == emotions).float().mean())

    def begin(self, epoch: int) -> None:
        """Seeds what this process draws in an epoch: no two processes, and no two epochs, draw alike."""
        self.generator = np.random.default_rng([self.settings.seed, epoch, self.fabric.global_rank])
        torch.manual_seed(int(self.generator.integers(2**32)))

    def save(self, path: Path) -> None:
        """The whole state after an epoch, so that ``load`` goes on as if nothing had happened."""
        parts = {name: getattr(self, name).state_dict() for name in PARTS}
        write_whole({**parts, "curves": [msgspec.to_builtins(epoch) for epoch in self.curves]}, path)

    def load(self, path: Path) -> None:
        """Goes on from a saved state of the same configuration, which the first process alone needs to see."""
        first = self.fabric.is_global_zero
        content = self.fabric.broadcast(torch.load(path, map_location="cpu", weights_only=True) if first else {})
        try:
            for name in PARTS:
                getattr(self, name).load_state_dict(content[name])
        except (KeyError, RuntimeError, ValueError) as error:
            raise AffectdError(
                f"{path}: was left by a run of another configuration, which this one cannot go on from; remove it."
            ) from error
        self.curves = [Epoch(**epoch) for epoch in content["curves"]]


def fit(
    settings: Settings,
    source: BatchSource,
    calibration: Bank | None,
    folder: Path,
    start: dict[str, Tensor] | None = None,
    teachers: Teachers | None = None,
    speech: Speech | None = None,
) -> tuple[Hearing, list[Epoch]]:
    """Trains to the end, or on from ``folder``'s last epoch, and gives the network to ship and the curves.

    ``start`` holds the network's weights to begin from instead of random ones, ``teachers`` the networks to learn from,
    ``speech`` what hears that family. Every process of a run gets the same; the first one alone writes files.
    """
    fabric, last = launch(settings, folder), folder / "last.pt"
    steps = -(-source.steps // fabric.world_size)
    sizes = settings.network_settings(source.banks[0].frames.shape[1], source.classes)
    trainer = Trainer(settings, sizes, steps, fabric, teachers, speech)
    if start:
        for hearing in (trainer.hearing, trainer.averaged.module):
            hearing.network.load_state_dict(start)  # type: ignore[union-attr]
    if fabric.broadcast(last.is_file()):
        trainer.load(last)
    elif fabric.is_global_zero:
        shutil.rmtree(folder / BOARD, ignore_errors=True)
    for number in range(len(trainer.curves) + 1, settings.epochs + 1):
        if stalled(trainer.curves, settings.patience):
            break
        began = time.monotonic()
        trainer.begin(number)
        loss, accuracy = run_epoch(trainer, source, steps, f"epoch {number}/{settings.epochs}")
        looked = check(trainer.best, calibration) if calibration and fabric.is_global_zero else (math.nan,) * 2
        trainer.curves.append(Epoch(number, loss, accuracy, *fabric.broadcast(looked), time.monotonic() - began))
        trainer.save(last)
        tell(trainer, folder)
    return trainer.best.cpu(), trainer.curves


def run_epoch(trainer: Trainer, source: BatchSource, steps: int, title: str) -> tuple[float, float]:
    """Mean loss and accuracy of all processes over one epoch of training batches."""
    sums = np.zeros(2)
    bar = tqdm(range(1, steps + 1), desc=title, leave=False, disable=not trainer.fabric.is_global_zero)
    for done in bar:
        sums += trainer.step(source.draw(trainer.generator))
        bar.set_postfix(loss=f"{sums[0] / done:.3f}", refresh=False)
    means = trainer.fabric.all_reduce(torch.from_numpy(sums / steps), reduce_op="mean")
    return float(means[0]), float(means[1])


def stalled(curves: Sequence[Epoch], patience: int) -> bool:
    """Whether the last ``patience`` epochs brought no better loss on the calibration speakers."""
    losses = [epoch.calibration_loss for epoch in curves]
    return bool(patience) and len(losses) > patience and min(losses[-patience:]) > min(losses)


@rank_zero_only
def tell(trainer: Trainer, folder: Path) -> None:
    """The curves so far: a picture, TensorBoard, and a line on the screen."""
    epoch = trainer.curves[-1]
    plots.curves(trainer.curves, folder / "curves.png")
    known = {name: value for name, value in asdict(epoch).items() if name != "epoch" and math.isfinite(value)}
    trainer.fabric.log_dict(known, epoch.epoch)
    trainer.fabric.logger.save()
    tqdm.write(plots.line(epoch))


def parameters(hearing: Hearing, settings: Settings) -> list[dict[str, Any]]:
    """What is trained, and how fast: the encoder's last blocks at their own share of the learning rate."""
    slow = list(hearing.speech.encoder.trained.parameters()) if hearing.speech else []
    known = {id(parameter) for parameter in slow}
    fast = [parameter for parameter in hearing.parameters() if parameter.requires_grad and id(parameter) not in known]
    groups: list[dict[str, Any]] = [{"params": fast, "lr": settings.learning_rate}]
    if settings.speech and slow:
        groups.append({"params": slow, "lr": settings.learning_rate * settings.speech.rate})
    return groups


def check(hearing: Hearing, bank: Bank) -> tuple[float, float]:
    """Cross-entropy and UAR of cold clips."""
    found = [infer(hearing.network, whole(hearing, frames, sound))[0] for frames, sound in bank.clips()]
    logits, meant = torch.from_numpy(np.stack(found)), torch.from_numpy(bank.emotions)
    loss = float(nn.functional.cross_entropy(logits, meant))
    right = (logits.argmax(dim=1) == meant).numpy()
    recalls = [right[bank.emotions == emotion].mean() for emotion in np.unique(bank.emotions)]
    return loss, float(np.mean(recalls))


def whole(hearing: Hearing, frames: Floats, sound: Floats) -> Floats:
    """Scaled frames [time, features] of one clip, with the encoder's scaled columns of its sound [time', width]."""
    if hearing.speech is None:
        return frames
    (columns,) = columns_of(hearing.speech, [sound])
    mean, scale = hearing.speech.scaler()
    return join(frames, (columns - mean) / scale)


def infer(network: EmotionNetwork, frames: Floats, usual: Floats | None = None) -> tuple[Floats, Floats]:
    """Logits [classes] and embedding [e] of one clip's adapted frames [time, features], ``usual`` taken out of it."""
    device = network.front.weight.device
    with torch.inference_mode():
        known = None if usual is None else torch.from_numpy(usual).to(device)
        logits, _, embedding = network(torch.from_numpy(frames).unsqueeze(0).to(device), known)
    return logits[0].cpu().numpy(), embedding[0].cpu().numpy()
