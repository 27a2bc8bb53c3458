"""The two parts of a sound that ``affectd explain --listen`` writes: what its verdict rests on, and the rest."""

import io
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from edge.audio import SAMPLE_RATE
from edge.cli import output
from edge.errors import UsageError
from edge.explain.listening import Listening
from edge.model.classifier import Prediction


def rest_of(path: Path) -> Path:
    """Where the rest goes: ``OUT-rest.wav`` beside ``OUT.wav``."""
    return path.with_name(f"{path.stem}-rest{path.suffix}")


def require_apart(path: Path, heard: Path) -> None:
    """UsageError where one of the two would take the place of the file that is explained."""
    for out in (path, rest_of(path)):
        if out.resolve() == heard.resolve():
            raise UsageError(f"{output.file_name(out)} is the file to explain: choose another name for --listen")


def write(found: Listening, label: str, path: Path) -> None:
    """Write both parts, each whole or not at all, and say what each is; AffectdError where they cannot be written."""
    parts = {rest_of(path): found.rest, path: found.kept}
    for out, content in {out: wav(samples) for out, samples in parts.items()}.items():
        output.save(out, "sound", content)
    output.line(f"{output.file_name(path)} is what {label} rests on; alone it sounds {_verdict(found.alone)}")
    output.line(f"{output.file_name(rest_of(path))} is the rest, which sounds {_verdict(found.without)}")


def wav(samples: NDArray[np.int16]) -> bytes:
    """Samples int16 [n], mono 16 kHz, as a WAV file."""
    file = io.BytesIO()
    soundfile.write(file, samples, SAMPLE_RATE, format="WAV", subtype="PCM_16")
    return file.getvalue()


def _verdict(prediction: Prediction) -> str:
    return f"like {prediction.label}, {100 * prediction.confidence:.0f} %"
