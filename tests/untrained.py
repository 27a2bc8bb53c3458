"""Bundles of untrained networks, exported once a run: real in every part but what they have learnt."""

import msgspec
import numpy as np
import pytest
import torch

from edge import features
from edge.model.bundle import Bundle, Scaler
from edge.model.calibration import Calibration
from edge.model.manifest import input_names
from export.__main__ import export
from train.calibration import constant
from train.checkpoint import Checkpoint, SpeechRecord
from train.encoder import EncoderSettings
from train.network import NetworkSettings, network_of
from train.speech import Speech

LABELS = ["anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"]


def untrained(profile: str, chosen: features.FeatureSet = features.FIVE) -> Checkpoint:
    """A checkpoint with random weights and random batch statistics, loud enough that its classes differ."""
    torch.manual_seed(7)
    network = network_of(profile, NetworkSettings(inputs=len(input_names(profile, chosen))))
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
            if module.affine:
                module.weight.data.uniform_(0.5, 2)
        if isinstance(module, torch.nn.Linear):
            module.weight.data *= 4 if profile == "frames" else 2
    rng = np.random.default_rng(7)
    count = len(input_names(profile, chosen))
    return Checkpoint(
        network.settings,
        network.state_dict(),
        Scaler(rng.normal(0, 1, count).astype(np.float32), rng.uniform(5, 20, count).astype(np.float32)),
        LABELS,
        chosen,
        constant(1.5),
        threshold=0.4,
        card={"scores": {"uar": 0.5, "labels": ["anger", "fear"], "confusion": [[3, 1], [0, 4]]}},
        profile=profile,
    )


def hearing(width: int = 8) -> Checkpoint:
    """A checkpoint with the seven families, the last from a tiny untrained encoder of so many columns."""
    plain = untrained("frames", features.SIX)
    settings = EncoderSettings(blocks=1, states=16, heads=2)
    torch.manual_seed(8)
    speech = Speech(settings, width)
    speech.norm.running_mean.normal_()
    inputs = len(features.SIX.names) + width
    network = network_of("frames", NetworkSettings(inputs=inputs, speech=width, statistics=True))
    for module in network.modules():
        if isinstance(module, torch.nn.Linear):
            module.weight.data *= 4
    mean, scale = speech.scaler()
    scaler = Scaler(np.concatenate([plain.scaler.mean, mean]), np.concatenate([plain.scaler.scale, scale]))
    return msgspec.structs.replace(
        plain,
        settings=network.settings,
        state=network.state_dict(),
        scaler=scaler,
        calibration=Calibration(
            measures=("level", "history"), mean=(-30.0, 1.0), scale=(10.0, 1.0), coefficients=(0.3, 0.1), bias=0.2
        ),
        speech=SpeechRecord(settings, width, speech.state_dict()),
    )


@pytest.fixture(scope="session")
def checkpoints() -> dict[str, Checkpoint]:
    five = {profile: untrained(profile) for profile in ("frames", "pooled")}
    return {**five, "prosody": untrained("frames", features.SIX), "speech": hearing()}


@pytest.fixture(scope="session")
def bundles(tmp_path_factory, checkpoints) -> dict[str, Bundle]:
    """A bundle for each profile, one with the six hand-made families, and one with ``speech`` besides."""
    folder = tmp_path_factory.mktemp("bundles")
    return {profile: export(checkpoint, folder / profile, profile) for profile, checkpoint in checkpoints.items()}


@pytest.fixture(scope="session")
def voice() -> np.ndarray:
    """Two seconds that move like speech: a gliding pulse train through two resonances, in syllables, with breath."""
    rng = np.random.default_rng(3)
    time = np.arange(32_000) / 16_000
    pitch = 140 + 40 * np.sin(2 * np.pi * 0.7 * time)
    pulses = np.diff(np.floor(np.cumsum(pitch) / 16_000), prepend=0)
    formants = sum(np.exp(-200 * time[:400]) * np.sin(2 * np.pi * hz * time[:400]) for hz in (600, 1700))
    loudness = 0.55 + 0.45 * np.sin(2 * np.pi * 3 * time)
    sound = np.convolve(pulses, formants)[: len(time)] * loudness + 0.003 * rng.standard_normal(len(time))
    return (0.3 * sound / np.abs(sound).max()).astype(np.float32)
