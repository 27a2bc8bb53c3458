"""Fits the network that tells voices apart: by what CAM++ knows of clean recordings, frame by frame, and who speaks."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from pickle import UnpicklingError

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from edge.errors import UsageError
from edge.model.voices import Voices, VoiceThresholds
from train import voice_teacher
from train.augmentation import change_of
from train.conditions import condition
from train.corpora import Clip, read_folders, read_sounds
from train.evaluate import FRAMES_A_SECOND
from train.households import clustered
from train.pairs import equal_error, middle, nearness
from train.recordings import log_mel, streams_of
from train.settings import SplitSettings
from train.splits import Split, by_speaker
from train.voice_network import VoiceNetwork, load_published

Floats = NDArray[np.float32]
Halves = NDArray[np.floating]

SOUNDS = {"levels": "baved", "speakers": "emotts"}
"""Kinds of recordings in the folder of sounds that say who speaks, and the corpus that each is."""
FITTED = "voices.pt"
CONDITIONS = ("near", "far")
"""What thresholds are chosen in."""
EXAMPLES = 48  # recordings that the export tries the network on


class VoiceFitSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the network is fitted."""

    split: SplitSettings
    copies: dict[str, float]
    """How often each augmented copy (train.augmentation) is heard; ``plain`` is the recording itself."""
    most: dict[str, int] = {}
    """Recordings taken of each speaker of a corpus, at most."""
    usual: float = 0.3
    """How far the teacher's word is moved to the mean over the speaker's: emotion is not to be heard."""
    frame: float = 1.0
    """Weight of the distance to what the teacher knows of every frame of the clean recording, before and behind its
    first block, in standard deviations."""
    word: float = 2.0
    """Weight of the distance to its words."""
    alike: float = 4.0
    """Weight of the distance between the cosines of a batch and those of its words."""
    contrast: float = 0.1
    """Weight of telling a batch's speakers apart (Khosla et al., *Supervised Contrastive Learning*, 2020)."""
    warmth: float = 0.1
    """Temperature of that."""
    steps: int = 1000
    people: int = 12
    """Speakers in a batch: up to three quarters of one corpus, so that no microphone tells them apart."""
    takes: int = 4
    """Recordings of each."""
    frames: tuple[int, int] = (75, 140)
    """Shortest and longest crop, of 20 ms; a shorter recording is repeated."""
    learning_rate: float = 2e-3
    """Of what is not CAM++'s own: all in front of the first block."""
    published_rate: float = 3e-4
    """Of the rest."""
    weight_decay: float = 0.02
    averaging: float = 0.99
    """Decay of the averaged weights, which are what is kept."""
    seed: int = 1


@dataclass(frozen=True)
class Studio:
    """Where recordings lie, and where what is computed of them is kept."""

    root: Path
    cache: Path
    sounds: Path
    jobs: int = 1

    def spectra(self, clips: Sequence[Clip], copy: str = "plain") -> list[Halves]:
        """Log-mels [time, 80] of an augmented copy."""
        change = None if copy == "plain" else change_of(copy, self.cache, self.sounds)
        return streams_of(clips, self.root, self.cache, self.jobs, change, "", [log_mel()])[0]

    def heard(self, clips: Sequence[Clip], where: str) -> list[Halves]:
        """Log-mels [time, 80] in a condition of evaluation."""
        change = condition(where, self.cache, self.sounds)
        return streams_of(clips, self.root, self.cache, self.jobs, change, "", [log_mel()])[0]

    def taught(self, clips: Sequence[Clip], weights: Path) -> tuple[list[Halves], Floats]:
        """What the teacher knows of every frame [time', 384] and says of every clip [clips, 192]."""
        fronts = [voice_teacher.frames(weights), voice_teacher.words(weights)]
        known, said = streams_of(clips, self.root, self.cache, self.jobs, None, "", fronts)
        return known, np.concatenate(said).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Lessons:
    """Log-mels of each copy, what is to be known of every frame of them and said of each, and whose each clip is."""

    spectra: Mapping[str, list[Halves]]
    known: list[Halves]
    """[time', 384] of each clip."""
    wanted: Floats
    """[clips, 192], of unit length."""
    speakers: NDArray[np.int64]
    """The number of each clip's speaker."""
    corpora: Mapping[str, list[int]]
    """The speakers of each corpus."""


class FittedVoices(msgspec.Struct, frozen=True):
    """What the export needs beside the weights; ``report.json`` holds the same for people."""

    thresholds: VoiceThresholds
    scores: dict[str, dict[str, float]]
    people: list[str]
    """Speakers who trained it."""


def read_clips(settings: VoiceFitSettings, folders: Sequence[Path], sounds: Path) -> Split:
    """What trains, calibrates and evaluates, no speaker on two sides; of each speaker ``most`` clips."""
    spoken: dict[str, list[Clip]] = defaultdict(list)
    for clip in (*read_folders(folders), *read_sounds(sounds, SOUNDS)):
        spoken[clip.who].append(clip)
    kept: list[Clip] = []
    for who, clips in sorted(spoken.items()):
        count = settings.most.get(clips[0].corpus, len(clips))
        drawn = np.random.default_rng(sum(who.encode())).permutation(len(clips))[:count]
        kept += [clips[place] for place in sorted(drawn)]
    return by_speaker(kept, settings.split.test, settings.split.calibration)


def lessons(settings: VoiceFitSettings, clips: Sequence[Clip], studio: Studio, weights: Path) -> Lessons:
    """All that the network learns from. UsageError where there are not two speakers."""
    names = sorted({clip.who for clip in clips})
    if len(names) < 2:
        raise UsageError(f"{len(names)} speakers are left to train on; voices need two or more.")
    speakers = np.array([names.index(clip.who) for clip in clips])
    known, own = studio.taught(clips, weights)
    usual = _unit(np.stack([own[speakers == number].mean(axis=0) for number in range(len(names))]))
    wanted = _unit(own + settings.usual * (usual[speakers] - own))
    corpora: dict[str, list[int]] = defaultdict(list)
    for number, name in enumerate(names):
        corpora[name.partition("/")[0]].append(number)
    return Lessons({copy: studio.spectra(clips, copy) for copy in settings.copies}, known, wanted, speakers, corpora)


def fit(settings: VoiceFitSettings, heard: Lessons, weights: Path) -> VoiceNetwork:
    """The averaged network after the last step."""
    torch.manual_seed(settings.seed)
    generator = np.random.default_rng(settings.seed)
    network = load_published(weights, paired=True)
    front = [*network.planes.parameters(), *network.front.parameters()]
    rest = [parameter for part in (network.blocks, network.last, network.dense) for parameter in part.parameters()]
    rates = [settings.learning_rate, settings.published_rate]
    groups = [{"params": part, "lr": rate} for part, rate in zip((front, rest), rates, strict=True)]
    optimiser = torch.optim.AdamW(groups, weight_decay=settings.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rates, settings.steps, pct_start=0.08)
    averaged = torch.optim.swa_utils.AveragedModel(
        network,
        multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(settings.averaging),  # type: ignore[no-untyped-call]
        use_buffers=True,
    )
    spread = torch.from_numpy(np.concatenate(heard.known[::40]).astype(np.float32).std(axis=0) + 0.05)[:, None]
    network.train()
    with tqdm(batches(settings, heard, generator), total=settings.steps, unit="step") as bar:
        for crops, known, wanted, speakers in bar:
            with torch.autocast("cpu", torch.bfloat16):
                before, behind = network.frames(crops)
                said = network.voice(behind)
            away = (torch.cat([before, behind], dim=1).float() - known) / spread
            width = before.shape[1]
            distance = away[:, :width].square().mean() + away[:, width:].square().mean()
            loss = settings.frame * distance + _loss(settings, said.float(), wanted, speakers)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimiser.step()
            schedule.step()
            averaged.update_parameters(network)
            bar.set_postfix(loss=f"{loss.detach():.3f}", refresh=False)
    done: VoiceNetwork = averaged.module.eval()  # type: ignore[assignment]
    return done


def _loss(settings: VoiceFitSettings, said: Tensor, wanted: Tensor, speakers: Tensor) -> Tensor:
    """Of voices [batch, 192], against the teacher's and among themselves."""
    away = (1 - (said * wanted).sum(dim=1)).mean()
    alike = functional.mse_loss(said @ said.T, wanted @ wanted.T)
    itself = torch.eye(len(said), dtype=torch.bool)
    near = (said @ said.T / settings.warmth).masked_fill(itself, -torch.inf)
    same = (speakers[:, None] == speakers) & ~itself
    log = (near - near.logsumexp(dim=1, keepdim=True)).masked_fill(itself, 0)
    contrast = -((log * same).sum(dim=1) / same.sum(dim=1)).mean()
    return settings.word * away + settings.alike * alike + settings.contrast * contrast


def batches(
    settings: VoiceFitSettings, heard: Lessons, generator: np.random.Generator
) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
    """Crops [batch, 80, frames], what is known [batch, 384, ..] and said [batch, 192] of them, and whose they are."""
    corpora = list(heard.corpora)
    sizes = np.sqrt([min(25, len(heard.corpora[name])) for name in corpora])
    copies, shares = list(settings.copies), np.array(list(settings.copies.values()))
    people = int(heard.speakers.max()) + 1
    clips = [np.flatnonzero(heard.speakers == number) for number in range(people)]
    for _ in range(settings.steps):
        at_home = heard.corpora[corpora[generator.choice(len(corpora), p=sizes / sizes.sum())]]
        home = generator.choice(at_home, min(len(at_home), 3 * settings.people // 4), replace=False)
        others = np.setdiff1d(np.arange(people), home)
        away = generator.choice(others, min(len(others), settings.people - len(home)), replace=False)
        count = int(generator.integers(settings.frames[0], settings.frames[1] + 1))
        drawn: list[tuple[Floats, Floats]] = []
        places: list[int] = []
        for speaker in (*home, *away):
            own = clips[speaker]
            for clip in generator.choice(own, settings.takes, replace=len(own) < settings.takes):
                copy = copies[generator.choice(len(copies), p=shares / shares.sum())]
                drawn.append(_crop(heard.spectra[copy][clip], heard.known[clip], count, generator))
                places.append(int(clip))
        crops, known = (torch.from_numpy(np.stack(part)) for part in zip(*drawn, strict=True))
        yield crops, known, torch.from_numpy(heard.wanted[places]), torch.from_numpy(heard.speakers[places])


def _crop(spectrum: Halves, known: Halves, count: int, generator: np.random.Generator) -> tuple[Floats, Floats]:
    """``count`` frames of 20 ms from some place: log-mel [80, 2 count + 1], and what is known of them [384, count].

    A shorter recording is repeated. The network leaves the first of the log-mel's frames out.
    """
    length = min(len(known), (len(spectrum) - 1) // 2)
    places = (int(generator.integers(max(1, length - count + 1))) + np.arange(count)) % length
    pairs = np.stack([spectrum[1 + 2 * places], spectrum[2 + 2 * places]], axis=1).reshape(2 * count, -1)
    crop = np.concatenate([pairs[:1], pairs]).T
    return np.ascontiguousarray(crop, np.float32), np.ascontiguousarray(known[places].T, np.float32)


@torch.inference_mode()
def voices_of(network: VoiceNetwork, spectra: Sequence[Halves]) -> Floats:
    """Voices [clips, 192] of the middle three seconds of each log-mel [time, 80]."""
    return np.stack([network(torch.from_numpy(middle(spectrum.T)[None]))[0].numpy() for spectrum in spectra])


def choose(network: VoiceNetwork, clips: Sequence[Clip], studio: Studio) -> VoiceThresholds:
    """The thresholds that serve simulated households of these speakers best, near and far alike.

    Purity counts twice as much as coverage: a stranger in a history costs more than an utterance that is nobody's.
    """
    spectra = {where: studio.heard(clips, where) for where in CONDITIONS}
    heard = {where: voices_of(network, found) for where, found in spectra.items()}
    seconds = {where: [len(spectrum) / FRAMES_A_SECOND for spectrum in found] for where, found in spectra.items()}
    _, different = nearness(clips, heard["near"])
    ends = np.quantile(different, (0.6, 0.7, 0.8, 0.86, 0.9, 0.94, 0.97, 0.985))
    best, chosen = -1.0, VoiceThresholds(0.5, 0.5, 0.8)
    grid = list(product(ends, (0.0, 0.08), (0.08, 0.16, 0.24), (0.0, 0.04)))
    for join, found, merge, between in tqdm(grid, desc="thresholds", leave=False):
        tried = VoiceThresholds(
            join=round(float(join), 3),
            found=round(min(1.0, float(join + found)), 3),
            merge=round(min(1.0, float(join + merge)), 3),
            between=between,
        )
        scores = [clustered(clips, heard[where], seconds[where], partial(Voices, tried)) for where in CONDITIONS]
        score = float(np.mean([2 * pure + covered for pure, covered in scores]))
        if score > best:
            best, chosen = score, tried
    return chosen


def report(
    network: VoiceNetwork, thresholds: VoiceThresholds, clips: Sequence[Clip], studio: Studio
) -> dict[str, dict[str, float]]:
    """Equal error rate, purity and coverage on these clips, in each condition."""
    found = {}
    for where in CONDITIONS:
        spectra = studio.heard(clips, where)
        heard = voices_of(network, spectra)
        seconds = [len(spectrum) / FRAMES_A_SECOND for spectrum in spectra]
        pure, covered = clustered(clips, heard, seconds, partial(Voices, thresholds))
        easy, hard = (equal_error(*nearness(clips, heard, hard=only)) for only in (False, True))
        scores = {"eer": easy, "eer_hard": hard, "purity": pure, "coverage": covered}
        found[where] = {name: round(value, 4) for name, value in scores.items()}
    return found


def save(
    network: VoiceNetwork, path: Path, examples: Sequence[Floats] = (), fitted: FittedVoices | None = None
) -> None:
    """Writes a network's weights, and what the export needs beside them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "weights": network.state_dict(),
        "examples": [torch.from_numpy(example) for example in examples],
        "fitted": msgspec.to_builtins(fitted),
    }
    torch.save(content, path)


def load(path: Path) -> tuple[VoiceNetwork, list[Floats], FittedVoices | None]:
    """What ``save`` wrote; UsageError where it is none."""
    try:
        kept = torch.load(path, weights_only=True)
        network = VoiceNetwork()
        network.load_state_dict(kept["weights"])
        fitted = msgspec.convert(kept["fitted"], FittedVoices | None)
        examples = [example.numpy() for example in kept["examples"]]
    except (OSError, EOFError, RuntimeError, KeyError, TypeError, AttributeError, ValueError, UnpicklingError) as error:
        raise UsageError(f"{path}: is no network for voices ({error}); run `python -m train voices` first.") from error
    return network.eval(), examples, fitted


def _unit(vectors: NDArray[np.floating]) -> Floats:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)
