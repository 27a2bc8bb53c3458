"""Fitting: draw a batch, step, average the weights, and every epoch look at the calibration speakers and save."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from edge import features
from edge.errors import AffectdError
from train import batches, plots
from train.bank import Bank
from train.checkpoint import write_whole
from train.network import EmotionNetwork, NetworkSettings
from train.settings import Settings

Floats = NDArray[np.float32]


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
        self.time = round(settings.seconds * features.FRAME_RATE)
        self.families = list(features.FAMILIES.values())
        self.chances = batches.chances(banks[0], settings.balance)
        neutral = list(classes).index("neutral") if "neutral" in classes else 0
        self.histories = [
            batches.Histories(bank, settings.history, settings.adapter, neutral) for bank in banks if settings.history
        ]

    @property
    def steps(self) -> int:
        """Batches in an epoch: as many clips as there are recordings."""
        return -(-len(self.banks[0]) // self.settings.batch)

    def draw(self, generator: np.random.Generator) -> batches.Batch:
        """One batch; all of its clips come from one bank, so that a history is of the same kind as its clip."""
        drawn = int(generator.integers(len(self.banks)))
        bank, augmentation = self.banks[drawn], self.settings.augmentation
        clips = generator.choice(len(bank), self.settings.batch, p=self.chances)
        frames = batches.crop(bank, clips, self.time, augmentation.tempo, generator)
        history = self.histories[drawn].draw(clips, generator) if self.histories else None
        frames = batches.hear(frames, history, self.settings.adapter.prior, augmentation, bank, generator)
        batches.mask(frames, self.families, augmentation, generator)
        emotions = bank.emotions[clips]
        if not augmentation.mixup:
            return batches.Batch(frames, (emotions, emotions), np.ones(len(clips), np.float32))
        frames, partners, shares = batches.mix(frames, augmentation.mixup, generator)
        return batches.Batch(frames, (emotions, emotions[partners]), shares)


class Trainer:
    """What a run is made of between two epochs, so that a killed run goes on where it was."""

    def __init__(self, settings: Settings, sizes: NetworkSettings, steps: int) -> None:
        torch.manual_seed(settings.seed)
        self.settings, self.steps = settings, steps
        self.network = EmotionNetwork(sizes)
        self.averaged = AveragedModel(
            self.network,
            multi_avg_fn=get_ema_multi_avg_fn(settings.averaging),  # type: ignore[no-untyped-call]
            use_buffers=True,
        )
        optimisers = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
        self.optimiser = optimisers[settings.optimiser](
            self.network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        total = max(1, settings.epochs * steps)
        self.schedule: torch.optim.lr_scheduler.LRScheduler = (
            torch.optim.lr_scheduler.OneCycleLR(
                self.optimiser, settings.learning_rate, total_steps=total, pct_start=0.1, cycle_momentum=False
            )
            if settings.schedule == "cosine"
            else torch.optim.lr_scheduler.ConstantLR(self.optimiser, 1.0)
        )
        self.loss = nn.CrossEntropyLoss(label_smoothing=settings.label_smoothing, reduction="none")
        self.generator = np.random.default_rng(settings.seed)
        self.curves: list[Epoch] = []

    @property
    def best_network(self) -> EmotionNetwork:
        """The network to evaluate and ship: with averaged weights where the settings average."""
        chosen = self.averaged.module if self.settings.averaging else self.network
        return chosen.eval()  # type: ignore[return-value]

    def step(self, batch: batches.Batch) -> tuple[float, float]:
        """One step down the gradient; the loss and the accuracy on this batch."""
        self.network.train()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.settings.precision == "bfloat16"):
            logits, _ = self.network(torch.from_numpy(batch.frames))
        logits = logits.float()
        first, second = (torch.from_numpy(emotions) for emotions in batch.emotions)
        shares = torch.from_numpy(batch.shares)
        loss = (shares * self.loss(logits, first) + (1 - shares) * self.loss(logits, second)).mean()
        if not torch.isfinite(loss):
            raise AffectdError("The loss is no longer a number; lower learning_rate and resume from the last epoch.")
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 2.0)
        self.optimiser.step()
        self.schedule.step()
        if self.settings.averaging:
            self.averaged.update_parameters(self.network)
        return float(loss.detach()), float((logits.argmax(dim=1) == first).float().mean())

    def save(self, path: Path) -> None:
        """The whole state, so that ``load`` goes on as if nothing had happened."""
        parts = {name: getattr(self, name).state_dict() for name in ("network", "averaged", "optimiser", "schedule")}
        curves = [msgspec.to_builtins(epoch) for epoch in self.curves]
        generator = msgspec.json.encode(self.generator.bit_generator.state, enc_hook=str).decode()
        write_whole({**parts, "curves": curves, "generator": generator, "torch": torch.get_rng_state()}, path)

    def load(self, path: Path) -> None:
        """Goes on from a saved state of the same configuration."""
        content = torch.load(path, weights_only=True)
        for name in ("network", "averaged", "optimiser", "schedule"):
            getattr(self, name).load_state_dict(content[name])
        self.curves = [Epoch(**epoch) for epoch in content["curves"]]
        state = msgspec.json.decode(content["generator"])
        state["state"] = {name: int(value) for name, value in state["state"].items()}
        self.generator.bit_generator.state = state
        torch.set_rng_state(content["torch"])


def fit(
    settings: Settings,
    banks: Sequence[Bank],
    calibration: Bank | None,
    classes: Sequence[str],
    folder: Path,
    start: dict[str, Tensor] | None = None,
) -> tuple[EmotionNetwork, list[Epoch]]:
    """Trains to the end, or on from ``folder``'s last epoch, and gives the network to ship and the curves.

    ``start`` holds weights to begin from instead of random ones.
    """
    source = BatchSource(banks, settings, classes)
    trainer = Trainer(settings, settings.network_settings(banks[0].frames.shape[1], len(classes)), source.steps)
    if start:
        trainer.network.load_state_dict(start)
        trainer.averaged.module.load_state_dict(start)
    last = folder / "last.pt"
    if last.is_file():
        trainer.load(last)
    best = float("inf")
    for number in range(len(trainer.curves), settings.epochs):
        began, sums = time.monotonic(), np.zeros(2)
        bar = tqdm(range(source.steps), desc=f"epoch {number + 1}/{settings.epochs}", leave=False)
        for _ in bar:
            sums += trainer.step(source.draw(trainer.generator))
            bar.set_postfix(loss=f"{sums[0] / (bar.n + 1):.3f}")
        loss, accuracy = (sums / source.steps).tolist()
        checked = check(trainer.best_network, calibration) if calibration else (float("nan"), float("nan"))
        trainer.curves.append(Epoch(number + 1, loss, accuracy, *checked, time.monotonic() - began))
        trainer.save(last)
        plots.curves(trainer.curves, folder / "curves.png")
        tqdm.write(plots.line(trainer.curves[-1]))
        best = min(best, checked[0])
        recent = [epoch.calibration_loss for epoch in trainer.curves[-settings.patience :]]
        if settings.patience and len(trainer.curves) > settings.patience and min(recent) > best:
            break
    return trainer.best_network, trainer.curves


def check(network: EmotionNetwork, bank: Bank) -> tuple[float, float]:
    """Cross-entropy and UAR of cold clips."""
    logits = torch.from_numpy(np.stack([infer(network, frames) for frames in bank.clips()]))
    meant = torch.from_numpy(bank.emotions)
    loss = float(nn.functional.cross_entropy(logits, meant))
    right = (logits.argmax(dim=1) == meant).numpy()
    recalls = [right[bank.emotions == emotion].mean() for emotion in np.unique(bank.emotions)]
    return loss, float(np.mean(recalls))


def infer(network: EmotionNetwork, frames: Floats) -> Floats:
    """Logits [classes] of one clip's adapted frames [time, features]."""
    with torch.inference_mode():
        logits: Tensor = network(torch.from_numpy(frames).unsqueeze(0))[0]
    return np.asarray(logits[0].numpy(), np.float32)
