"""Fits the decoder of listenable maps: what it keeps of a sound bears the verdict, what it leaves does not.

The losses are those of L-MAC (Paissan, Ravanelli, Subakan, ICML 2024); the classifier is frozen.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from edge.audio import FULL_SCALE, SAMPLE_RATE
from edge.errors import UsageError
from edge.features.log_mel import HOP_SAMPLES
from edge.model.bundle import Bundle
from edge.sources.highpass import high_passed_float
from train.augmentation import change_of
from train.chain import Chain, masked, rounded
from train.checkpoint import write_whole
from train.conditions import condition
from train.corpora import Clip, read_folders, relabel
from train.map_network import MapNetwork, MapSettings
from train.recordings import Change, decode
from train.settings import SplitSettings
from train.splits import Split, by_speaker

Floats = NDArray[np.float32]

FITTED, LAST = "map.pt", "last.pt"
CONDITIONS = ("near", "far")
"""What a map is scored in."""
LEAST = -7.0  # logarithm of a probability, under which a verdict is gone
QUIET_DB = 35  # below the loudest 10 ms: what is before and after, no gate would let through
MARGIN = 5  # columns of 10 ms that are left of it


class MapFitSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the decoder is fitted. Who trains and who is kept aside, the bundle says."""

    copies: dict[str, float]
    """How often each augmented copy (train.augmentation) is heard; ``plain`` is the recording itself."""
    keep: float = 1.0
    """Weight of the verdict's cross-entropy on what is kept."""
    drop: float = 1.0
    """Weight of the same, of its absence, on the rest."""
    gone: tuple[float, float] = (0.0, 0.3)
    """Weight of the logarithm of its probability on the rest, down to ``LEAST``, before and after ``turn``."""
    sparse: tuple[float, float] = (0.15, 0.4)
    """Weight of the mask's mean, before and after ``turn``."""
    smooth: tuple[float, float] = (0.1, 0.3)
    """Likewise of the mean step between neighbours in the mask, over bands and over time."""
    turn: int = 1100
    """Step from which the mask is to be small and smooth; until then it finds what there is to keep."""
    sure: float = 0.01
    """Weight of the square of the mask's log-odds: one that is quite open or shut everywhere learns nothing more."""
    steps: int = 2400
    batch: int = 8
    seconds: tuple[float, float] = (1.2, 2.6)
    """Shortest and longest crop; a batch is as long as its shortest recording lets it be."""
    learning_rate: float = 1e-3
    weight_decay: float = 0.02
    averaging: float = 0.99
    """Decay of the averaged weights, which are what is kept."""
    scored: int = 40
    """Recordings of speakers kept aside that the map is scored on, in each condition."""
    saved: int = 100
    """Steps after which a run can go on."""
    seed: int = 1


class FittedMap(msgspec.Struct, frozen=True):
    """What the export needs beside the weights; ``report.json`` holds the same for people."""

    scores: dict[str, dict[str, float]]
    bundle: str
    """The digest of the bundle that it explains."""


@dataclass(frozen=True)
class Booth:
    """Where recordings lie, and where rooms and sounds for their copies come from."""

    root: Path
    cache: Path
    sounds: Path

    def copy(self, clip: Clip, name: str, seed: int) -> Floats:
        """A recording, or an augmented copy of it, without the silence around it: float32 [n] behind the high-pass."""
        return self._heard(clip, None if name == "plain" else change_of(name, self.cache, self.sounds)[1], seed)

    def heard(self, clip: Clip, where: str, seed: int) -> Floats:
        """A recording in a condition of evaluation: float32 [n]."""
        named = condition(where, self.cache, self.sounds)
        return self._heard(clip, named[1] if named else None, seed)

    def _heard(self, clip: Clip, change: Change | None, seed: int) -> Floats:
        samples = trimmed(decode(self.root / clip.path))
        if change:
            samples = change(samples, np.random.default_rng(seed))
        passed = high_passed_float(samples)
        steps = np.rint(passed * FULL_SCALE).clip(-FULL_SCALE, FULL_SCALE - 1) / FULL_SCALE
        return np.asarray(steps, np.float32)


def trimmed(samples: Floats) -> Floats:
    """The sound [n] without the silence before and after, except 50 ms."""
    power = np.square(samples[: len(samples) // HOP_SAMPLES * HOP_SAMPLES]).reshape(-1, HOP_SAMPLES).mean(axis=1)
    if not len(power) or not power.max() > 0:
        return samples
    loud = np.flatnonzero(power > power.max() * 10 ** (-QUIET_DB / 10))
    return samples[max(0, loud[0] - MARGIN) * HOP_SAMPLES : (loud[-1] + MARGIN + 1) * HOP_SAMPLES]


def read_clips(bundle: Bundle, folders: Sequence[Path]) -> Split:
    """The recordings on the sides of the bundle's own training: what the map has not heard, its bundle has not either.

    UsageError where the bundle does not say who trained it.
    """
    training = bundle.manifest.card.get("training")
    try:
        found = msgspec.convert(training["split"], SplitSettings)  # type: ignore[index]
        labels = msgspec.convert(training["labels"], dict[str, str | None])  # type: ignore[index]
    except (TypeError, KeyError, msgspec.ValidationError) as error:
        raise UsageError(
            f"{bundle.path}: its card does not say who trained it ({error}); export it again with this version."
        ) from error
    clips = [clip for clip in relabel(read_folders(folders), labels) if clip.emotion in bundle.labels]
    return by_speaker(clips, found.test, found.calibration)


def fit(settings: MapFitSettings, chain: Chain, clips: Sequence[Clip], booth: Booth, last: Path) -> MapNetwork:
    """The averaged decoder after the last step. A run that was cut short goes on from the file ``last``."""
    torch.manual_seed(settings.seed)
    network = untrained(chain)
    averaged = torch.optim.swa_utils.AveragedModel(
        network,
        multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(settings.averaging),  # type: ignore[no-untyped-call]
    )
    optimiser = torch.optim.AdamW(network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, settings.learning_rate, settings.steps, pct_start=0.1)
    parts: dict[str, Any] = {"network": network, "averaged": averaged, "optimiser": optimiser, "schedule": schedule}
    done = _resume(parts, last)
    bar = tqdm(batches(settings, clips, booth, done), total=settings.steps, initial=done, unit="step")
    for step, samples in enumerate(bar, start=done + 1):
        loss, told = losses(settings, chain, network, samples, late=step > settings.turn)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        averaged.update_parameters(network)
        bar.set_postfix({name: f"{value:.3f}" for name, value in told.items()}, refresh=False)
        if step % settings.saved == 0:
            write_whole({"step": step, **{name: part.state_dict() for name, part in parts.items()}}, last)
    result: MapNetwork = averaged.module.eval()  # type: ignore[assignment]
    return result


def untrained(chain: Chain) -> MapNetwork:
    """A decoder for what this chain hears."""
    mean, scale = chain.mean, chain.scale
    width = chain.chosen.speech
    sizes = MapSettings(speech=width, classes=chain.network.settings.classes)
    return MapNetwork(sizes, torch.stack([mean[-width:], scale[-width:]]))


def _resume(parts: dict[str, Any], last: Path) -> int:
    """Takes up the state in ``last``, where there is one; the step after which it was left."""
    if not last.is_file():
        return 0
    try:
        kept = torch.load(last, weights_only=True)
        for name, part in parts.items():
            part.load_state_dict(kept[name])
        return int(kept["step"])
    except (RuntimeError, KeyError, TypeError, AttributeError, ValueError, EOFError, UnpicklingError) as error:
        reason = " ".join(str(error).split())[:160]
        raise UsageError(f"{last}: is of another run ({reason}); begin anew without --resume.") from error


def losses(
    settings: MapFitSettings, chain: Chain, network: MapNetwork, samples: Tensor, *, late: bool
) -> tuple[Tensor, dict[str, float]]:
    """The loss of sounds [batch, n], and what it is made of: the verdict's probability whole, kept and in the rest,
    the mask's mean, and how much it moves over time.
    """
    with torch.no_grad():
        whole = chain(samples)
        verdict = whole.logits.argmax(dim=1, keepdim=True)
    heights = network.heights(whole.log_mel, whole.speech, whole.logits)
    mask = torch.sigmoid(heights)
    kept = masked(samples, mask)
    logits = chain(torch.cat([kept, rounded(samples - kept)])).logits
    logarithms = functional.log_softmax(logits, dim=1).gather(1, torch.cat([verdict, verdict]))[:, 0]
    inside, outside = logarithms.chunk(2)
    still = -torch.log1p(-outside.exp().clamp(max=1 - 1e-4))
    steps = (mask.diff(dim=1).abs().mean() + mask.diff(dim=2).abs().mean()) / 2
    loss = (
        settings.keep * -inside.mean()
        + settings.drop * still.mean()
        + settings.gone[late] * outside.clamp(min=LEAST).mean()
        + settings.sparse[late] * mask.mean()
        + settings.smooth[late] * steps
        + settings.sure * heights.square().mean()
    )
    probability = torch.softmax(whole.logits, dim=1).gather(1, verdict).mean()
    told = {
        "whole": probability,
        "kept": inside.exp().mean(),
        "rest": outside.exp().mean(),
        "mask": mask.mean(),
        "moves": mask.std(dim=2).mean(),
    }
    return loss, {name: float(value.detach()) for name, value in told.items()}


def batches(settings: MapFitSettings, clips: Sequence[Clip], booth: Booth, done: int = 0) -> Iterator[Tensor]:
    """Sounds [batch, n] of the steps after ``done``; each batch depends on its own number alone."""
    counts = Counter((clip.corpus, clip.emotion) for clip in clips)
    shares = np.array([counts[clip.corpus, clip.emotion] ** -0.5 for clip in clips])
    copies, often = list(settings.copies), np.array(list(settings.copies.values()))
    shortest, longest = (round(seconds * SAMPLE_RATE) for seconds in settings.seconds)
    for step in range(done, settings.steps):
        generator = np.random.default_rng([settings.seed, step])
        sounds: list[Floats] = []
        while len(sounds) < settings.batch:
            clip = clips[int(generator.choice(len(clips), p=shares / shares.sum()))]
            copy = copies[int(generator.choice(len(copies), p=often / often.sum()))]
            sound = booth.copy(clip, copy, int(generator.integers(2**32)))
            if len(sound) >= shortest // 2:
                sounds.append(sound)
        length = min(int(generator.integers(shortest, longest + 1)), *(len(sound) for sound in sounds))
        starts = [int(generator.integers(len(sound) - length + 1)) for sound in sounds]
        crops = [sound[start : start + length] for sound, start in zip(sounds, starts, strict=True)]
        yield torch.from_numpy(np.stack(crops))


@torch.inference_mode()
def report(
    settings: MapFitSettings, chain: Chain, network: MapNetwork, clips: Sequence[Clip], booth: Booth
) -> dict[str, dict[str, float]]:
    """The paper's scores on whole recordings, in each condition: fractions of 1, softmax applied once."""
    order = np.random.default_rng(settings.seed).permutation(len(clips))[: settings.scored]
    found = {}
    for where in CONDITIONS:
        rows = []
        for place in order:
            samples = torch.from_numpy(booth.heard(clips[place], where, int(place))[None])
            heard = chain(samples)
            mask = network(heard.log_mel, heard.speech, heard.logits)
            kept = masked(samples, mask)
            logits = torch.cat([heard.logits, chain(kept).logits, chain(rounded(samples - kept)).logits])
            chosen = int(logits[0].argmax())
            whole, inside, outside = torch.softmax(logits, dim=1)[:, chosen].tolist()
            rows.append([
                max(0.0, whole - inside) / whole,
                float(inside > whole),
                max(0.0, inside - whole) / (1 - whole),
                whole - outside,
                float(int(logits[1].argmax()) == chosen),
                float(mask.mean()),
            ])  # fmt: skip
        names = ("drop", "increase", "gain", "faithfulness", "fidelity", "kept")
        found[where] = {name: round(float(value), 4) for name, value in zip(names, np.mean(rows, axis=0), strict=True)}
    return found


def save(network: MapNetwork, path: Path, fitted: FittedMap) -> None:
    """Writes a decoder's weights, and what the export needs beside them."""
    sizes = asdict(network.settings)
    write_whole({"sizes": sizes, "weights": network.state_dict(), "fitted": msgspec.to_builtins(fitted)}, path)


def load(path: Path) -> tuple[MapNetwork, FittedMap]:
    """What ``save`` wrote; UsageError where it is none."""
    try:
        kept = torch.load(path, weights_only=True)
        network = MapNetwork(MapSettings(**kept["sizes"]))
        network.load_state_dict(kept["weights"])
        fitted = msgspec.convert(kept["fitted"], FittedMap)
    except (OSError, EOFError, RuntimeError, KeyError, TypeError, AttributeError, ValueError, UnpicklingError) as error:
        raise UsageError(f"{path}: is no decoder of maps ({error}); run `python -m train maps` first.") from error
    return network.eval(), fitted
