"""From any sound to int16 mono at 16 kHz, in blocks of 32 ms: mixing, resampling, decoding."""

import contextlib
import math
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from edge.audio import BLOCK_SAMPLES, FULL_SCALE, SAMPLE_RATE
from edge.errors import AudioError
from edge.sources import header

_CHUNK_FRAMES = 65_536  # read from a file at a time
_PIECE_BYTES = 1 << 20  # read from a pipe at a time
_MOST_BYTES = 1 << 30  # that a pipe may bring
_MEMORY_S = 1.0  # over which the polarity of channels is judged
_EVIDENCE_S = 0.1  # of sound that it takes to call one inverted
_INVERTED, _STAY_INVERTED = -0.5, -0.2  # correlations with the loudest channel


class Polarity:
    """Which channels carry the same sound inverted: averaged, as microphones wired the wrong way, they would cancel."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._products = np.zeros((0, 0))
        self._frames = 0.0
        self._signs = np.zeros(0, np.float32)

    def signs(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take the next ``frames`` [n, channels]; return the factor 1 or -1 of each channel [channels].

        Judged by the last second or so; the first channel is never turned round, so that nothing flips as a whole.
        """
        count, channels = frames.shape
        if len(self._signs) != channels:
            self._products, self._frames = np.zeros((channels, channels)), 0.0
            self._signs = np.ones(channels, np.float32)
        if count < 2:
            return self._signs
        fade = math.exp(-count / (_MEMORY_S * self._rate))
        steps = np.diff(frames, axis=0)  # without offset and rumble, which channels share whatever their polarity
        self._products = fade * self._products + steps.T @ steps
        self._frames = fade * self._frames + count
        if self._frames >= _EVIDENCE_S * self._rate:
            powers = np.diag(self._products)
            loudest = int(powers.argmax())
            alike = self._products[loudest] / np.sqrt(np.maximum(powers * powers[loudest], 1e-30))
            inverted = alike < np.where(self._signs < 0, _STAY_INVERTED, _INVERTED)
            self._signs = np.where(inverted != inverted[0], np.float32(-1), np.float32(1))
        return self._signs


class Converter:
    """Mixes any number of channels down and resamples any rate to int16 mono 16 kHz, as a stream."""

    def __init__(self, rate: int) -> None:
        self._polarity = Polarity(rate)
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
        if frames.shape[1] == 1:
            mono = frames[:, 0]
        else:
            mono = (frames * self._polarity.signs(frames)).mean(axis=1, dtype=np.float32)
        if self._resampler is not None:
            mono = self._resampler.resample_chunk(np.ascontiguousarray(mono), last=last)
        return _int16(mono)


def decode(path: Path) -> Iterator[NDArray[np.int16]]:
    """Read an audio file (what libsndfile knows: WAV, FLAC, OGG, MP3) in chunks, int16 [n] each, mono 16 kHz.

    ``-`` is standard input. What is no regular file, such as a pipe, is read to its end first. Raises AudioError where
    there is no such file, where it is no audio or broken, has no samples, or samples that are no finite numbers.
    """
    # By descriptor, so that the content alone decides: by name, soundfile takes `.raw` for headerless samples.
    yield from decode_open(_opened(path), str(path))


def decode_open(file: int | BinaryIO, name: str) -> Iterator[NDArray[np.int16]]:
    """``decode`` what is open already: a descriptor, closed at the end, or bytes in memory. Errors say ``name``."""
    import soundfile  # here: only files need it

    heard = False
    start, size = _start(file)
    places = header.repairs(start, size)
    with contextlib.ExitStack() as stack:
        source: int | BinaryIO | header.Repaired = file
        if places:
            whole = stack.enter_context(os.fdopen(file, "rb")) if isinstance(file, int) else file
            source = header.Repaired(whole, places)
        try:
            audio = stack.enter_context(soundfile.SoundFile(source, closefd=True))
            converter = Converter(audio.samplerate)
            audio.seekable = lambda: False  # a FLAC of unknown length cannot be sought in, and nothing here needs it
            while len(frames := audio.read(_CHUNK_FRAMES, dtype="float32", always_2d=True)):
                if not np.isfinite(frames).all():
                    raise AudioError(f"{name} holds samples that are not finite numbers: export it again")
                heard = True
                yield converter.push(frames)
        except soundfile.LibsndfileError as error:
            foreign = _foreign(start)
            if foreign:
                raise AudioError(
                    f"{name} is {foreign}, which is not read here: convert it, as with `ffmpeg -i {name} OUT.wav`"
                ) from error
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


def _opened(path: Path) -> int:
    """A descriptor of what is there; AudioError says in words what libsndfile would call a system error."""
    if str(path) == "-" and sys.stdin is None:
        raise AudioError("standard input is closed: pipe an audio file into it, or name one")
    try:
        descriptor = os.dup(0) if str(path) == "-" else os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise AudioError(f"there is no file {path}") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise AudioError(f"{path} cannot be read: {reason}") from error
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise AudioError(f"{path} is a directory: name the audio files in it")
        if os.isatty(descriptor):
            raise AudioError(f"{path} is a terminal: name an audio file, or pipe one in")
        if not stat.S_ISREG(mode):
            descriptor = _in_memory(descriptor, path)
        if not os.pread(descriptor, 1, 0):
            raise AudioError(f"{path} is empty")
    except OSError as error:
        os.close(descriptor)
        raise AudioError(f"{path} cannot be read: {error.strerror}") from error
    except AudioError:
        os.close(descriptor)
        raise
    return descriptor


def _in_memory(pipe: int, path: Path) -> int:
    """All that a pipe brings, in a file that lies in memory alone (memfd_create(2)); replaces the descriptor."""
    memory = os.memfd_create("affectd")
    size = 0
    while piece := os.read(pipe, _PIECE_BYTES):
        size += len(piece)
        if size > _MOST_BYTES:
            os.close(memory)
            raise AudioError(f"{path} brings more than {_MOST_BYTES >> 20} MiB: save it as a file, and name that")
        with memoryview(piece) as rest:
            written = 0
            while written < len(rest):
                written += os.write(memory, rest[written:])
    os.dup2(memory, pipe, inheritable=False)
    os.close(memory)
    os.lseek(pipe, 0, os.SEEK_SET)
    return pipe


def _start(file: int | BinaryIO) -> tuple[bytes, int]:
    """The first bytes of a file, which stays where it is, and its size."""
    if isinstance(file, int):
        return os.pread(file, header.LOOKED_AT, 0), os.fstat(file).st_size
    start = file.read(header.LOOKED_AT)
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    return start, size


def _foreign(start: bytes) -> str | None:
    """What a file is that ffmpeg reads and libsndfile does not, by its first bytes."""
    if start[4:8] == b"ftyp":
        return "MP4 (m4a, AAC)"
    if start[:2] in (b"\xff\xf1", b"\xff\xf9"):
        return "AAC"
    names = {
        b"\x1a\x45\xdf\xa3": "WebM or Matroska",
        b"\x30\x26\xb2\x75": "WMA",
        b"#!AM": "AMR",
        b"MAC ": "Monkey's Audio",
        b"wvpk": "WavPack",
        b"FLV\x01": "Flash video",
    }
    return names.get(start[:4])
