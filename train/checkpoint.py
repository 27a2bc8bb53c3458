"""Checkpoints: what the export turns into a bundle, written whole or not at all."""

import io
import pickle
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
import torch
from lightning_fabric.utilities import rank_zero_only

from edge import files
from edge.errors import AffectdError
from edge.features import SPEECH as FAMILY
from edge.features import FeatureSet
from edge.model.bundle import Scaler
from edge.model.calibration import Calibration
from edge.model.manifest import feature_set, input_names
from train.calibration import constant
from train.encoder import EncoderSettings
from train.network import EmotionNetwork, NetworkSettings, PooledNetwork, network_of
from train.speech import Hearing, Speech


class SpeechRecord(msgspec.Struct, frozen=True):
    """The family of a pretrained encoder: its sizes and weights."""

    settings: EncoderSettings
    width: int
    state: dict[str, torch.Tensor]

    @property
    def names(self) -> tuple[str, ...]:
        """Every column's name."""
        return tuple(f"{FAMILY}_{place}" for place in range(self.width))

    def module(self) -> Speech:
        """The encoder and its projection, ready to hear."""
        speech = Speech(self.settings, self.width)
        speech.load_state_dict(self.state)
        return speech.eval()


class Checkpoint(msgspec.Struct, frozen=True):
    """A trained network with everything that a device needs beside it; ``card`` is plain JSON for people.

    ``features`` are the hand-made families; ``scaler`` is of their columns, and of those of ``speech`` behind them.
    """

    settings: NetworkSettings
    state: dict[str, torch.Tensor]
    scaler: Scaler
    classes: list[str]
    features: FeatureSet
    calibration: Calibration = Calibration()
    threshold: float = 0.0
    card: dict[str, object] = {}
    profile: Literal["frames", "pooled"] = "frames"
    speech: SpeechRecord | None = None

    @property
    def hand_made(self) -> Scaler:
        """The scaler of the hand-made families alone."""
        count = len(self.features.names)
        return Scaler(self.scaler.mean[:count], self.scaler.scale[:count])

    @property
    def scaler_record(self) -> dict[str, list[str] | list[float]]:
        """scikit-learn's StandardScaler as lists, as in a bundle."""
        return {
            "names": [*input_names(self.profile, self.features), *(self.speech.names if self.speech else ())],
            "mean": self.scaler.mean.astype(float).tolist(),
            "scale": self.scaler.scale.astype(float).tolist(),
        }

    def network(self) -> EmotionNetwork:
        """The network with its weights, ready to infer."""
        network = network_of(self.profile, self.settings)
        network.load_state_dict(self.state)
        return network.eval()

    def hearing(self) -> Hearing:
        """The network with what hears its family ``speech``, where it has one."""
        return Hearing(self.network(), self.speech.module() if self.speech else None).eval()

    def save(self, path: Path) -> None:
        """Writes the checkpoint; an earlier one stays intact until the new one is whole."""
        content = {
            "settings": asdict(self.settings),
            "state": self.state,
            "scaler": self.scaler_record,
            "classes": self.classes,
            "profile": self.profile,
            "feature_specification": self.features.specification,
            "temperature": self.calibration.temperature,
            "calibration": msgspec.to_builtins(self.calibration),
            "threshold": self.threshold,
            "card": self.card,
            "speech": {**asdict(self.speech.settings), "width": self.speech.width} if self.speech else None,
            "speech_state": self.speech.state if self.speech else None,
        }
        write_whole(content, path)


def of_hearing(
    hearing: Hearing, scaler: Scaler, classes: list[str], features: FeatureSet, card: dict[str, object]
) -> Checkpoint:
    """What has been trained, with the ``scaler`` of its hand-made features; not calibrated."""
    record, speech = None, hearing.speech
    if speech:
        mean, scale = speech.scaler()
        scaler = Scaler(np.concatenate([scaler.mean, mean]), np.concatenate([scaler.scale, scale]))
        record = SpeechRecord(speech.encoder.settings, speech.project.out_features, speech.state_dict())
    network = hearing.network
    return Checkpoint(
        network.settings,
        network.state_dict(),
        scaler,
        classes,
        features,
        card=card,
        profile="pooled" if isinstance(network, PooledNetwork) else "frames",
        speech=record,
    )


@rank_zero_only
def write_whole(content: object, path: Path) -> None:
    """``torch.save``, whole or not at all: a full disk leaves the earlier file as it was.

    Of a run's processes the first alone writes.
    """
    stored = io.BytesIO()
    torch.save(content, stored)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        files.replace(path, stored.getvalue(), 0o644)
    except OSError as error:
        raise AffectdError(
            f"{path}: the checkpoint could not be written ({error}); free some space and resume."
        ) from error


def read_checkpoint(path: Path) -> Checkpoint:
    """Loads a checkpoint; only tensors and plain values are unpickled. AffectdError says what is wrong with it."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise AffectdError(
            f"{path} cannot be read ({error.strerror}): name a checkpoint of `python -m train fit`"
        ) from error
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise AffectdError(
            f"{path} is no checkpoint that can be read without running code: name one that `python -m train fit` wrote"
        ) from error
    try:
        checkpoint = Checkpoint(
            settings=NetworkSettings(**content["settings"]),
            state=content["state"],
            scaler=Scaler(*(np.asarray(content["scaler"][key], np.float32) for key in ("mean", "scale"))),
            classes=content["classes"],
            features=feature_set(content["feature_specification"]),
            calibration=msgspec.convert(content["calibration"], Calibration)
            if "calibration" in content
            else constant(content["temperature"]),
            threshold=content["threshold"],
            card=content["card"],
            profile=content["profile"],
            speech=speech_record(content.get("speech"), content.get("speech_state")),
        )
        checkpoint.hearing()  # the weights fit the sizes
    except (msgspec.ValidationError, AttributeError, KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise AffectdError(f"{path} does not fit this version's network ({reason}): train it again") from error
    return checkpoint


def speech_record(sizes: dict[str, int] | None, state: dict[str, torch.Tensor] | None) -> SpeechRecord | None:
    """What a checkpoint says of its encoder, if it has one."""
    if sizes is None or state is None:
        return None
    width = sizes["width"]
    return SpeechRecord(EncoderSettings(**{key: size for key, size in sizes.items() if key != "width"}), width, state)  # type: ignore[arg-type]
