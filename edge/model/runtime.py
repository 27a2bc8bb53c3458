"""ONNX Runtime as a small device wants it: one thread, asleep when idle, no memory of its own between utterances."""

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge.errors import BundleError
from edge.model import memory

Floats = NDArray[np.float32]


class Port(Protocol):
    """A named input or output of a graph; in ``shape`` a free axis is a name or None."""

    name: str
    shape: Sequence[int | str | None]
    type: str


class Session(Protocol):
    """The part of ``onnxruntime.InferenceSession`` that affectd uses."""

    def run(self, output_names: Sequence[str] | None, input_feed: Mapping[str, Floats]) -> list[Floats]:
        """The named outputs, all where None, for the inputs by name."""

    def get_inputs(self) -> list[Port]:
        """The inputs that must be given."""

    def get_outputs(self) -> list[Port]:
        """The outputs that there are."""

    def get_overridable_initializers(self) -> list[Port]:
        """The inputs that may be left out, since they have defaults."""


def attempt(session: Session, output: str, feed: Mapping[str, Floats], name: str) -> Floats:
    """One output of a graph that has not been run before; BundleError, with its ``name``, where it cannot compute."""
    try:
        return session.run([output], feed)[0]
    except Exception as error:  # noqa: BLE001 (the runtime's exceptions share no base class)
        raise BundleError(f"{name} cannot be computed ({_reason(error)}): export the bundle again") from None


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def open_session(graph: bytes, name: str) -> Session:
    """A session on one thread for a serialised ONNX graph; ``name`` is what a BundleError calls it."""
    import onnxruntime

    memory.hold()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.enable_mem_pattern = False  # every utterance has another length, so no pattern ever fits twice
    options.enable_cpu_mem_arena = False  # an arena keeps what the longest utterance ever took
    options.log_severity_level = 4  # what goes wrong comes as an exception, and from us as one sentence
    try:
        with _as_file(graph) as source:
            session: Session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001 (the runtime's exceptions share no base class)
        raise BundleError(
            f"{name} is no graph that ONNX Runtime can run ({_reason(error)}): export the bundle again"
        ) from None
    return session


@contextlib.contextmanager
def _as_file(graph: bytes) -> Iterator[bytes | str]:
    """The path of a file in memory that holds the graph: a session keeps what it is given as bytes for ever.

    The graph itself where there can be no such file: outside Linux (memfd_create(2)), or in a sandbox that forbids it.
    """
    with contextlib.ExitStack() as stack:
        source: bytes | str = graph
        with contextlib.suppress(AttributeError, OSError):  # RLIMIT_FSIZE counts it as a file
            file = stack.enter_context(os.fdopen(os.memfd_create("affectd"), "wb", buffering=0))
            path = Path(f"/proc/self/fd/{file.fileno()}")
            if file.write(graph) == len(graph) and path.exists():
                source = str(path)
        yield source
