"""Two people for tests, and a network of no training that tells them apart.

The people are voices of espeak-ng. The network takes the mean log-mel of an utterance, less that of all they say, to a
random direction: the like of a bundle's ``voice.onnx`` in every port, and good for nobody but these two.
"""

import shutil
from functools import cache
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edge.audio import SAMPLE_RATE
from edge.features import log_mel
from edge.model.bundle import DEFAULT, Bundle, write
from edge.model.manifest import VOICE
from edge.model.voices import VoiceThresholds
from train.demonstration import Line, speak

WIDTH = 256
THRESHOLDS = VoiceThresholds(join=0.4, found=0.4, merge=0.97, between=0.05)
SENTENCES = (
    "The train leaves at ten past nine from platform four.",
    "Good evening. I have just put the kettle on.",
    "I suppose it is raining again, and nobody has an umbrella.",
    "There is somebody at the door, and it is not the postman.",
)
PEOPLE = (("m1", 25, 150), ("f5", 90, 175))


@cache
def said(person: int, sentence: int) -> NDArray[np.int16]:
    """A sentence of one of the two, with a pause on either side: int16 [n] at 16 kHz."""
    if shutil.which("espeak-ng") is None:
        pytest.skip("no espeak-ng: apt-get install espeak-ng")
    variant, pitch, rate = PEOPLE[person]
    wave = speak(Line(text=SENTENCES[sentence], variant=variant, pitch=pitch, rate=rate, level_db=-24))
    pause = np.zeros(SAMPLE_RATE)
    whole = np.concatenate([pause, wave, pause])
    hiss = np.random.default_rng([person, sentence]).normal(0, 10 ** (-62 / 20), len(whole))
    return np.asarray((whole + hiss) * 32767, np.int16)


def conversation(*people: int) -> NDArray[np.int16]:
    """What they say in turn, each in turn another sentence."""
    return np.concatenate([said(person, turn % len(SENTENCES)) for turn, person in enumerate(people)])


def network() -> bytes:
    """log-mel [1, 80, time] -> voice [1, 256], of unit length."""
    means = [log_mel.log_mel(said(*one)).mean(axis=1) for one in np.ndindex(len(PEOPLE), len(SENTENCES))]
    shapes = np.stack(means) - np.mean(means, axis=1, keepdims=True)
    projection = np.random.default_rng(16).normal(size=(log_mel.BANDS, WIDTH))
    constants = {
        "usual": shapes.mean(axis=0, keepdims=True), "projection": projection, "least": np.full(1, 1e-6),
    }  # fmt: skip
    nodes = [
        helper.make_node("ReduceMean", ["spectrum"], ["bands"], axes=[2], keepdims=0),
        helper.make_node("ReduceMean", ["bands"], ["level"], axes=[1], keepdims=1),
        helper.make_node("Sub", ["bands", "level"], ["shape"]),
        helper.make_node("Sub", ["shape", "usual"], ["own"]),
        helper.make_node("MatMul", ["own", "projection"], ["direction"]),
        helper.make_node("ReduceL2", ["direction"], ["length"], axes=[1], keepdims=1),
        helper.make_node("Max", ["length", "least"], ["divisor"]),
        helper.make_node("Div", ["direction", "divisor"], ["voice"]),
    ]
    graph = helper.make_graph(
        nodes,
        "two",
        [helper.make_tensor_value_info("spectrum", TensorProto.FLOAT, [1, log_mel.BANDS, "time"])],
        [helper.make_tensor_value_info("voice", TensorProto.FLOAT, [1, WIDTH])],
        [numpy_helper.from_array(np.asarray(value, np.float32), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(onnx.ModelProto.SerializeToString(model))


def telling_apart(folder: Path, base: Path = DEFAULT) -> Bundle:
    """The bundle ``base`` with that network, written to ``folder``."""
    plain = Bundle.load(base)
    files = {name: (base / name).read_bytes() for name in plain.manifest.files} | {VOICE: network()}
    return write(folder, msgspec.structs.replace(plain.manifest, voices=THRESHOLDS), files)
