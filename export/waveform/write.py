"""The folder that a program on another platform takes: the graphs, what belongs to them, and the card."""

from pathlib import Path

from edge.model import swap
from edge.model.bundle import Bundle
from edge.model.manifest import CARD, COALITIONS
from edge.model.runtime import open_session
from export.waveform import parity
from export.waveform.manifest import manifest
from export.waveform.model import coalitions, pieces, waveform

WAVEFORM, DESCRIPTION = "affectd.onnx", "affectd.json"


def write(bundle: Bundle, out: Path) -> float:
    """Write a bundle's graphs from sound to the folder ``out``, whole and compared with the device, or not at all.

    Returns the largest difference that was found. BundleError where the bundle has no such graph, where the graph
    computes something else, or where the disk refuses.
    """
    graph, parts = waveform(bundle), pieces(bundle)
    sessions = {name: open_session(part, name) for name, part in parts.items()}
    worst = parity.check(bundle, open_session(graph, WAVEFORM), sessions, out / WAVEFORM)
    files = {
        WAVEFORM: graph,
        **parts,
        COALITIONS: coalitions(bundle),
        DESCRIPTION: manifest(bundle),
        CARD: (bundle.path / CARD).read_bytes(),
    }
    swap.replace_folder(out, files, lambda _: None)
    return worst
