"""The numbers stored in an ONNX file, read from its protobuf wire format: the device carries no ``onnx`` package.

Only the fields that hold tensors are followed (onnx.proto3, protobuf encoding specification); all others are skipped.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

# Field numbers of onnx.proto3.
_MODEL_GRAPH = 7
_GRAPH_NODE, _GRAPH_INITIALIZER = 1, 5
_NODE_ATTRIBUTE = 5
_ATTRIBUTE_TENSOR, _ATTRIBUTE_GRAPH, _ATTRIBUTE_FLOAT, _ATTRIBUTE_FLOATS = 5, 6, 2, 7
_TENSOR_TYPE, _TENSOR_FLOATS, _TENSOR_NAME, _TENSOR_RAW, _TENSOR_DOUBLES, _TENSOR_LOCATION = 2, 4, 8, 9, 10, 14

# TensorProto.DataType, floating point.
_RAW_TYPES: dict[int, np.dtype[np.floating]] = {1: np.dtype("<f4"), 10: np.dtype("<f2"), 11: np.dtype("<f8")}
_HALF, _UNREAD_TYPES = 10, {14, 15, 16, 17, 18, 19, 20}  # complex, bfloat16, float8
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # wire types


def floats(model: bytes) -> Iterator[tuple[str, NDArray[np.floating]]]:
    """Name and values of every floating-point tensor and attribute in a serialised model.

    Raises ValueError where the bytes are no such model, or keep weights in another file.
    """
    try:
        for field, graph in _fields(model):
            if field == _MODEL_GRAPH and isinstance(graph, bytes):
                yield from _graph(graph)
    except RecursionError:
        raise ValueError("its graphs are nested beyond reason") from None


def _graph(graph: bytes) -> Iterator[tuple[str, NDArray[np.floating]]]:
    for field, content in _fields(graph):
        if field == _GRAPH_INITIALIZER and isinstance(content, bytes):
            yield from _tensor(content)
        elif field == _GRAPH_NODE and isinstance(content, bytes):
            for inner, attribute in _fields(content):
                if inner == _NODE_ATTRIBUTE and isinstance(attribute, bytes):
                    yield from _attribute(attribute)


def _attribute(attribute: bytes) -> Iterator[tuple[str, NDArray[np.floating]]]:
    for field, content in _fields(attribute):
        if not isinstance(content, bytes):
            continue
        if field == _ATTRIBUTE_TENSOR:
            yield from _tensor(content)
        elif field == _ATTRIBUTE_GRAPH:
            yield from _graph(content)
        elif field in (_ATTRIBUTE_FLOAT, _ATTRIBUTE_FLOATS):
            yield "an attribute", np.frombuffer(content, "<f4")


def _tensor(tensor: bytes) -> Iterator[tuple[str, NDArray[np.floating]]]:
    name, kind, raw = "a constant", 0, b""
    listed: list[NDArray[np.floating]] = []
    for field, content in _fields(tensor):
        if field == _TENSOR_TYPE and isinstance(content, int):
            kind = content
        elif field == _TENSOR_LOCATION and content:
            raise ValueError("its weights lie in another file")
        elif field == _TENSOR_NAME and isinstance(content, bytes):
            name = content.decode("utf-8", "replace")
        elif field == _TENSOR_RAW and isinstance(content, bytes):
            raw = content
        elif field in (_TENSOR_FLOATS, _TENSOR_DOUBLES) and isinstance(content, bytes):
            listed.append(np.frombuffer(content, "<f4" if field == _TENSOR_FLOATS else "<f8"))
    if raw and kind in _RAW_TYPES:
        listed.append(np.frombuffer(raw, _RAW_TYPES[kind]))
    if kind in _UNREAD_TYPES or (kind == _HALF and not listed):
        raise ValueError(f"{name} is of a floating-point type that is not read here")
    for values in listed:
        yield name, values


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and content of each field of a protobuf message; ValueError where it breaks off."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        wire = key & 7
        if wire == _VARINT:
            number, at = _varint(message, at)
            yield key >> 3, number
            continue
        if wire == _BYTES:
            length, at = _varint(message, at)
        elif wire in (_FIXED32, _FIXED64):
            length = 4 if wire == _FIXED32 else 8
        else:
            raise ValueError(f"byte {at} is not the beginning of a field")
        if at + length > len(message):
            raise ValueError(f"it breaks off after byte {len(message)}")
        yield key >> 3, message[at : at + length]
        at += length


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """A variable-length integer and the place behind it."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            raise ValueError(f"it breaks off after byte {len(message)}")
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError(f"byte {at} belongs to no number")
