"""The configuration of a training run: one schema, decoded from YAML; an unknown key is an error."""

import os
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import msgspec
import msgspec.yaml

from edge import features
from edge.errors import ConfigError
from edge.features import FeatureSet
from train.network import NetworkSettings

Kind = TypeVar("Kind")

DATA_FOLDERS = (Path("../shared/data"), Path("../shared/more"))
"""Where recordings are looked for unless told."""


class SplitSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who evaluates and who calibrates, as patterns on ``corpus/speaker``.

    Or, speakers mixed, a random share evaluates, or what is said.
    """

    test: tuple[str, ...] = ()
    calibration: tuple[str, ...] = ()
    random: float = 0.0
    statements: tuple[str, ...] = ()
    """Sentences that evaluate, whoever says them."""


class HistorySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was heard before each training clip, in shares of the groups that clips are drawn in."""

    group: Annotated[int, msgspec.Meta(ge=1)] = 16
    """Clips of one source, one after another: the first is heard cold, the last behind all others."""
    none: float = 0.2
    """Nothing is remembered: a device just switched on."""
    mixed: float = 0.3
    """Several people at one microphone; the rest is one speaker."""
    skewed: float = 0.3
    """Begin with mostly one emotion, neutral in every second."""
    priors: tuple[float, float] = (2.0, 10.0)
    """Least and most that the training statistics are worth, in utterances; drawn evenly in octaves."""


class AugmentationSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is changed on the training side; 0 switches each off."""

    copies: tuple[str, ...] = ()
    """Augmented copies of the waveform (train.augmentation), each drawn as often as the original; ``plain`` is the
    original once more."""
    tempo: float = 0.15
    """Frames are read up to this share faster or slower."""
    gain: float = 5.0
    """Standard deviation of another microphone's level, dB."""
    equaliser: float = 5.0
    """Standard deviation of each of four waves of another microphone's response, dB."""
    transfer: float = 0.7
    """Chance that a group is moved some way towards what another speaker, of any corpus, sounds like."""
    mixup: float = 0.3
    """Alpha of the beta distribution that mixes the embeddings of clips pairwise."""
    time_masks: int = 2
    feature_masks: int = 2
    family_mask: float = 0.1
    """Chance that one whole family is silenced, so that an explanation's coalitions are familiar ground."""


class SpeechSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The seventh family: what the first blocks of a pretrained encoder hear, trained on with the rest."""

    weights: str = "openai/whisper-tiny.en"
    """Where Whisper's lie: a folder, a file or a repository (train.pretrained); not needed with --start."""
    blocks: Annotated[int, msgspec.Meta(ge=1)] = 2
    width: Annotated[int, msgspec.Meta(ge=1)] = 64
    """Columns that its frames are projected to."""
    level: bool = True
    """Whether the loudness of an utterance is taken out before it is encoded."""
    trained: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Blocks, the last, that are trained with the rest; what is in front of them stays as it was."""
    rate: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.05
    """Share of the learning rate that they are trained at."""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A training run."""

    name: str
    seed: int = 1
    manifest: str = "manifest.csv"
    """Relative to the data folder."""
    corpora: tuple[str, ...] = ()
    """Only these; empty: all."""
    labels: dict[str, str | None] = {}
    """Renamed emotions; null leaves the clips out."""
    split: SplitSettings = SplitSettings()
    profile: Literal["frames", "pooled"] = "frames"
    """What the network is given: all frames, or the 180 statistics of the five families over time."""
    families: tuple[str, ...] = features.SIX.families
    """What the network hears, of edge.features."""
    speech: SpeechSettings | None = None
    """Null: the network hears the hand-made families alone."""
    network: dict[str, bool | int | float | list[int]] = {}
    """Sizes of train.network.NetworkSettings that differ from its defaults."""
    history: HistorySettings | None = HistorySettings()
    """Null: the network never meets an adapter."""
    augmentation: AugmentationSettings = AugmentationSettings()
    optimiser: Literal["adam", "adamw"] = "adamw"
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    schedule: Literal["cosine", "constant"] = "cosine"
    precision: Literal["float32", "bfloat16"] = "bfloat16"
    """Of the products in the forward pass; weights and losses stay float32."""
    accelerator: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """What computes; ``auto`` takes a GPU where there is one."""
    devices: int = 1
    """Processes on each node, one for each GPU (or, on a CPU, for some of its cores); -1: all GPUs."""
    nodes: int = 1
    """Machines; start the same command on each, with MASTER_ADDR, MASTER_PORT and NODE_RANK in its environment."""
    strategy: Literal["auto", "ddp"] = "auto"
    """How processes share the work; ``auto`` is DDP where there are several."""
    epochs: int = 30
    batch: int = 64
    """Clips in a batch of one process."""
    seconds: float = 3.0
    """Length of a training crop; shorter clips are repeated."""
    label_smoothing: float = 0.1
    averaging: float = 0.995
    """Decay of the averaged weights; 0: off."""
    teachers: str = ""
    """Checkpoints of the same recipe and split to learn from: a pattern of paths, ``{fold}`` the fold of ``judge``."""
    teaching: float = 0.9
    """Share of the loss that is the distance from what the teachers say; the rest is that from the labels."""
    softness: float = 1.5
    """Temperature at which teachers and learner are compared."""
    balance: float = 0.7
    """0 draws every clip alike, 1 every corpus and emotion alike."""
    even: float = 1.0
    """How far the trained network forgets that some emotions were drawn more often: 0 not, 1 all the way."""
    coverage: float = 0.9
    """Share of the calibration speakers' clips that the confidence threshold lets through."""
    calibrated: str = ""
    """A report of the recipe's folds (``judge``) whose calibration is taken over: it has been fitted on whole corpora
    that those networks never heard, so that confidence is honest there too. Empty: fitted on the calibration side."""
    reports: tuple[str, ...] = ()
    """Reports of the recipe on folds: their summaries stand in the card of a model that no speaker is kept from."""
    limits: tuple[str, ...] = ()
    """What the model is known to be bad at, and must not be used for: sentences for the card."""
    conditions: tuple[str, ...] = ("near",)
    """In which the test side is heard, of train.conditions."""
    patience: int = 0
    """Epochs without a better validation loss before fitting stops; 0: off."""

    @property
    def features(self) -> FeatureSet:
        """The columns of the network's frames."""
        return FeatureSet(self.families)

    def network_settings(self, inputs: int, classes: int) -> NetworkSettings:
        """The network's sizes for this many hand-made features and classes."""
        speech = self.speech.width if self.speech else 0
        sizes = {name: tuple(size) if isinstance(size, list) else size for name, size in self.network.items()}
        return NetworkSettings(**{**sizes, "inputs": inputs + speech, "classes": classes, "speech": speech})  # type: ignore[arg-type]


def decode_settings(path: Path, kind: type[Kind], example: str) -> Kind:
    """A YAML file as ``kind``; ConfigError, one sentence, where it is not as it must be; ``example`` is one that is."""
    try:
        return msgspec.yaml.decode(path.read_bytes(), type=kind)
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read ({error.strerror}); name a file such as {example}."]) from error
    except msgspec.MsgspecError as error:
        raise ConfigError([f"{path}: {error}."]) from error


def read_settings(path: Path) -> Settings:
    """A training configuration from a YAML file."""
    settings = decode_settings(path, Settings, "configs/train.yaml")
    try:
        _ = settings.features
    except ValueError as error:
        raise ConfigError([f"{path}: {error} - at `$.families`."]) from error
    if settings.profile == "pooled" and (settings.families != features.FIVE.families or settings.speech):
        five = ", ".join(features.FIVE.families)
        raise ConfigError([f"{path}: the profile pooled hears the families {five}, and no encoder - at `$.profile`."])
    if settings.speech and settings.speech.trained > settings.speech.blocks:
        raise ConfigError([f"{path}: more blocks would be trained than the encoder has - at `$.speech.trained`."])
    unknown = sorted(set(settings.network) - set(NetworkSettings.__dataclass_fields__))
    if unknown:
        raise ConfigError([f"{path}: network has no size called {unknown[0]} - at `$.network`."])
    return settings


def read_labels(path: Path) -> dict[str, str | None]:
    """A map of emotion names from a YAML file."""
    try:
        return msgspec.yaml.decode(path.read_bytes(), type=dict[str, str | None])
    except OSError as error:
        raise ConfigError(
            [f"{path}: cannot be read ({error.strerror}); name a file such as configs/labels.yaml."]
        ) from error
    except msgspec.MsgspecError as error:
        raise ConfigError([f"{path}: {error}."]) from error


def data_folders() -> tuple[Path, ...]:
    """Where the recordings lie: the folders of ``$AFFECTD_DATA``, separated as in ``$PATH``; else those of
    ``DATA_FOLDERS`` that hold a manifest, or the first of them, for whoever reads it to miss.
    """
    named = tuple(Path(name) for name in os.environ.get("AFFECTD_DATA", "").split(os.pathsep) if name)
    there = tuple(folder for folder in DATA_FOLDERS if (folder / "manifest.csv").is_file())
    return named or there or DATA_FOLDERS[:1]


def data_folder() -> Path:
    """The first of ``data_folders``."""
    return data_folders()[0]


def sounds_folder() -> Path:
    """Where real sounds lie that are put behind speech: ``$AFFECTD_SOUNDS``, else ``../shared/sounds``."""
    return Path(os.environ.get("AFFECTD_SOUNDS") or "../shared/sounds")
