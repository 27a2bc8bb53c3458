"""A small corpus that the tests make themselves: eight emotions as eight kinds of noise, four speakers as levels."""

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from train.checkpoint import Checkpoint
from train.encoder import Encoder, EncoderSettings
from train.run import Material, run
from train.settings import AugmentationSettings, Settings, SplitSettings

TINY = EncoderSettings(blocks=2, states=64, heads=1)
"""An encoder that costs nothing."""

EMOTIONS = ("anger", "disgust", "fear", "happy", "neutral", "sad", "sarcastic", "surprise")
SPEAKERS = ("f1", "f2", "m1", "m2")

SMALL: dict[str, int | float | list[int]] = {"channels": [24, 24], "strides": [2, 2], "kernels": [5, 3], "hidden": 12}
SETTINGS = Settings(
    name="tones",
    split=SplitSettings(test=("tones/m2",), calibration=("tones/f2",)),
    network=SMALL,
    augmentation=AugmentationSettings(gain=0, equaliser=0, mixup=0, feature_masks=0, family_mask=0),
    epochs=12,
    batch=16,
    seconds=0.6,
    learning_rate=1e-2,
    averaging=0.9,
    label_smoothing=0.0,
)


def tiny_encoder() -> Encoder:
    """Random, and the same each time."""
    torch.manual_seed(5)
    return Encoder(TINY).eval()


def utterance(emotion: str, speaker: str, take: int) -> np.ndarray:
    """0.8 s of noise whose band tells the emotion, and whose level tells the speaker."""
    generator = np.random.default_rng([EMOTIONS.index(emotion), SPEAKERS.index(speaker), take])
    spectrum = np.fft.rfft(generator.standard_normal(12_800))
    centre = 200 * 1.6 ** EMOTIONS.index(emotion)
    octaves = np.log2(np.maximum(np.fft.rfftfreq(12_800, 1 / 16_000), 1) / centre)
    band = np.fft.irfft(spectrum * np.exp(-4 * octaves**2), 12_800)
    level = 0.02 * (1 + SPEAKERS.index(speaker))
    return (level * band / band.std()).astype(np.float32)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with 256 recordings and their manifest."""
    root = tmp_path_factory.mktemp("corpus")
    rows = []
    for speaker in SPEAKERS:
        (root / speaker).mkdir()
        for emotion in EMOTIONS:
            for take in range(8):
                path = f"{speaker}/{emotion}_{take}.wav"
                soundfile.write(root / path, utterance(emotion, speaker, take), 16_000)
                rows.append({"path": path, "corpus": "tones", "speaker": speaker, "emotion": emotion})
    with (root / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return root


@pytest.fixture(scope="session")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of sounds as ../shared/sounds is one: three kinds, each of several sources on both sides."""
    root = tmp_path_factory.mktemp("sounds")
    generator = np.random.default_rng(5)
    rows = []
    for kind, name in (
        ("rooms", "House-20190{0:03d}120000-aa-{0}.wav"),
        ("noises", "Rain_1-{0}-A.wav"),
        ("voices-without-words", "laughing_{0}.wav"),
    ):
        (root / kind).mkdir()
        for number in range(12):
            path = f"{kind}/{name.format(number)}"
            soundfile.write(root / path, 0.05 * generator.standard_normal(8000 + 2000 * number), 16_000)
            rows.append({"path": path, "kind": kind, "label": "", "speaker": f"s{number}"})
    with (root / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return root


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="session")
def trained(corpus: Path, folder: Path) -> Checkpoint:
    torch.set_num_threads(1)
    return run(SETTINGS, Material(corpus, folder / "cache"), folder / "tones")
