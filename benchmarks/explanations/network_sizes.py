"""The cost of explanations for several sizes of the network: one row, plain batch, shared first layer."""

from dataclasses import replace

import numpy as np
import torch

from benchmarks.explanations.timing import milliseconds
from edge.explain import shapley
from edge.explain.perturbation import membership
from edge.model.bundle import Bundle
from edge.model.runtime import open_session
from export import graphs
from train.network import EmotionNetwork, NetworkSettings

FRAMES = 188  # 3 s at a hop of 16 ms

SIZES = (
    NetworkSettings(),
    NetworkSettings(channels=(128, 96, 96), strides=(2, 3, 2), kernels=(7, 3, 3)),
    NetworkSettings(channels=(64, 64, 96), strides=(2, 2, 2), kernels=(5, 3, 3)),
    NetworkSettings(channels=(96, 64, 96), strides=(2, 2, 2), kernels=(7, 3, 3)),
    NetworkSettings(channels=(128, 64, 96), strides=(2, 2, 2), kernels=(7, 3, 3)),
    NetworkSettings(channels=(128, 96, 128), strides=(2, 2, 1), kernels=(7, 3, 3), hidden=96),
    NetworkSettings(channels=(128, 96, 128), strides=(4, 2, 2), hidden=96),
    NetworkSettings(channels=(128, 128, 128), strides=(4, 2, 2), hidden=128),
    NetworkSettings(strides=(3, 2, 2), kernels=(9, 5, 3)),
    NetworkSettings(channels=(192, 128, 128), strides=(3, 2, 2), kernels=(9, 5, 3), hidden=128),
)


def table(bundle: Bundle) -> str:
    lines = [
        "| channels | strides | kernels | hidden | parameters | one row | plain batch | shared | ratio |",
        "|---|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    masks = shapley.coalitions(len(bundle.features.families))
    frames = np.random.default_rng(0).normal(size=(1, FRAMES, len(bundle.features.names))).astype(np.float32)
    rows = frames * (masks @ membership("frames", bundle.features))[:, None]
    for size in SIZES:
        torch.manual_seed(0)
        network = EmotionNetwork(replace(size, inputs=len(bundle.features.names))).eval()
        model = open_session(graphs.model(network), "model")
        coalitions = open_session(graphs.coalitions(network, bundle.features), "coalitions")
        feed = {"frames": frames, "masks": masks}
        (one, _), (plain, plain_least), (shared, shared_least) = milliseconds(
            lambda model=model: model.run(None, {"frames": frames}),
            lambda model=model: model.run(None, {"frames": rows}),
            lambda coalitions=coalitions, feed=feed: coalitions.run(None, feed),
        )
        sizes = (", ".join(map(str, values)) for values in (size.channels, size.strides, size.kernels))
        parameters = sum(parameter.numel() for parameter in network.parameters())
        lines.append(
            f"| {' | '.join(sizes)} | {size.hidden} | {parameters / 1e3:.0f} k | {one:.2f} | {plain:.1f} "
            f"| {shared:.1f} | {shared / plain:.2f} ({shared_least / plain_least:.2f}) |"
        )
    return "\n".join(
        [*lines, "", "Medians of CPU milliseconds on one thread; in brackets the ratio of the least times."]
    )
