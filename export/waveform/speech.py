"""The family ``speech``: the bundle's encoder over pieces of at most 15 s, its columns beside the hand-made ones."""

import numpy as np
import onnx
from onnx import TensorProto, helper

from edge import features
from edge.features import log_mel
from edge.model import encoder
from export.waveform.graph import Graph, Value, port


def columns(spectrum: Value, graph: onnx.GraphProto, width: int, frames: Value) -> Value:
    """The raw columns [frames, width] of a log-mel [1, 80, n].

    ``frames`` [1] is how many hand-made ones they go with, ``graph`` the encoder.
    """
    heard = _encoded(spectrum, graph, width)
    hop = log_mel.HOP_SAMPLES * encoder.STRIDE
    places = (spectrum.graph.count_up(frames) * features.HOP_SAMPLES + hop // 2) // hop
    return heard.take(places.at_most(heard.size() - 1))


def _encoded(spectrum: Value, graph: onnx.GraphProto, width: int) -> Value:
    """``edge.model.encoder.encoded``: a loop over the pieces, whose columns are put one behind another."""
    outer = spectrum.graph
    length = spectrum.size(2)
    count = (length + (encoder.LONGEST - 1)) // encoder.LONGEST
    pair = count * encoder.STRIDE
    step = (length + pair - 1) // pair * encoder.STRIDE
    body = Graph("encoder/")
    turn, so_far = body.input("encoder/turn", np.int64), body.input("encoder/so_far")
    start = turn.reshape(1) * Value(body, step.name, np.int64)
    piece = Value(body, spectrum.name, np.float32).between(start, start + Value(body, step.name, np.int64), axis=2)
    (found,) = body.include(graph, {"log_mel": piece}, ["speech"], "encoder/")
    joined = body.concat([so_far, found.reshape(-1, width)])
    again = body.input("encoder/again", np.bool_).apply("Identity")
    inner = body.body(
        [
            helper.make_tensor_value_info("encoder/turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("encoder/again", TensorProto.BOOL, []),
            port("encoder/so_far", ["heard", width]),
        ],
        [helper.make_tensor_value_info(again.name, TensorProto.BOOL, []), port(joined.name, ["longer", width])],
    )
    always, none = outer.constant(np.array(True)), outer.constant(np.zeros((0, width), np.float32))
    return outer.add("Loop", [count.reshape(), always, none], (np.float32,), body=inner)[0]
