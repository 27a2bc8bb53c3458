"""A trained network as ONNX graphs: one that names the emotion, one that scores coalitions of its families."""

import copy
import io
import tempfile
import warnings
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from edge.features import FeatureSet
from edge.features.log_mel import BANDS
from train.network import EmotionNetwork, PooledNetwork
from train.speech import Speech

OPSET = 17  # read by every onnxruntime since 1.12, and all that these graphs need


class Coalitions(nn.Module):
    """Logits [rows, classes] of one utterance's frames [1, time, inputs], each row with some families of them at zero.

    ``masks`` [rows, families] says which families a row keeps. The first convolution is linear, so each family's share
    of its output is computed once, and a row's output is a sum of shares: one convolution in place of one a row.
    """

    def __init__(self, network: EmotionNetwork, chosen: FeatureSet) -> None:
        super().__init__()
        self.network, self.places, front = copy.deepcopy(network), list(chosen.places.values()), network.front
        (kernel,), (stride,), channels = front.kernel_size, front.stride, front.out_channels
        scale, offset = _affine(network.first_norm)
        self.shares = nn.ModuleList()
        for place in self.places:
            weight = front.weight[:, place] * scale[:, None, None]
            share = nn.Conv1d(weight.shape[1], channels, kernel, stride, kernel // 2, bias=False)
            share.weight = nn.Parameter(weight.detach().clone())
            self.shares.append(share)
        always = front.bias * scale + offset  # type: ignore[operator]
        self.always = nn.Parameter(always.detach().clone()[:, None])  # a share that no row goes without
        # The norm is linear as well, and so belongs to the few shares, not to the many rows.
        self.network.first_norm = nn.Identity()  # type: ignore[assignment]
        self.network.embedding_norm = Fixed(*_affine(network.embedding_norm))  # type: ignore[assignment]

    def forward(self, frames: Tensor, masks: Tensor, usual: Tensor) -> tuple[Tensor, Tensor]:
        features = frames.transpose(1, 2)
        families = [share(features[:, place]) for share, place in zip(self.shares, self.places, strict=True)]
        shares = torch.cat([*families, self.always.expand_as(families[0])]).flatten(1)
        rows = torch.cat([masks, torch.ones_like(masks[:, :1])], dim=1) @ shares
        logits, _, embedding = self.network.tail(rows.reshape(masks.shape[0], len(self.always), -1), usual)
        return logits, embedding


class Fixed(nn.Module):
    """A trained normalisation of vectors [rows, width] whose width the exporter cannot see."""

    def __init__(self, scale: Tensor, offset: Tensor) -> None:
        super().__init__()
        self.scale, self.offset = nn.Parameter(scale.detach().clone()), nn.Parameter(offset.detach().clone())

    def forward(self, values: Tensor) -> Tensor:
        return values * self.scale + self.offset


def _affine(norm: nn.BatchNorm1d) -> tuple[Tensor, Tensor]:
    """What a trained normalisation multiplies each channel by, and then adds to it."""
    mean, variance = norm.running_mean, norm.running_var
    assert mean is not None and variance is not None  # noqa: S101, PT018 - it tracks them by default
    scale = 1 / torch.sqrt(variance + norm.eps)
    if norm.affine:
        scale = norm.weight * scale
    offset = -mean * scale
    return scale, norm.bias + offset if norm.affine else offset


class Logits(nn.Module):
    """Logits [batch, classes] of pooled statistics [batch, inputs]: all that a device wants of that profile."""

    def __init__(self, network: PooledNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, vectors: Tensor) -> Tensor:
        logits: Tensor = self.network(vectors.unsqueeze(1))[0]
        return logits


def model(network: EmotionNetwork) -> bytes:
    """The network as an ONNX graph, batch and time free; batch normalisation folded into the convolutions."""
    inputs = network.settings.inputs
    if isinstance(network, PooledNetwork):
        return serialised(
            Logits(network).eval(),
            {"pooled": torch.zeros(2, inputs)},
            {"pooled": {0: "batch"}},
            {"logits": {0: "batch"}},
        )
    return serialised(
        network,
        {"frames": torch.zeros(2, 64, inputs), **_cold(network)},
        {"frames": {0: "batch", 1: "time"}},
        {"logits": {0: "batch"}, "attention": {0: "batch", 1: "steps"}, "embedding": {0: "batch"}},
    )


def encoder(speech: Speech) -> bytes:
    """What hears the family ``speech`` as an ONNX graph, batch and time free: ``log_mel`` -> raw columns ``speech``."""
    return serialised(
        speech,
        {"log_mel": torch.zeros(1, BANDS, 64)},
        {"log_mel": {0: "batch", 2: "time"}},
        {"speech": {0: "batch", 1: "steps"}},
    )


def quantised(graph: bytes) -> bytes:
    """The same graph with its products in 8 bits, each output channel of the weights at its own scale."""
    from onnxruntime.quantization import QuantType, quantize_dynamic  # here: `--help` waits for no runtime

    with tempfile.TemporaryDirectory() as folder:
        whole, small = Path(folder) / "whole.onnx", Path(folder) / "small.onnx"
        whole.write_bytes(graph)
        quantize_dynamic(
            whole, small, per_channel=True, weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul", "Gemm"]
        )
        finer: bytes = _with_rest(onnx.load(small)).SerializeToString()
        return finer


def _with_rest(model: onnx.ModelProto) -> onnx.ModelProto:
    """Multiplies what 8 bits leave over of each factor too, in 8 bits again, so that factors count to 16 bits.

    A factor between two levels is rounded up by one processor and down by another, and every layer makes more of it:
    a hundredth of a probability in the end. What is left over is 255 times smaller, and so is what becomes of it.
    """
    node, nodes = onnx.helper.make_node, []
    products = {old.output[0]: old for old in model.graph.node if old.op_type == "MatMulInteger"}
    for old in model.graph.node:
        nodes.append(old)
        out = old.output[0]
        if old.op_type == "DynamicQuantizeLinear":
            factor, (_, scale, zero) = old.input[0], old.output
            nodes += [
                node("DequantizeLinear", [out, scale, zero], [f"{out}_float"]),
                node("Sub", [factor, f"{out}_float"], [f"{out}_left"]),
                node("DynamicQuantizeLinear", [f"{out}_left"], [f"{name}_rest" for name in old.output]),
            ]
        elif product := products.get(f"{out}_output_quantized"):  # then the last node of that product
            small, weights, zero, weights_zero = product.input
            scales = [f"{name.removesuffix('_quantized')}_scale" for name in (small, weights)]
            old.output[0] = f"{out}_most"
            nodes += [
                node(
                    "MatMulInteger", [f"{small}_rest", weights, f"{zero}_rest", weights_zero], [f"{out}_rest_integer"]
                ),
                node("Cast", [f"{out}_rest_integer"], [f"{out}_rest_float"], to=onnx.TensorProto.FLOAT),
                node("Mul", [f"{scales[0]}_rest", scales[1]], [f"{out}_rest_scale"]),
                node("Mul", [f"{out}_rest_float", f"{out}_rest_scale"], [f"{out}_rest"]),
                node("Add", [f"{out}_most", f"{out}_rest"], [out]),
            ]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
    return model


def coalitions(network: EmotionNetwork, chosen: FeatureSet) -> bytes:
    """The network over many coalitions of one utterance's families, as an ONNX graph; time and rows free."""
    examples = {
        "frames": torch.zeros(1, 64, network.settings.inputs),
        "masks": torch.ones(3, len(chosen.families)),
        **_cold(network),
    }
    free = {"frames": {1: "time"}, "masks": {0: "rows"}}
    return serialised(
        Coalitions(network, chosen).eval(), examples, free, {"logits": {0: "rows"}, "embedding": {0: "rows"}}
    )


def _cold(network: EmotionNetwork) -> dict[str, Tensor]:
    """What is usual of a source that nothing is known of."""
    return {"usual": torch.stack([torch.zeros(network.embedding), torch.ones(network.embedding)])}


Axes = dict[str, dict[int, str]]


def serialised(network: nn.Module, examples: dict[str, Tensor], free_inputs: Axes, free_outputs: Axes) -> bytes:
    """A module as an ONNX graph: named example inputs, and names for the axes of inputs and outputs that are free.

    The input ``usual`` keeps its example as a default: whoever knows nothing of the source leaves it out.
    """
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
    if "usual" not in examples:
        return graph.getvalue()
    proto = onnx.load_from_string(graph.getvalue())
    proto.graph.initializer.append(onnx.numpy_helper.from_array(examples["usual"].numpy(), "usual"))
    return bytes(proto.SerializeToString())
