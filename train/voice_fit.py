"""Fits the network that tells voices apart: by what a larger one says of each recording, and by who speaks."""

import csv
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from edge.errors import UsageError
from train.augmentation import change_of
from train.corpora import Clip, read_folders
from train.recordings import Change, log_mel, streams_of
from train.settings import SplitSettings
from train.splits import Split, by_speaker
from train.voice_network import VoiceNetwork, VoiceSettings
from train.voice_teacher import teacher

Floats = NDArray[np.float32]

SOUNDS = {"levels": "baved", "speakers": "emotts"}
"""Kinds of recordings in the folder of sounds that say who speaks, and the corpus that each is."""


class VoiceFitSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the network is fitted."""

    split: SplitSettings
    most: dict[str, int] = {}
    """Recordings taken of each speaker of a corpus, at most."""
    copies: tuple[str, ...] = ("far", "noisy")
    """Augmented copies (train.augmentation) of which the teacher's word on the recording itself is learnt."""
    voices: tuple[str, ...] = ("speed",)
    """Augmented copies that sound like somebody else: the teacher hears them too."""
    usual: float = 0.5
    """How far the teacher's word on a recording is moved to its mean over the speaker's: emotion is not to be heard."""
    naming: float = 0.1
    """Weight of naming the speaker (additive margin softmax: Wang et al., 2018) against the distance to the teacher."""
    margin: float = 0.2
    scale: float = 30.0
    epochs: int = 14
    batch: int = 64
    frames: tuple[int, int] = (150, 300)
    """Shortest and longest crop, of 10 ms; a shorter recording is repeated."""
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    averaging: float = 0.999
    seed: int = 1


@dataclass(frozen=True, eq=False)
class Examples:
    """Log-mels [time, 80] with what is to be said of each [width], and the number of its speaker, -1 for nobody known."""

    spectra: list[NDArray[np.floating]]
    wanted: Floats
    speakers: NDArray[np.int64]


def read_clips(settings: VoiceFitSettings, folders: Sequence[Path], sounds: Path) -> Split:
    """What trains, calibrates and evaluates, no speaker on two sides; a speaker's clips beyond ``most`` are left out."""
    spoken: dict[str, list[Clip]] = defaultdict(list)
    for clip in (*read_folders(folders), *read_sounds(sounds)):
        spoken[clip.who].append(clip)
    kept: list[Clip] = []
    for who, clips in sorted(spoken.items()):
        count = settings.most.get(clips[0].corpus, len(clips))
        drawn = np.random.default_rng(sum(who.encode())).permutation(len(clips))[:count]
        kept += [clips[place] for place in sorted(drawn)]
    return by_speaker(kept, settings.split.test, settings.split.calibration)


def read_sounds(sounds: Path) -> list[Clip]:
    """The recordings among the sounds that say who speaks, with absolute paths; none where there are none."""
    table = sounds / "manifest.csv"
    if not table.is_file():
        return []
    with table.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["kind"] in SOUNDS and row["speaker"]]
    there = sounds.resolve()
    return [Clip(str(there / row["path"]), SOUNDS[row["kind"]], row["speaker"], "neutral") for row in rows]


def examples(
    settings: VoiceFitSettings, clips: Sequence[Clip], root: Path, cache: Path, sounds: Path, taught: Path
) -> Examples:
    """All that the network learns from: every recording, its copies, and its copies as another voice."""
    said, heard = teacher(taught), log_mel()
    plain, words = streams_of(clips, root, cache, 1, None, "", [heard, said])
    names = sorted({clip.who for clip in clips})
    speakers = np.array([names.index(clip.who) for clip in clips])
    own = np.concatenate(words).astype(np.float32)
    mean = np.stack([own[speakers == number].mean(axis=0) for number in range(len(names))])[speakers]
    moved = settings.usual * (mean - own)
    spectra, wanted, numbers = list(plain), [own + moved], [speakers]
    for name in settings.copies:
        spectra += streams_of(clips, root, cache, 1, change_of(name, cache, sounds), "", [heard])[0]
        wanted.append(own + moved)
        numbers.append(speakers)
    for name in settings.voices:
        copied, others = streams_of(clips, root, cache, 1, change_of(name, cache, sounds), "", [heard, said])
        spectra += copied
        wanted.append(np.concatenate(others).astype(np.float32) + moved)
        numbers.append(np.full(len(clips), -1))
    whole = np.concatenate(wanted)
    return Examples(spectra, whole / np.linalg.norm(whole, axis=1, keepdims=True), np.concatenate(numbers))


def fit(settings: VoiceFitSettings, heard: Examples, checkpoint: Path) -> VoiceNetwork:
    """The averaged network after the last epoch; every epoch's is kept in ``checkpoint``."""
    torch.manual_seed(settings.seed)
    generator = np.random.default_rng(settings.seed)
    network = VoiceNetwork(VoiceSettings(width=heard.wanted.shape[1]))
    known = nn.Parameter(torch.randn(int(heard.speakers.max()) + 1, heard.wanted.shape[1]))
    optimiser = torch.optim.AdamW(
        [*network.parameters(), known], lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    steps = settings.epochs * (len(heard.spectra) // settings.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, settings.learning_rate, steps, pct_start=0.15)
    averaged = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(settings.averaging), use_buffers=True
    )
    for epoch in range(settings.epochs):
        network.train()
        losses = []
        total = len(heard.spectra) // settings.batch
        for places, batch in tqdm(batches(settings, heard, generator), total=total, leave=False):
            with torch.autocast("cpu", torch.bfloat16):
                voices = network(batch)
            wanted = torch.from_numpy(heard.wanted[places])
            away = (1 - (voices.float() * wanted).sum(dim=1)).mean()
            alike = functional.mse_loss(voices.float() @ voices.float().T, wanted @ wanted.T)
            loss = away + 2 * alike + settings.naming * named(settings, voices.float(), known, heard.speakers[places])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimiser.step()
            schedule.step()
            averaged.update_parameters(network)
            losses.append([float(away), float(alike), float(loss)])
        far, alike_, whole = np.mean(losses, axis=0)
        print(
            f"epoch {epoch + 1}: to the teacher {far:.3f}, between voices {alike_:.4f}, in all {whole:.3f}", flush=True
        )
        save(averaged.module, checkpoint)
    return averaged.module.eval()  # type: ignore[no-any-return]


def named(settings: VoiceFitSettings, voices: Tensor, known: Tensor, speakers: NDArray[np.int64]) -> Tensor:
    """The loss of naming the speakers; those that nobody knows are left out."""
    places = torch.from_numpy(np.flatnonzero(speakers >= 0))
    if not len(places):
        return voices.sum() * 0
    meant = torch.from_numpy(speakers)[places]
    near = voices[places] @ functional.normalize(known, dim=1).T
    near = near - settings.margin * functional.one_hot(meant, len(known))
    return functional.cross_entropy(settings.scale * near, meant)


def batches(
    settings: VoiceFitSettings, heard: Examples, generator: np.random.Generator
) -> Iterator[tuple[NDArray[np.int64], Tensor]]:
    """Places [batch] and log-mels [batch, 80, frames] of one epoch; all crops of a batch are as long."""
    order = generator.permutation(len(heard.spectra))
    for start in range(0, len(order) - settings.batch + 1, settings.batch):
        places = order[start : start + settings.batch]
        count = int(generator.integers(settings.frames[0], settings.frames[1] + 1))
        crops = np.stack([crop(heard.spectra[place], count, generator) for place in places])
        for one in crops:
            low, width = int(generator.integers(80)), int(generator.integers(9))
            one[low : low + width] = one.mean()
        yield places, torch.from_numpy(crops)


def crop(spectrum: NDArray[np.floating], count: int, generator: np.random.Generator) -> Floats:
    """``count`` frames of a log-mel [time, 80] from some place in it, as [80, count]; a shorter one is repeated."""
    if len(spectrum) < count:
        spectrum = np.tile(spectrum, (-(-count // len(spectrum)), 1))
    start = int(generator.integers(len(spectrum) - count + 1))
    return np.ascontiguousarray(spectrum[start : start + count].T, np.float32)


def save(network: nn.Module, path: Path) -> None:
    """Writes a network's sizes and weights."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"settings": asdict(network.settings), "weights": network.state_dict()}, path)  # type: ignore[call-overload]


def load(path: Path) -> VoiceNetwork:
    """The network that ``save`` wrote; UsageError where it is none."""
    try:
        kept = torch.load(path, weights_only=True)
        network = VoiceNetwork(VoiceSettings(**kept["settings"]))
        network.load_state_dict(kept["weights"])
    except (OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{path}: is no network for voices ({error}); run `python -m train voices` first.") from error
    return network.eval()
