import json
import shutil
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from edge import features
from edge.errors import BundleError
from edge.model.adapter import SETTINGS, AdapterSettings
from edge.model.bundle import Bundle, install, write
from edge.model.manifest import CARD, COALITIONS, LABELS, MANIFEST, MODEL, SCALER, Manifest


@pytest.fixture(params=["frames", "pooled"])
def copied(request, bundles, tmp_path) -> Path:
    return Path(shutil.copytree(bundles[request.param].path, tmp_path / "bundle"))


@pytest.fixture
def framed(bundles, tmp_path) -> Path:
    return Path(shutil.copytree(bundles["frames"].path, tmp_path / "bundle"))


def refused(folder: Path, *words: str) -> None:
    """The bundle is refused in one sentence that holds ``words``."""
    with pytest.raises(BundleError) as caught:
        Bundle.load(folder)
    sentence = str(caught.value)
    assert "\n" not in sentence
    for word in (*words, str(folder)):
        assert word in sentence


def edit_manifest(folder: Path, **changes: object) -> None:
    path = folder / MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def replace(folder: Path, name: str, content: bytes) -> None:
    """Change a file and the manifest with it, as a faulty export would."""
    (folder / name).write_bytes(content)
    manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    files = {file: (folder / file).read_bytes() for file in manifest.files}
    hashes = {file: __import__("hashlib").sha256(data).hexdigest() for file, data in files.items()}
    edit_manifest(folder, files=hashes)


def test_a_bundle_tells_its_name_labels_and_digest(bundles):
    loaded = bundles["frames"]
    assert (loaded.name, loaded.profile, loaded.temperature, loaded.threshold) == ("frames", "frames", 1.5, 0.4)
    assert loaded.labels[0] == "anger"
    assert len(loaded.labels) == 7
    assert loaded.digest.startswith("sha256:")
    assert len(loaded.digest) == len("sha256:") + 64


def test_histories_are_learnt_as_the_bundle_says(framed):
    edit_manifest(framed, adapters={"voice": {"prior": 3.0, "memory": 40.0}})
    bundle = Bundle.load(framed)
    voice = bundle.adapter("voice")
    assert voice.settings == AdapterSettings(prior=3, memory=40)
    assert bundle.adapter("source").settings == bundle.adapter().settings == AdapterSettings()
    assert (voice.features, voice.embedding) == (len(bundle.scaler.mean), bundle.embedding)


def test_export_says_how_histories_are_learnt(bundles):
    assert bundles["frames"].manifest.adapters == SETTINGS


@pytest.mark.parametrize("adapters", [{"voice": {"prior": 0}}, {"source": {"memory": -1}}, {"room": {"prior": 3}}])
def test_histories_that_cannot_be_learnt_are_refused(framed, adapters):
    edit_manifest(framed, adapters=adapters)
    refused(framed, MANIFEST, "adapters")


def test_digest_depends_on_every_file(framed, bundles):
    replace(framed, CARD, b"another card")
    assert Bundle.load(framed).digest != bundles["frames"].digest


@pytest.mark.parametrize("name", [MODEL, COALITIONS, SCALER, LABELS, CARD, MANIFEST])
def test_missing_file_is_named(framed, name):
    (framed / name).unlink()
    refused(framed, name)


@pytest.mark.parametrize("name", [MODEL, COALITIONS, SCALER, LABELS, CARD])
def test_one_flipped_byte_is_found(framed, name):
    content = bytearray((framed / name).read_bytes())
    content[len(content) // 2] ^= 1
    (framed / name).write_bytes(content)
    refused(framed, name, "sha256")


def test_folder_that_is_no_bundle(tmp_path):
    refused(tmp_path, MANIFEST, "bundle")


def test_unknown_format_says_both_numbers(copied):
    edit_manifest(copied, format=9, surprise="of a later version")
    refused(copied, "format 9", "reads 1")


def test_other_features_are_refused_by_name(copied):
    edit_manifest(copied, feature_specification={**features.SPECIFICATION, "hop_samples": 160})
    refused(copied, "hop_samples", "160", "256")


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"format": "one"}', b"\xff\xfe", b'{"format": 1}', b"[" * 99_999]
)
def test_malformed_manifest(copied, content):
    (copied / MANIFEST).write_bytes(content)
    refused(copied, MANIFEST)


@pytest.mark.parametrize("name", [SCALER, LABELS])
@pytest.mark.parametrize("content", [b"", b"{]", b'{"classes": [1], "names": 3}'])
def test_malformed_json(copied, name, content):
    replace(copied, name, content)
    refused(copied, name)


@pytest.mark.parametrize("temperature", [0, -1, "warm", None])
def test_temperature_that_divides_nothing(copied, temperature):
    edit_manifest(copied, temperature=temperature)
    refused(copied, "temperature")


@pytest.mark.parametrize(
    ("field", "value"), [("mean", None), ("mean", 1e60), ("scale", None), ("scale", 0.0), ("scale", -1.0)]
)
def test_broken_scaler_names_the_feature(copied, field, value):
    scaler = json.loads((copied / SCALER).read_text())
    scaler[field][3] = value
    replace(copied, SCALER, json.dumps(scaler).encode())
    refused(copied, SCALER, scaler["names"][3])


def test_scaler_of_other_features(copied):
    scaler = json.loads((copied / SCALER).read_text())
    scaler["names"].reverse()
    replace(copied, SCALER, json.dumps(scaler).encode())
    refused(copied, SCALER)


@pytest.mark.parametrize("name", [MODEL, COALITIONS])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_one_weight_that_is_not_finite(framed, name, value):
    model = onnx.load(framed / name)
    weight = next(tensor for tensor in model.graph.initializer if len(tensor.dims) == 3)
    numbers = numpy_helper.to_array(weight).copy()
    numbers.flat[17] = value
    weight.CopyFrom(numpy_helper.from_array(numbers, weight.name))
    replace(framed, name, model.SerializeToString())
    refused(framed, name, "not finite", weight.name)


def test_weight_that_is_not_finite_in_a_listed_tensor(framed):
    model = onnx.load(framed / MODEL)
    model.graph.initializer.append(onnx.helper.make_tensor("listed", onnx.TensorProto.FLOAT, [2], [1.0, float("nan")]))
    replace(framed, MODEL, model.SerializeToString())
    refused(framed, "not finite", "listed")


def test_class_list_of_another_length(copied):
    replace(copied, LABELS, b'{"classes": ["anger", "fear"]}')
    refused(copied, MODEL, "logits")


@pytest.mark.parametrize("classes", [[], ["anger"], ["anger", "anger"], ["anger", ""]])
def test_class_list_that_is_none(copied, classes):
    replace(copied, LABELS, json.dumps({"classes": classes}).encode())
    refused(copied, LABELS)


@pytest.mark.parametrize(("old", "new"), [("frames", "sound"), ("logits", "scores"), ("attention", "weights")])
def test_graph_with_other_names(framed, old, new):
    model = onnx.load(framed / MODEL)
    for port in (*model.graph.input, *model.graph.output):
        port.name = new if port.name == old else port.name
    for node in model.graph.node:
        for names in (node.input, node.output):
            names[:] = [new if name == old else name for name in names]
    replace(framed, MODEL, model.SerializeToString())
    refused(framed, MODEL, old)


def test_graph_of_another_profile(bundles, framed):
    replace(framed, MODEL, (bundles["pooled"].path / MODEL).read_bytes())
    refused(framed, MODEL, "frames")


@pytest.mark.parametrize("content", [b"", b"no graph", b"\x08", bytes(200)])
def test_file_that_is_no_graph(framed, content):
    replace(framed, MODEL, content)
    refused(framed, MODEL)


def test_truncated_graph(framed):
    content = (framed / MODEL).read_bytes()
    for length in range(1, len(content), len(content) // 7):
        replace(framed, MODEL, content[:length])
        refused(framed, MODEL)


def test_canary_tells_a_graph_that_computes_something_else(framed):
    model = onnx.load(framed / COALITIONS)
    bias = next(tensor for tensor in model.graph.initializer if tensor.name.endswith("dense.bias"))
    bias.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(bias) + np.float32(0.1), bias.name))
    replace(framed, COALITIONS, model.SerializeToString())
    refused(framed, COALITIONS, "other logits")


def installed_in(folder: Path) -> list[str]:
    """The names in a folder, those that are hidden as ``.name``."""
    return sorted(
        f".{path.name.split('.')[1]}" if path.name.startswith(".") else path.name for path in folder.iterdir()
    )


def test_install_replaces_a_whole_bundle(bundles, tmp_path):
    target = tmp_path / "installed"
    for name in ("frames", "pooled", "frames"):
        assert install(bundles[name].path, target).name == name
        assert {path.name for path in target.iterdir()} == {path.name for path in bundles[name].path.iterdir()}
        assert installed_in(tmp_path) == [".installed", "installed"]
        assert target.is_symlink()
        assert not target.readlink().is_absolute(), "the folder may be moved"


def test_install_turns_a_plain_folder_into_a_link(bundles, tmp_path):
    target = tmp_path / "installed"
    shutil.copytree(bundles["frames"].path, target)
    assert install(bundles["pooled"].path, target).name == "pooled"
    assert target.is_symlink()
    assert installed_in(tmp_path) == [".installed", "installed"]


def test_install_leaves_a_folder_alone_that_a_person_has_linked_to(bundles, tmp_path):
    mine = Path(shutil.copytree(bundles["frames"].path, tmp_path / "mine"))
    (tmp_path / "installed").symlink_to(mine)
    assert install(bundles["pooled"].path, tmp_path / "installed").name == "pooled"
    assert Bundle.load(mine).name == "frames"


@pytest.mark.parametrize("link", [False, True])
def test_bundle_that_cannot_be_switched_to_leaves_the_old_one(bundles, tmp_path, monkeypatch, link):
    target = tmp_path / "installed"
    shutil.copytree(bundles["frames"].path, target)
    if link:
        install(bundles["frames"].path, target)
    before, refuse = installed_in(tmp_path), Path.rename

    def rename(self: Path, to: Path) -> Path:
        if Path(to) == target and not str(self).endswith(".old"):
            raise OSError(28, "No space left on device")
        return refuse(self, to)

    monkeypatch.setattr(Path, "rename", rename)
    monkeypatch.setattr(Path, "replace", rename)
    with pytest.raises(BundleError, match="No space left"):
        install(bundles["pooled"].path, target)
    assert Bundle.load(target).name == "frames"
    assert installed_in(tmp_path) == before


def test_install_of_a_broken_bundle_changes_nothing(bundles, framed, tmp_path):
    target = tmp_path / "installed"
    install(bundles["pooled"].path, target)
    (framed / MODEL).write_bytes(b"")
    with pytest.raises(BundleError):
        install(framed, target)
    assert Bundle.load(target).digest == bundles["pooled"].digest
    assert installed_in(tmp_path) == [".installed", "bundle", "installed"]


def test_write_makes_a_plain_folder_that_can_be_copied(bundles, tmp_path):
    target, source = tmp_path / "written", bundles["frames"]
    files = {name: (source.path / name).read_bytes() for name in source.manifest.files}
    for _ in range(2):
        assert write(target, source.manifest, files).name == "frames"
        assert not target.is_symlink()
        assert installed_in(tmp_path) == ["written"]


def test_install_where_nothing_may_be_written(bundles, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BundleError, match="cannot be written"):
        install(bundles["frames"].path, tmp_path / "file" / "bundle")


def test_write_keeps_the_old_bundle_when_the_new_one_does_not_load(bundles, tmp_path):
    target = tmp_path / "installed"
    installed = install(bundles["frames"].path, target)
    files = {name: (target / name).read_bytes() for name in installed.manifest.files}
    with pytest.raises(BundleError):
        write(target, installed.manifest, {**files, LABELS: b'{"classes": ["a", "b"]}'})
    assert Bundle.load(target).digest == installed.digest
