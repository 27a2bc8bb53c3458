"""The family ``speech``: what the first blocks of a pretrained encoder hear, in as many columns as the network takes.

Its frames are 20 ms apart and those of the hand-made families 16 ms: frame i of theirs goes with frame
``(8 i + 5) // 10`` of its, the nearest, or with the last.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edge.features import log_mel
from edge.model.encoder import LONGEST, STRIDE, nearest
from train import encoder
from train.encoder import Encoder, EncoderSettings
from train.network import EmotionNetwork

Floats = NDArray[np.float32]


class Speech(nn.Module):
    """Log-mel float32 [batch, 80, time] -> the family's raw columns [batch, time', width]; ``norm`` scales them.

    Its running mean and variance are what becomes of the bundle's scaler.
    """

    def __init__(self, settings: EncoderSettings, width: int) -> None:
        super().__init__()
        self.encoder = Encoder(settings)
        self.project = nn.Linear(settings.states, width)
        self.norm = nn.BatchNorm1d(width, affine=False)

    def forward(self, spectrum: Tensor) -> Tensor:
        return self.project(self.encoder(spectrum))  # type: ignore[no-any-return]

    def heard(self, sound: Tensor) -> Tensor:
        """The columns of log-mel [batch, time, 80], or of the frames [batch, time', states] of the fixed part."""
        if sound.shape[2] == log_mel.BANDS:
            return self(sound.transpose(1, 2))  # type: ignore[no-any-return]
        return self.project(self.encoder.finish(sound))  # type: ignore[no-any-return]

    def scaled(self, sound: Tensor) -> Tensor:
        """``heard``, in standard deviations from the mean."""
        columns = self.heard(sound).float()
        return self.norm(columns.flatten(0, 1)).reshape(columns.shape)  # type: ignore[no-any-return]

    def scaler(self) -> tuple[Floats, Floats]:
        """Mean and scale [width] of the columns over the training side."""
        mean, variance = self.norm.running_mean, self.norm.running_var
        assert mean is not None and variance is not None  # noqa: S101, PT018 - it tracks them by default
        return mean.cpu().numpy().copy(), torch.sqrt(variance + self.norm.eps).cpu().numpy()


class Hearing(nn.Module):
    """All that is trained: the network, and what hears one of its families, where there is such a one."""

    def __init__(self, network: EmotionNetwork, speech: Speech | None = None) -> None:
        super().__init__()
        self.network, self.speech = network, speech


def join(frames: Floats, speech: Floats) -> Floats:
    """Hand-made frames [time, features] and the family's [time', width] -> [time, features + width]."""
    return np.concatenate([frames, speech[nearest(len(frames), len(speech))]], axis=1)


@torch.inference_mode()
def columns_of(speech: Speech, sounds: Sequence[NDArray[np.floating]]) -> list[Floats]:
    """The family's raw columns [time', width] of each utterance's log-mel or encoded frames [time, ..]."""
    return [_in_pieces(speech.heard, sound) for sound in sounds]


@torch.inference_mode()
def encoded(hearer: Encoder, spectrum: NDArray[np.floating]) -> NDArray[np.float16]:
    """The encoder's frames float16 [time', states] of an utterance's log-mel [time, 80]."""
    return _in_pieces(lambda piece: hearer(piece.transpose(1, 2)), spectrum).astype(np.float16)


def _in_pieces(hear: Callable[[Tensor], Tensor], sound: NDArray[np.floating]) -> Floats:
    """What becomes of a sound [time, ..], none of whose pieces is too long, as float32 [time', ..]."""
    longest = LONGEST if sound.shape[1] == log_mel.BANDS else LONGEST // STRIDE
    given = [torch.from_numpy(np.asarray(piece, np.float32)).unsqueeze(0) for piece in encoder.pieces(sound, longest)]
    return np.concatenate([hear(piece)[0].float().numpy() for piece in given])
