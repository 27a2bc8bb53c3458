"""A trained network as ONNX graphs: one that names the emotion, one that scores coalitions of its features."""

import copy
import io
import warnings

import torch
from torch import Tensor, nn
from torch.nn.utils import fuse_conv_bn_eval

from train.network import EmotionNetwork, PooledNetwork

OPSET = 17  # read by every onnxruntime since 1.12, and all that these graphs need


class Coalitions(nn.Module):
    """Logits [rows, classes] of one utterance's frames [1, time, inputs], each row with some groups of them at zero.

    ``groups`` [groups, inputs] says which features each group holds, ``masks`` [rows, groups] which groups a row keeps.
    The first convolution is linear, so each feature's share of its output is computed once, summed up to groups, and
    the groups to rows: three small products in place of one convolution a row.
    """

    def __init__(self, network: EmotionNetwork) -> None:
        super().__init__()
        self.network = copy.deepcopy(network)
        front = fuse_conv_bn_eval(self.network.front, self.network.first_norm)
        self.network.first_norm = nn.Identity()  # type: ignore[assignment]
        (kernel,), (stride,), settings = front.kernel_size, front.stride, network.settings
        features, self.channels = settings.inputs, settings.channels[0]
        self.shares = nn.Conv1d(
            features, features * self.channels, kernel, stride, kernel // 2, groups=features, bias=False
        )
        with torch.no_grad():
            self.shares.weight.copy_(front.weight.transpose(0, 1).reshape(features * self.channels, 1, -1))
        self.bias = nn.Parameter(front.bias.detach().clone()[:, None])  # type: ignore[union-attr]

    def forward(self, frames: Tensor, masks: Tensor, groups: Tensor) -> Tensor:
        shares = self.shares(frames.transpose(1, 2)).reshape(groups.shape[1], -1)
        rows = (masks @ (groups @ shares)).reshape(masks.shape[0], self.channels, -1)
        logits: Tensor = self.network.tail(rows + self.bias)[0]
        return logits


def model(network: EmotionNetwork | PooledNetwork) -> bytes:
    """The network as an ONNX graph, batch and time free; batch normalisation folded into the convolutions."""
    inputs = network.settings.inputs
    if isinstance(network, PooledNetwork):
        return serialised(
            network, {"pooled": torch.zeros(2, inputs)}, {"pooled": {0: "batch"}}, {"logits": {0: "batch"}}
        )
    return serialised(
        network,
        {"frames": torch.zeros(2, 64, inputs)},
        {"frames": {0: "batch", 1: "time"}},
        {"logits": {0: "batch"}, "attention": {0: "batch", 1: "steps"}},
    )


def coalitions(network: EmotionNetwork) -> bytes:
    """The network over many coalitions of one utterance's features, as an ONNX graph; time, rows and groups free."""
    inputs = network.settings.inputs
    examples = {"frames": torch.zeros(1, 64, inputs), "masks": torch.ones(3, 2), "groups": torch.ones(2, inputs)}
    free = {"frames": {1: "time"}, "masks": {0: "rows", 1: "groups"}, "groups": {0: "groups"}}
    return serialised(Coalitions(network).eval(), examples, free, {"logits": {0: "rows"}})


Axes = dict[str, dict[int, str]]


def serialised(network: nn.Module, examples: dict[str, Tensor], free_inputs: Axes, free_outputs: Axes) -> bytes:
    """A module as an ONNX graph: named example inputs, and names for the axes of inputs and outputs that are free."""
    graph = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter cannot know that several batch sizes are compared afterwards
        torch.onnx.export(
            network,
            tuple(examples.values()),
            graph,  # type: ignore[arg-type]
            input_names=list(examples),
            output_names=list(free_outputs),
            dynamic_axes={**free_inputs, **free_outputs},
            opset_version=OPSET,
            dynamo=False,
        )
    return graph.getvalue()
