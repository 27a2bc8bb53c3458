"""The demonstration recording: synthetic voices of differing pitch, rate and loudness, with pauses between them.

``python -m train.demonstration configs/demo-recording.yaml edge/demo.opus`` needs the program espeak-ng.
"""

import io
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
import soundfile
import soxr
from msgspec import Meta
from numpy.typing import NDArray

from edge.audio import SAMPLE_RATE
from edge.config import schema
from edge.errors import AffectdError, UsageError


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One thing said."""

    text: str
    variant: str
    pitch: Annotated[int, Meta(ge=0, le=99)]
    rate: Annotated[int, Meta(ge=80, le=450)]
    level_db: Annotated[float, Meta(ge=-60, le=-6)]


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """What is said, and in what quiet. ``noise_db`` in dBFS, ``pause_s`` in seconds."""

    noise_db: float
    pause_s: float
    lines: list[Line]


def speak(line: Line) -> NDArray[np.float32]:
    """The line in the voice of espeak-ng: float32 [n] at 16 kHz, at the line's level."""
    command = [
        "espeak-ng",
        "-v",
        f"en+{line.variant}",
        "-p",
        str(line.pitch),
        "-s",
        str(line.rate),
        "--stdout",
        line.text,
    ]
    wave, rate = soundfile.read(
        io.BytesIO(subprocess.run(command, check=True, capture_output=True).stdout), dtype="float32"
    )
    samples: NDArray[np.float32] = soxr.resample(wave, rate, SAMPLE_RATE)
    level = float(np.sqrt(np.mean(samples[np.abs(samples) > 0.01 * np.abs(samples).max()] ** 2)))
    levelled: NDArray[np.float32] = np.clip(samples * (10 ** (line.level_db / 20) / level), -0.98, 0.98)
    return levelled.astype(np.float32)


def render(recording: Recording) -> NDArray[np.float32]:
    """The whole recording, float32 [n] at 16 kHz; the same lines give the same samples."""
    pause = np.zeros(round(recording.pause_s * SAMPLE_RATE), dtype=np.float32)
    parts = [pause]
    for line in recording.lines:
        parts += [speak(line), pause]
    speech = np.concatenate(parts)
    noise = np.random.default_rng(7).normal(0, 10 ** (recording.noise_db / 20), len(speech))
    return (speech + noise).astype(np.float32)


def main(arguments: list[str]) -> int:
    """Render the recipe named first to the file named second."""
    if len(arguments) != 2:
        raise UsageError("usage: python -m train.demonstration RECIPE.yaml OUT.opus")
    if shutil.which("espeak-ng") is None:
        raise AffectdError("the program espeak-ng is missing: apt-get install espeak-ng")
    samples = render(schema.read(Path(arguments[0]), Recording))
    soundfile.write(arguments[1], samples, SAMPLE_RATE, format="OGG", subtype="OPUS")
    print(f"{arguments[1]}: {len(samples) / SAMPLE_RATE:.1f} s, {Path(arguments[1]).stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except AffectdError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
