"""The alternative: speech emotion recognition as it is usually written, with librosa and torch.

Each feature has its own librosa call; tonnetz comes from the harmonic part and its constant-Q transform. Statistics
over time go through a CNN-BiLSTM-attention network. The explanation sets the 180 numbers to zero one by one.
"""

import librosa
import numpy as np
import torch
from torch import Tensor, nn

from edge import features
from edge.audio import SAMPLE_RATE

torch.set_num_threads(1)

CLASSES = 7
STFT = {"n_fft": features.WINDOW_SAMPLES, "hop_length": features.HOP_SAMPLES, "pad_mode": "constant"}


def frames(samples: np.ndarray) -> np.ndarray:
    """The five families [time, 105] of float samples."""
    rate = SAMPLE_RATE
    mfcc = librosa.feature.mfcc(y=samples, sr=rate, n_mfcc=40, **STFT)
    mel = librosa.power_to_db(librosa.feature.melspectrogram(y=samples, sr=rate, n_mels=40, **STFT))
    chroma = librosa.feature.chroma_stft(y=samples, sr=rate, **STFT)
    contrast = librosa.feature.spectral_contrast(y=samples, sr=rate, **STFT)
    tonnetz = librosa.feature.tonnetz(
        y=librosa.effects.harmonic(samples), sr=rate, hop_length=features.HOP_SAMPLES, n_chroma=12
    )
    return np.concatenate([mfcc, mel, chroma, contrast, tonnetz]).T


class _Network(nn.Module):
    """The 180 numbers as a sequence: two convolutions, a BiLSTM, attention, a dense layer; 308 thousand parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv1d(1, 64, 5, padding=2), nn.BatchNorm1d(64), nn.ReLU(), nn.MaxPool1d(2),
            nn.Conv1d(64, 128, 5, padding=2), nn.BatchNorm1d(128), nn.ReLU(), nn.MaxPool1d(2),
        )  # fmt: skip
        self.recurrent = nn.LSTM(128, 128, batch_first=True, bidirectional=True)
        self.attention = nn.Linear(256, 1)
        self.dense = nn.Linear(256, CLASSES)

    def forward(self, numbers: Tensor) -> Tensor:
        states, _ = self.recurrent(self.convolutions(numbers[:, None]).transpose(1, 2))
        weights = torch.softmax(self.attention(states), dim=1)
        return self.dense((weights * states).sum(dim=1))


class Recipe:
    """Features, prediction and explanation of a clip. The network is untrained: weights do not change the cost."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.network = _Network().eval()

    def analyse(self, samples: np.ndarray) -> np.ndarray:
        """The effect of each of the 180 numbers on the log-probability of the winner, for int16 [n]."""
        clip = (samples / np.float32(32768)).astype(np.float32)
        numbers = torch.from_numpy(features.pooled(frames(clip).astype(np.float32)))[None]
        with torch.no_grad():
            whole = torch.log_softmax(self.network(numbers), dim=1)[0]
            winner = int(whole.argmax())
            effects = []
            for index in range(numbers.shape[1]):
                perturbed = numbers.clone()
                perturbed[0, index] = 0
                effects.append(whole[winner] - torch.log_softmax(self.network(perturbed), dim=1)[0, winner])
        return torch.stack(effects).numpy()
