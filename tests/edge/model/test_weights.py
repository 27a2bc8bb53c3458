import contextlib

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from edge.model import weights
from edge.model.manifest import MODEL


def field(number: int, content: bytes) -> bytes:
    """A length-delimited protobuf field."""
    length, size = b"", len(content)
    while size > 0x7F:
        length += bytes([size & 0x7F | 0x80])
        size >>= 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + content


def test_every_weight_of_a_real_graph_is_read(bundles):
    path = bundles["frames"].path / MODEL
    found = {name: values for name, values in weights.floats(path.read_bytes()) if name != "an attribute"}
    for tensor in onnx.load(path).graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            np.testing.assert_array_equal(found[tensor.name], numpy_helper.to_array(tensor).reshape(-1))


def graph_of(tensor: onnx.TensorProto) -> bytes:
    return helper.make_model(helper.make_graph([], "g", [], [], [tensor])).SerializeToString()


@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE])
def test_raw_tensors_of_every_float_type(kind):
    values = np.array([1.5, -2.0], helper.tensor_dtype_to_np_dtype(kind))
    ((name, found),) = weights.floats(graph_of(helper.make_tensor("t", kind, [2], values.tobytes(), raw=True)))
    assert (name, found.tolist()) == ("t", [1.5, -2.0])


@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.DOUBLE])
def test_listed_tensors(kind):
    ((name, found),) = weights.floats(graph_of(helper.make_tensor("t", kind, [2], [1.5, -2.0])))
    assert (name, found.tolist()) == ("t", [1.5, -2.0])


@pytest.mark.parametrize("kind", [TensorProto.FLOAT16, TensorProto.BFLOAT16])
def test_numbers_that_would_go_unread_are_refused(kind):
    with pytest.raises(ValueError, match="not read"):
        list(weights.floats(graph_of(helper.make_tensor("t", kind, [2], [1.5, -2.0]))))


def test_constants_in_nodes_and_nested_graphs_are_read():
    constant = helper.make_node("Constant", [], ["c"], value=helper.make_tensor("v", TensorProto.FLOAT, [1], [7.0]))
    inner = helper.make_graph([constant], "inner", [], [])
    model = helper.make_model(helper.make_graph([helper.make_node("If", ["x"], ["y"], then_branch=inner)], "g", [], []))
    assert any(values.tolist() == [7.0] for _, values in weights.floats(model.SerializeToString()))


def test_weights_in_another_file_are_refused():
    tensor = helper.make_tensor("t", TensorProto.FLOAT, [1], [1.0])
    tensor.data_location = TensorProto.EXTERNAL
    model = helper.make_model(helper.make_graph([], "g", [], [], [tensor]))
    with pytest.raises(ValueError, match="another file"):
        list(weights.floats(model.SerializeToString()))


def test_graphs_nested_beyond_reason_are_refused():
    graph = b""
    for _ in range(5000):
        graph = field(1, field(5, field(6, graph)))
    with pytest.raises(ValueError, match="nested"):
        list(weights.floats(field(7, graph)))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(content):
    for model in (content, field(7, content), field(7, field(5, content)), field(7, field(1, field(5, content)))):
        with contextlib.suppress(ValueError):  # any other exception fails the test
            list(weights.floats(model))
