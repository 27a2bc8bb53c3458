"""The evaluation of voices as a command, with a network that hears the level: the speakers of the corpus are levels."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge.model.bundle import DEFAULT, Bundle, write
from edge.model.manifest import VOICE
from edge.model.voices import VoiceThresholds
from train.corpora import Clip
from train.households import PEOPLE, UTTERANCES, half_hour, households
from train.voices import read_manifest


def hears_level() -> bytes:
    """log-mel [1, 80, time] -> the angle, 0 to a quarter turn, that its loudest bin stands for: [1, 2]."""
    scale = numpy_helper.from_array(np.float32(4.0), "scale")
    nodes = [
        helper.make_node("ReduceMax", ["spectrum"], ["loudest"], axes=[1, 2], keepdims=0),
        helper.make_node("Mul", ["loudest", "scale"], ["angle"]),
        helper.make_node("Cos", ["angle"], ["cos"]),
        helper.make_node("Sin", ["angle"], ["sin"]),
        helper.make_node("Unsqueeze", ["cos", "axis"], ["x"]),
        helper.make_node("Unsqueeze", ["sin", "axis"], ["y"]),
        helper.make_node("Concat", ["x", "y"], ["voice"], axis=1),
    ]
    axis = numpy_helper.from_array(np.array([1], np.int64), "axis")
    graph = helper.make_graph(
        nodes,
        "level",
        [helper.make_tensor_value_info("spectrum", TensorProto.FLOAT, [1, 80, "time"])],
        [helper.make_tensor_value_info("voice", TensorProto.FLOAT, [1, 2])],
        [scale, axis],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(onnx.ModelProto.SerializeToString(model))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The light bundle, which tells voices apart by their level."""
    light = Bundle.load(DEFAULT.parent / "light")
    files = {name: (light.path / name).read_bytes() for name in light.manifest.files} | {VOICE: hears_level()}
    thresholds = VoiceThresholds(join=0.97, found=0.97, merge=0.999)
    manifest = type(light.manifest)(
        **{name: getattr(light.manifest, name) for name in light.manifest.__struct_fields__} | {"voices": thresholds}
    )
    return write(tmp_path_factory.mktemp("voices") / "bundle", manifest, files).path


def call(*arguments: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "train", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command_prints_what_it_promises(bundle: Path, corpus: Path, tmp_path: Path) -> None:
    rows = (corpus / "manifest.csv").read_text().splitlines()
    manifest = tmp_path / "manifest.csv"
    manifest.write_text("\n".join(row for row in rows if row.startswith(("path", "f1", "m2"))))
    options = ("--manifest", manifest, "--root", corpus, "--cache", tmp_path, "--json")
    done = call("evaluate-voices", "--bundle", bundle, *options)
    assert done.returncode == 0, done.stderr
    scores = json.loads(done.stdout)
    assert {"n", "speakers", "eer", "purity", "coverage", "adapted_uar"} <= scores.keys()
    assert scores["speakers"] == 2
    assert 0 <= scores["eer"] < 0.35
    assert all(0 <= scores[name] <= 1 for name in ("purity", "coverage", "adapted_uar", "speaker_uar", "cold_uar"))
    heard = call("evaluate", "--bundle", bundle, *options, "--adapt", "voice", "--history", "life")
    assert heard.returncode == 0, heard.stderr
    assert json.loads(heard.stdout)["adapt"] == "voice"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("path\na.wav\n", "lacks the column speaker"),
        ("path,speaker\nf1/anger_0.wav,x\n", "one speaker"),
        ("path,speaker\n", "no rows"),
        ("path,speaker\nf1/anger_0.wav,x\nf1/anger_1.wav,\n", "speaker is empty"),
        ("path,speaker\nf1/anger_0.wav,x\nmissing.wav,y\n", "is not there"),
        ("path,speaker\nf1/anger_0.wav,x\nshort.wav,y\n", "shorter than 0.5 s"),
    ],
)
def test_bad_input_gets_one_sentence(bundle: Path, corpus: Path, tmp_path: Path, text: str, why: str) -> None:
    import soundfile

    root = tmp_path / "root"
    root.mkdir()
    (root / "f1").symlink_to(corpus / "f1")
    soundfile.write(root / "short.wav", np.random.default_rng(1).normal(0, 0.1, 4000), 16_000)
    manifest = tmp_path / "manifest.csv"
    manifest.write_text(text)
    done = call(
        "evaluate-voices", "--bundle", bundle, "--manifest", manifest, "--root", root, "--cache", tmp_path / "cache"
    )
    assert done.returncode != 0
    assert why in done.stderr
    assert "Traceback" not in done.stderr


def test_a_bundle_without_voices_says_so(corpus: Path, tmp_path: Path) -> None:
    options = ("--manifest", corpus / "manifest.csv", "--root", corpus, "--cache", tmp_path)
    for command in (("evaluate-voices",), ("evaluate", "--adapt", "voice")):
        done = call(*command, "--bundle", DEFAULT.parent / "light", *options)
        assert done.returncode == 2
        assert "tells no voices apart" in done.stderr


def test_a_half_hour_is_mostly_neutral_and_everybody_speaks() -> None:
    clips = [
        Clip(f"{who}{take}.wav", "c", f"s{who}", "neutral" if take < 60 else "anger")
        for who in range(4)
        for take in range(90)
    ]
    turns = half_hour(clips, np.random.default_rng(1))
    assert len(turns) == UTTERANCES
    calm = np.mean([clips[turn].emotion == "neutral" for turn in turns])
    assert 0.7 < calm < 0.9
    assert {clips[turn].speaker for turn in turns} == {"s0", "s1", "s2", "s3"}


def test_households_hold_four_people_of_one_corpus() -> None:
    clips = [Clip(f"{who}.wav", "a" if who < 6 else "b", f"s{who}", "") for who in range(9)]
    homes: dict[str, set[str]] = {}
    for home in households(clips):
        homes.setdefault(home.corpus, set()).add(home.speaker)
    assert sorted(map(len, homes.values())) == [2, 3, PEOPLE]
    assert all(len({name.split("/")[0] for name in names}) == 1 for names in homes.values())


def test_a_manifest_needs_no_emotion(tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.csv"
    manifest.write_text("path,speaker\na.wav,x\nb.wav,y\n")
    assert [clip.emotion for clip in read_manifest(manifest)] == ["", ""]
