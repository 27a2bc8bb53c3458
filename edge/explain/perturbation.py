"""The network on perturbed copies of one utterance: every run of an explanation, in batches of bounded memory."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge.explain import occlusion
from edge.features import FeatureSet
from edge.model import memory
from edge.model.bundle import Bundle
from edge.model.manifest import input_names

Floats = NDArray[np.float32]

COLD: Mapping[str, Floats] = {}
"""The embedding statistics of a source that nothing is known of: the graphs' own defaults."""

# Rows times frames in one call of ONNX Runtime. Both budgets are about 10 MB within the network.
FRAMES_OF_COPIES = 5_000  # a row is a copy of all features, then the runtime's transposed copy of it
FRAMES_OF_COALITIONS = 25_000  # a row begins behind the first layer, whose output is shared: 560 bytes a frame

LONG_FRAMES = 2_000  # 32 s: from here on a buffer fits no free piece between two others, and memory would grow

COPIES_OF_INPUTS = 4  # rows that the copies of the utterance itself, before any is perturbed, take the place of


def in_batches(rows: int, frames: int, budget: int, run: Callable[[slice], list[Floats]]) -> list[Floats]:
    """The outputs of ``run`` for ``rows`` rows of so many frames each, concatenated: one array per output.

    ``run`` gets a slice of the rows, of at most ``budget`` rows times frames and at least one row. What a batch of a
    long utterance has freed is given back before the next: it may lie where that one cannot use it.
    """
    size = max(1, budget // max(1, frames) - COPIES_OF_INPUTS)
    batches = []
    for at in range(0, rows, size):
        batches.append(run(slice(at, min(at + size, rows))))
        if frames > LONG_FRAMES:
            memory.release()
    return [np.concatenate(outputs) for outputs in zip(*batches, strict=True)]


@cache
def membership(profile: Literal["frames", "pooled"], chosen: FeatureSet) -> Floats:
    """Which family each input belongs to: float32 [families, features] of 0 and 1."""
    own = {name: family for family, place in chosen.places.items() for name in chosen.names[place]}
    families = [own[name if profile == "frames" else name.rsplit("_", 1)[0]] for name in input_names(profile, chosen)]
    groups = np.array([[family == member for member in families] for family in chosen.families], np.float32)
    groups.flags.writeable = False
    return groups


def of_families(
    bundle: Bundle, inputs: Floats, masks: Floats, statistics: Mapping[str, Floats] = COLD
) -> tuple[Floats, Floats]:
    """Logits [rows, classes] and embeddings [rows, e] with each family kept (1) or at its baseline (0) by a row.

    ``inputs`` are float32 [1, time, features], or [1, features] when pooled; ``masks`` float32 [rows, families];
    ``statistics`` those of the source's embedding (``Classifier.statistics``). The embeddings are empty where the
    bundle has none.
    """
    if bundle.coalitions is None:
        logits = of_features(bundle, inputs, masks @ membership(bundle.profile, bundle.features), statistics)
        return logits, np.empty((len(masks), 0), np.float32)
    graph, wanted = bundle.coalitions, ["logits", *(["embedding"] if bundle.embedding else [])]
    outputs = in_batches(
        len(masks),
        inputs.shape[1],
        FRAMES_OF_COALITIONS,
        lambda rows: graph.run(wanted, {"frames": inputs, "masks": masks[rows], **statistics}),
    )
    return outputs[0], outputs[1] if bundle.embedding else np.empty((len(masks), 0), np.float32)


def of_features(bundle: Bundle, inputs: Floats, masks: Floats, statistics: Mapping[str, Floats] = COLD) -> Floats:
    """Logits [rows, classes] with each feature kept or at its baseline by a row: ``masks`` float32 [rows, features].

    ``inputs`` and ``statistics`` are those of ``of_families``.
    """

    def run(rows: slice) -> list[Floats]:
        kept = masks[rows]
        copies = inputs * (kept[:, None] if inputs.ndim == 3 else kept)
        return bundle.model.run(["logits"], {bundle.profile: copies, **statistics})

    return in_batches(len(masks), inputs.shape[1] if inputs.ndim == 3 else 1, FRAMES_OF_COPIES, run)[0]


def of_moments(
    bundle: Bundle,
    values: Floats,
    weights: Floats,
    statistics: Mapping[str, Floats] = COLD,
    *,
    others: bool = False,
    prepare: Callable[[Floats], Floats] = lambda copies: copies,
) -> Floats:
    """Logits [rows, classes] with moments of an utterance faded to its mean frame by a row.

    ``values`` are float32 [time, features], ``weights`` float32 [rows, time] with 1 where a row hides a frame, or where
    it hides all ``others``; ``prepare`` makes of the faded copies [rows, time, features] what the network is given.
    """

    def run(rows: slice) -> list[Floats]:
        copies = prepare(occlusion.hidden(values, 1 - weights[rows] if others else weights[rows]))
        return bundle.model.run(["logits"], {bundle.profile: copies, **statistics})

    return in_batches(len(weights), len(values), FRAMES_OF_COPIES, run)[0]
