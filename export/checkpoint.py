"""What a training run leaves behind, read without executing any of it."""

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
import torch

from edge.errors import BundleError
from train.calibration import Calibration
from train.encoder import EncoderSettings
from train.network import EmotionNetwork, NetworkSettings, network_of
from train.speech import Speech


class ScalerRecord(msgspec.Struct, frozen=True):
    """scikit-learn's StandardScaler as lists."""

    names: list[str]
    mean: list[float]
    scale: list[float]


class Record(msgspec.Struct, frozen=True):
    """A checkpoint, but for its tensors."""

    settings: dict[str, object]
    scaler: ScalerRecord
    classes: list[str]
    profile: Literal["frames", "pooled"]
    feature_specification: dict[str, object]
    temperature: float
    threshold: float
    card: dict[str, object]
    speech: dict[str, int] | None = None
    """Sizes of what hears the family ``speech``: train.encoder.EncoderSettings and ``width``."""
    calibration: Calibration = Calibration()


@dataclass(frozen=True)
class Checkpoint:
    """A trained network, ready to evaluate, and all that goes with it."""

    record: Record
    network: EmotionNetwork
    speech: Speech | None = None


def read(path: Path) -> Checkpoint:
    """Read a checkpoint; BundleError says what is wrong with it."""
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise BundleError(
            f"{path} cannot be read ({error.strerror}): name a checkpoint of `python -m train fit`"
        ) from None
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError):
        raise BundleError(
            f"{path} is no checkpoint that can be read without running code: name one that `python -m train fit` wrote"
        ) from None
    try:
        state, speech_state = stored.pop("state"), stored.pop("speech_state", None)
        record = msgspec.convert(stored, Record, strict=False)
        network = build(record)
        network.load_state_dict(state)
        speech = build_speech(record)
        if speech:
            speech.load_state_dict(speech_state)
    except (msgspec.ValidationError, AttributeError, KeyError, TypeError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise BundleError(f"{path} does not fit this version's network ({reason}): train it again") from None
    return Checkpoint(record, network.eval(), speech.eval() if speech else None)


def build(record: Record) -> EmotionNetwork:
    """The untrained network that a checkpoint's settings describe."""
    return network_of(record.profile, msgspec.convert(record.settings, NetworkSettings))


def build_speech(record: Record) -> Speech | None:
    """The untrained encoder that a checkpoint's settings describe, if they do."""
    if record.speech is None:
        return None
    sizes = dict(record.speech)
    width = sizes.pop("width")
    return Speech(msgspec.convert(sizes, EncoderSettings, strict=False), width)
