"""From any sound to int16 mono at 16 kHz, in blocks of 32 ms: mixing, resampling, decoding."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from edge.audio import BLOCK_SAMPLES, FULL_SCALE, SAMPLE_RATE
from edge.errors import AudioError

_CHUNK_FRAMES = 65_536  # read from a file at a time


class Converter:
    """Mixes any number of channels down and resamples any rate to int16 mono 16 kHz, as a stream."""

    def __init__(self, rate: int) -> None:
        self._resampler = None
        if rate != SAMPLE_RATE:
            import soxr  # here: a microphone at 16 kHz needs neither its time nor its memory

            self._resampler = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32")

    def push(self, frames: NDArray[np.float32]) -> NDArray[np.int16]:
        """Convert the next ``frames`` [n, channels], full scale 1; the result [m] may lag behind or be empty."""
        return self._convert(frames, last=False)

    def finish(self) -> NDArray[np.int16]:
        """The samples that the resampler still holds."""
        return self._convert(np.zeros((0, 1), dtype=np.float32), last=True)

    def _convert(self, frames: NDArray[np.float32], *, last: bool) -> NDArray[np.int16]:
        mono = frames[:, 0] if frames.shape[1] == 1 else frames.mean(axis=1, dtype=np.float32)
        if self._resampler is not None:
            mono = self._resampler.resample_chunk(np.ascontiguousarray(mono), last=last)
        return _int16(mono)


def decode(path: Path) -> Iterator[NDArray[np.int16]]:
    """Read an audio file (what libsndfile knows: WAV, FLAC, OGG, MP3) in chunks, int16 [n] each, mono 16 kHz.

    Raises AudioError where there is no such file, where it is no audio or broken, has no samples, or samples that
    are no finite numbers.
    """
    _require_file(path)
    # By descriptor, so that the content alone decides: by name, soundfile takes `.raw` for headerless samples.
    yield from decode_open(os.open(path, os.O_RDONLY), str(path))


def decode_open(file: int | BinaryIO, name: str) -> Iterator[NDArray[np.int16]]:
    """``decode`` what is open already: a descriptor, closed at the end, or bytes in memory. Errors say ``name``."""
    import soundfile  # here: only files need it

    heard = False
    try:
        with soundfile.SoundFile(file, closefd=True) as audio:
            converter = Converter(audio.samplerate)
            for frames in audio.blocks(_CHUNK_FRAMES, dtype="float32", always_2d=True):
                if not np.isfinite(frames).all():
                    raise AudioError(f"{name} holds samples that are not finite numbers: export it again")
                heard = heard or len(frames) > 0
                yield converter.push(frames)
    except soundfile.LibsndfileError as error:
        raise AudioError(f"{name} is not audio that can be read: {error.error_string.rstrip('.')}") from error
    if not heard:
        raise AudioError(f"{name} has no samples in it")
    yield converter.finish()


def read_audio(path: Path) -> NDArray[np.int16]:
    """Read a whole audio file: int16 [n], mono 16 kHz. Raises AudioError as ``decode`` does."""
    return np.concatenate(list(decode(path)))


def into_blocks(chunks: Iterable[NDArray[np.int16]]) -> Iterator[NDArray[np.int16]]:
    """Cut chunks of any length into blocks int16 [512]; the last is filled up with zeros."""
    rest = np.zeros(0, dtype=np.int16)
    for chunk in chunks:
        samples = np.concatenate((rest, chunk)) if len(rest) else chunk
        whole = len(samples) // BLOCK_SAMPLES * BLOCK_SAMPLES
        yield from samples[:whole].reshape(-1, BLOCK_SAMPLES)
        rest = samples[whole:]
    if len(rest):
        yield np.pad(rest, (0, BLOCK_SAMPLES - len(rest)))


def _int16(samples: NDArray[np.float32]) -> NDArray[np.int16]:
    """Full scale 1 to full scale 32768, exact for what has been int16 before."""
    scaled: NDArray[np.float32] = np.rint(samples * np.float32(FULL_SCALE))
    return scaled.clip(-FULL_SCALE, FULL_SCALE - 1).astype(np.int16)


def _require_file(path: Path) -> None:
    """What libsndfile would call a system error, said in words."""
    try:
        if path.is_dir():
            raise AudioError(f"{path} is a directory: name the audio files in it")
        with path.open("rb") as file:
            empty = not file.read(1)
    except FileNotFoundError as error:
        raise AudioError(f"there is no file {path}") from error
    except OSError as error:
        raise AudioError(f"{path} cannot be read: {error.strerror}") from error
    if empty:
        raise AudioError(f"{path} is empty")
