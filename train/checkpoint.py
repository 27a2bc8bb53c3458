"""Checkpoints: what the export turns into a bundle, written whole or not at all."""

import io
from dataclasses import asdict
from pathlib import Path

import msgspec
import numpy as np
import torch
from lightning_fabric.utilities import rank_zero_only

from edge import files
from edge.errors import AffectdError
from edge.features import FeatureSet
from edge.model.bundle import Scaler, feature_set
from train.network import EmotionNetwork, NetworkSettings


class Checkpoint(msgspec.Struct, frozen=True):
    """A trained network with everything that a device needs beside it; ``card`` is plain JSON for people."""

    settings: NetworkSettings
    state: dict[str, torch.Tensor]
    scaler: Scaler
    classes: list[str]
    features: FeatureSet
    temperature: float = 1.0
    threshold: float = 0.0
    card: dict[str, object] = {}
    profile: str = "frames"

    def network(self) -> EmotionNetwork:
        """The network with its weights, ready to infer."""
        network = EmotionNetwork(self.settings)
        network.load_state_dict(self.state)
        return network.eval()

    def save(self, path: Path) -> None:
        """Writes the checkpoint; an earlier one stays intact until the new one is whole."""
        content = {
            "settings": asdict(self.settings),
            "state": self.state,
            "scaler": {
                "names": list(self.features.names),
                "mean": self.scaler.mean.astype(float).tolist(),
                "scale": self.scaler.scale.astype(float).tolist(),
            },
            "classes": self.classes,
            "profile": self.profile,
            "feature_specification": self.features.specification,
            "temperature": self.temperature,
            "threshold": self.threshold,
            "card": self.card,
        }
        write_whole(content, path)


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
    """Loads a checkpoint; only tensors and plain values are unpickled."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        return Checkpoint(
            settings=NetworkSettings(**content["settings"]),
            state=content["state"],
            scaler=Scaler(*(np.asarray(content["scaler"][key], np.float32) for key in ("mean", "scale"))),
            classes=content["classes"],
            features=feature_set(content["feature_specification"]),
            temperature=content["temperature"],
            threshold=content["threshold"],
            card=content["card"],
            profile=content["profile"],
        )
    except Exception as error:  # torch raises whatever its unpickler met
        raise AffectdError(f"{path}: is no checkpoint of affectd ({error}); name one that fit has written.") from error
