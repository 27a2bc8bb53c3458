"""A small corpus that the tests make themselves: eight emotions as eight kinds of noise, four speakers as levels."""

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile

EMOTIONS = ("anger", "disgust", "fear", "happy", "neutral", "sad", "sarcastic", "surprise")
SPEAKERS = ("f1", "f2", "m1", "m2")


def utterance(emotion: str, speaker: str, take: int) -> np.ndarray:
    """0.8 s of noise whose band and tremolo tell the emotion, and whose level tells the speaker."""
    generator = np.random.default_rng([EMOTIONS.index(emotion), SPEAKERS.index(speaker), take])
    time = np.arange(int(0.8 * 16_000)) / 16_000
    kind = EMOTIONS.index(emotion)
    spectrum = np.fft.rfft(generator.standard_normal(len(time)))
    octaves = np.log2(np.maximum(np.fft.rfftfreq(len(time), 1 / 16_000), 1) / (250, 700, 1900, 5000)[kind % 4])
    band = np.fft.irfft(spectrum * np.exp(-2 * octaves**2), len(time))
    tremolo = 1 + 0.9 * np.sin(2 * np.pi * (3 if kind < 4 else 12) * time)
    level = 0.02 * (1 + SPEAKERS.index(speaker))
    return (level * tremolo * band / band.std()).astype(np.float32)


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
