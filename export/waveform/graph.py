"""ONNX graphs written as arithmetic: what numpy's code of the device says, said again in operators."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

IR_VERSION = 8  # read by every onnxruntime since 1.11
Number = int | float


class Value:
    """A tensor of a graph. Python's operators add nodes; a number takes the type of the tensor beside it."""

    def __init__(self, graph: "Graph", name: str, dtype: type[np.generic]) -> None:
        self.graph, self.name, self.dtype = graph, name, dtype

    def apply(
        self, op: str, *others: "Value | Number", dtype: type[np.generic] | None = None, **attributes: Any
    ) -> "Value":
        """The first output of an operator on this tensor and ``others``, of this tensor's type where none is named."""
        values = [self, *(self._beside(other) for other in others)]
        return self.graph.add(op, values, (dtype or self.dtype,), **attributes)[0]

    def _beside(self, other: "Value | Number") -> "Value":
        return other if isinstance(other, Value) else self.graph.constant(np.array(other, self.dtype))

    def __add__(self, other: "Value | Number") -> "Value":
        return self.apply("Add", other)

    def __sub__(self, other: "Value | Number") -> "Value":
        return self.apply("Sub", other)

    def __mul__(self, other: "Value | Number") -> "Value":
        return self.apply("Mul", other)

    def __truediv__(self, other: "Value | Number") -> "Value":
        return self.apply("Div", other)

    def __floordiv__(self, other: "Value | Number") -> "Value":
        """Of integers that are not negative."""
        return self.apply("Div", other)

    def __matmul__(self, matrix: NDArray[np.generic]) -> "Value":
        """The product with a constant matrix, in this tensor's type."""
        return self.apply("MatMul", self.graph.constant(matrix.astype(self.dtype)))

    def __ge__(self, other: "Value | Number") -> "Value":
        return self.apply("GreaterOrEqual", other, dtype=np.bool_)

    def __lt__(self, other: "Value | Number") -> "Value":
        return self.apply("Less", other, dtype=np.bool_)

    def __gt__(self, other: "Value | Number") -> "Value":
        return self.apply("Greater", other, dtype=np.bool_)

    def __and__(self, other: "Value") -> "Value":
        return self.apply("And", other)

    def at_least(self, other: "Value | Number") -> "Value":
        """The larger of the two."""
        return self.apply("Max", other)

    def at_most(self, other: "Value | Number") -> "Value":
        """The smaller of the two."""
        return self.apply("Min", other)

    def where(self, yes: "Value", no: "Value | Number") -> "Value":
        """``yes`` where this condition holds, ``no`` elsewhere."""
        return self.graph.add("Where", [self, yes, yes._beside(no)], (yes.dtype,))[0]

    def astype(self, dtype: type[np.generic]) -> "Value":
        """The same numbers in another type."""
        return self.apply("Cast", dtype=dtype, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def reshape(self, *shape: int) -> "Value":
        """Another shape; -1 is what is left."""
        return self.apply("Reshape", self.graph.integers(*shape))

    def transpose(self, *axes: int) -> "Value":
        """The axes in another order."""
        return self.apply("Transpose", perm=axes)

    def between(self, start: "Value | int | None", stop: "Value | int | None", axis: int = 0) -> "Value":
        """A stretch of an axis; None is its end."""
        first = self.graph.index(0 if start is None else start)
        last = self.graph.index(np.iinfo(np.int64).max if stop is None else stop)
        return self.apply("Slice", first, last, self.graph.integers(axis))

    def take(self, indices: "Value", axis: int = 0) -> "Value":
        """The entries of an axis at ``indices``."""
        return self.apply("Gather", indices, axis=axis)

    def select(self, condition: "Value") -> "Value":
        """The rows for which a condition [rows] holds."""
        return self.apply("Compress", condition, axis=0)

    def size(self, axis: int = 0) -> "Value":
        """The length of an axis, int64 [1]."""
        ends = {"start": axis} if axis == -1 else {"start": axis, "end": axis + 1}
        return self.apply("Shape", dtype=np.int64, **ends)

    def sum(self, axis: int, *, keep: bool = False) -> "Value":
        """The sum along an axis."""
        return self.apply("ReduceSum", self.graph.integers(axis), keepdims=int(keep))

    def mean(self, axis: int, *, keep: bool = False) -> "Value":
        """The mean along an axis."""
        return self.apply("ReduceMean", axes=[axis], keepdims=int(keep))

    def max(self, axis: int, *, keep: bool = False) -> "Value":
        """The maximum along an axis."""
        return self.apply("ReduceMax", axes=[axis], keepdims=int(keep))

    def min(self, axis: int, *, keep: bool = False) -> "Value":
        """The minimum along an axis."""
        return self.apply("ReduceMin", axes=[axis], keepdims=int(keep))

    def deviation(self, axis: int) -> "Value":
        """The standard deviation along an axis."""
        off = self - self.mean(axis, keep=True)
        return (off * off).mean(axis).apply("Sqrt")

    def ordered(self, count: "Value | int | None" = None, *, largest: bool = False, axis: int = -1) -> "Value":
        """The smallest ``count`` entries of an axis (all where None), or the ``largest``, in order."""
        amount = self.size(axis) if count is None else self.graph.index(count)
        types = (self.dtype, np.int64)
        return self.graph.add("TopK", [self, amount], types, axis=axis, largest=int(largest))[0]

    def quantiles(self, *shares: float) -> "Value":
        """Linearly interpolated quantiles [shares] of values [n], in double precision (numpy's default)."""
        rising = self.astype(np.float64).ordered(axis=0)
        last = self.size() - 1
        places = last.astype(np.float64) * self.graph.constant(np.array(shares))
        below = places.apply("Floor").astype(np.int64)
        low, high = rising.take(below), rising.take((below + 1).at_most(last))
        return low + (high - low) * (places - below.astype(np.float64))

    def padded(self, before: "Value | int", after: "Value | int", mode: str = "constant") -> "Value":
        """A vector with zeros before and after it, or with its own ends in the mode ``reflect``."""
        ends = self.graph.concat([self.graph.index(before), self.graph.index(after)])
        return self.apply("Pad", ends, mode=mode)


class Graph:
    """Nodes in order, and the constants that they use."""

    def __init__(self, prefix: str = "") -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: dict[str, onnx.TensorProto] = {}
        self._prefix = prefix
        self._known: dict[tuple[str, tuple[int, ...], bytes], Value] = {}

    def input(self, name: str, dtype: type[np.generic] = np.float32) -> Value:
        """A tensor that comes from outside."""
        return Value(self, name, dtype)

    def add(
        self, op: str, inputs: Sequence[Value], types: Sequence[type[np.generic]], **attributes: Any
    ) -> list[Value]:
        """A node's outputs, of ``types``."""
        names = [f"{self._prefix}{op}_{len(self.nodes)}_{place}" for place in range(len(types))]
        values = [value.name for value in inputs]
        # What an optimiser makes of nodes it names after them: two without a name are one to ONNX Runtime 1.20.
        self.nodes.append(helper.make_node(op, values, names, name=names[0], **attributes))
        return [Value(self, name, dtype) for name, dtype in zip(names, types, strict=True)]

    def constant(self, value: NDArray[np.generic]) -> Value:
        """An array that is part of the graph; equal ones are kept once."""
        key = (str(value.dtype), value.shape, value.tobytes())
        if key not in self._known:
            name = f"{self._prefix}constant_{len(self.initializers)}"
            self.initializers[name] = numpy_helper.from_array(np.ascontiguousarray(value).reshape(value.shape), name)
            self._known[key] = Value(self, name, value.dtype.type)
        return self._known[key]

    def integers(self, *values: int) -> Value:
        """A constant int64 [n]."""
        return self.constant(np.array(values, np.int64))

    def index(self, value: Value | int) -> Value:
        """An int64 [1]."""
        return value if isinstance(value, Value) else self.integers(value)

    def concat(self, values: Sequence[Value], axis: int = 0) -> Value:
        """Tensors of one type behind one another."""
        return self.add("Concat", values, (values[0].dtype,), axis=axis)[0]

    def count_up(self, stop: Value) -> Value:
        """0, 1, ... below an int64 [1]."""
        none = self.constant(np.array(0, np.int64))
        one = self.constant(np.array(1, np.int64))
        return self.add("Range", [none, stop.reshape(), one], (np.int64,))[0]

    def waves(self, rows: NDArray[np.integer], columns: NDArray[np.integer], period: int) -> tuple[Value, Value]:
        """The cosines and sines [rows, columns] of ``rows * columns`` periods' shares: looked up in one period.

        ONNX Runtime looks them up once, when it loads the graph, and so the file need not hold them.
        """
        places = self.constant(rows.astype(np.int64)[:, None]) * self.constant(columns.astype(np.int64)[None])
        places = places.apply("Mod", period)
        angles = 2 * np.pi / period * np.arange(period)
        return self.constant(np.cos(angles)).take(places), self.constant(np.sin(angles)).take(places)

    def name(self, value: Value, name: str) -> None:
        """Give an output of the graph its name."""
        self.nodes.append(helper.make_node("Identity", [value.name], [name], name=name))

    def include(
        self, other: onnx.GraphProto, inputs: Mapping[str, Value], outputs: Sequence[str], prefix: str
    ) -> list[Value]:
        """Another graph's nodes and constants, all names prefixed, on these inputs; its named float32 outputs."""
        names = {name: value.name for name, value in inputs.items()}
        for tensor in other.initializer:
            if tensor.name not in inputs:
                names[tensor.name] = prefix + tensor.name
                self.initializers[prefix + tensor.name] = _renamed(tensor, prefix + tensor.name)
        for node in other.node:
            names |= {name: prefix + name for name in node.output if name}
        for node in other.node:
            copy = onnx.NodeProto()
            copy.CopyFrom(node)
            copy.name = prefix + (node.name or node.output[0])
            copy.input[:] = [names[name] if name else "" for name in node.input]
            copy.output[:] = [names[name] if name else "" for name in node.output]
            self.nodes.append(copy)
        return [Value(self, names[name], np.float32) for name in outputs]

    def body(self, inputs: Sequence[onnx.ValueInfoProto], outputs: Sequence[onnx.ValueInfoProto]) -> onnx.GraphProto:
        """The graph as it is."""
        return helper.make_graph(self.nodes, "affectd", inputs, outputs, list(self.initializers.values()))

    def model(self, inputs: Sequence[onnx.ValueInfoProto], outputs: Sequence[onnx.ValueInfoProto], opset: int) -> bytes:
        """The graph serialised, checked."""
        proto = helper.make_model(
            self.body(inputs, outputs), opset_imports=[helper.make_opsetid("", opset)], ir_version=IR_VERSION
        )
        onnx.checker.check_model(proto)
        return bytes(proto.SerializeToString())


def _renamed(tensor: onnx.TensorProto, name: str) -> onnx.TensorProto:
    copy = onnx.TensorProto()
    copy.CopyFrom(tensor)
    copy.name = name
    return copy


def port(name: str, shape: Sequence[str | int], dtype: type[np.generic] = np.float32) -> onnx.ValueInfoProto:
    """An input or output; a name in ``shape`` is a free axis."""
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), list(shape))
