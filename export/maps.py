"""The decoder of listenable maps, put into a bundle whose other graphs stay as they are."""

from pathlib import Path

import msgspec
import numpy as np
import torch

from edge.errors import BundleError, UsageError
from edge.features.log_mel import BANDS
from edge.model.bundle import Bundle, write
from edge.model.manifest import CARD, ENCODER, MAP
from edge.model.runtime import Session, open_session
from export import card, graphs
from train.map_fit import FittedMap, load
from train.map_network import MapNetwork

TOLERANCE = 1e-4  # in the mask, between the network and its graph
_LENGTHS = (1, 2, 41, 300, 1501)  # columns of log-mel: 10 ms to 15 s
_HEADING = "## Listenable maps"
_ABOUT = (
    "`map.onnx` says which share of each band of the log-mel, every 10 ms, a verdict rests on: the decoder of L-MAC "
    "(Paissan, Ravanelli, Subakan, ICML 2024) in a form for the device. Scored on speakers that it was not trained on, "
    "softmax applied once: average drop and increase of the verdict's probability on what the mask keeps, gain, "
    "faithfulness (what the probability loses on the rest), fidelity (verdicts kept), and the mean of the mask."
)


def added(bundle: Bundle, fitted: Path, out: Path) -> Bundle:
    """Write the bundle with ``map.onnx`` to ``out``, verified.

    UsageError where the file is none that ``python -m train maps`` wrote, or of another bundle; BundleError where the
    graph computes another mask than the network.
    """
    network, found = load(fitted)
    width = bundle.features.speech
    if ENCODER not in bundle.manifest.files or (network.settings.speech, network.settings.classes) != (
        width,
        len(bundle.labels),
    ):
        raise UsageError(
            f"{fitted}: explains another bundle than {bundle.path}; run `python -m train maps` on this one."
        )
    graph = serialised(network)
    difference = parity(network, open_session(graph, MAP))
    print(f"{MAP}: {len(graph):,} bytes, equal to the network within {difference:.1e}")
    manifest = bundle.manifest
    files = {name: (bundle.path / name).read_bytes() for name in manifest.files}
    files[MAP] = graph
    files[CARD] = card.with_section(files[CARD].decode(), _HEADING, _table(found)).encode()
    told = {**manifest.card, "map": {"scores": found.scores, "bundle": found.bundle}}
    return write(out, msgspec.structs.replace(manifest, card=told), files)


def serialised(network: MapNetwork) -> bytes:
    """The decoder as an ONNX graph of one utterance of any length."""
    sizes = network.settings
    examples = {
        "log_mel": torch.rand(1, BANDS, 301),
        "speech": torch.rand(1, 151, sizes.speech),
        "logits": torch.rand(1, sizes.classes),
    }
    free = {"log_mel": {2: "time"}, "speech": {1: "steps"}}
    return graphs.serialised(network, examples, free, {"mask": {2: "time"}})


def parity(network: MapNetwork, session: Session) -> float:
    """The largest difference between the decoder and its graph over several lengths; BundleError where it is large."""
    generator = torch.Generator().manual_seed(0)
    sizes, worst = network.settings, 0.0
    for length in _LENGTHS:
        feed = {
            "log_mel": torch.rand(1, BANDS, length, generator=generator),
            "speech": torch.randn(1, -(-length // 2), sizes.speech, generator=generator),
            "logits": torch.randn(1, sizes.classes, generator=generator),
        }
        with torch.inference_mode():
            wanted = network(*feed.values()).numpy()
        (given,) = session.run(["mask"], {name: value.numpy() for name, value in feed.items()})
        worst = max(worst, float(np.abs(given - wanted).max()))
    if not worst < TOLERANCE:
        raise BundleError(f"{MAP}: its masks are {worst:.1e} away from the network: fit it anew")
    return worst


def _table(found: FittedMap) -> str:
    names = ("drop", "increase", "gain", "faithfulness", "fidelity", "kept")
    rows = [
        f"| {where} | {' | '.join(f'{scores[name]:.1%}' for name in names)} |" for where, scores in found.scores.items()
    ]
    heading = ["| condition | drop | increase | gain | faithfulness | fidelity | mask |", f"|---|{'--:|' * len(names)}"]
    return "\n".join([_ABOUT, "", *heading, *rows])
