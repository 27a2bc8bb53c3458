"""The log-mel spectrogram as a picture in memory."""

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge import features
from edge.features import filters

KHZ_TICKS = (0.25, 0.5, 1.0, 2.0, 4.0)
_FLOOR_DB = 60.0  # below the loudest bin: the darkest colour
_CIVIDIS = ("00224e", "213b6e", "4c546c", "6c6e72", "8e8978", "b2a570", "d9c55c", "fee838")  # Nunez et al., 2018


def levels(log_mel: NDArray[np.float32]) -> NDArray[np.float32]:
    """Decibels [time, bands] as 0..1, float32 [bands, time]: 1 is the loudest bin, 0 is 60 dB under it."""
    shares: NDArray[np.float32] = np.clip(1 + (log_mel.T - log_mel.max()) / _FLOOR_DB, 0, 1)
    return shares


def picture(levels: NDArray[np.float32]) -> str:
    """Levels [bands, time] as a PNG in a data URL, the lowest band at the bottom."""
    stops = np.array([[int(stop[i : i + 2], 16) for i in (0, 2, 4)] for stop in _CIVIDIS], np.float32)
    places = np.linspace(0, 1, len(stops))
    channels = [np.interp(levels[::-1], places, stops[:, channel]) for channel in range(3)]
    file = io.BytesIO()
    Image.fromarray(np.stack(channels, axis=-1).astype(np.uint8)).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def band_of(khz: float) -> float:
    """The position of a frequency on the axis of bands; 0 is the centre of the lowest band."""
    low, high = filters.hz_to_slaney_mel(features.MEL_FMIN), filters.hz_to_slaney_mel(features.MEL_FMAX)
    step = (high - low) / (features.MELS + 1)
    return float((filters.hz_to_slaney_mel(1000 * khz) - low) / step - 1)
