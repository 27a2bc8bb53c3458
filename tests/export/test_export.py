import numpy as np
import onnx
import pytest
import torch

from edge import features
from edge.errors import AffectdError, BundleError
from edge.model.bundle import Bundle
from edge.model.manifest import CARD
from export import graphs, parity
from export.__main__ import main
from train.checkpoint import read_checkpoint


@pytest.mark.parametrize("profile", ["frames", "pooled"])
def test_command_writes_a_bundle_that_loads(checkpoints, tmp_path, capsys, profile):
    checkpoints[profile].save(tmp_path / "checkpoint.pt")
    assert main(["--checkpoint", str(tmp_path / "checkpoint.pt"), "--out", str(tmp_path / "bundle")]) == 0
    loaded = Bundle.load(tmp_path / "bundle")
    assert loaded.profile == profile
    assert loaded.digest in capsys.readouterr().out
    assert "equal to the network" not in (loaded.path / CARD).read_text()


def test_card_shows_the_confusion_matrix(bundles):
    text = (bundles["frames"].path / CARD).read_text()
    assert "| anger | 3 | 1 |" in text
    assert "temperature | 1.500" in text


def test_graph_computes_what_the_network_computes(checkpoints, bundles):
    network = checkpoints["frames"].network()
    for batch, length in ((1, 1), (3, 7), (2, 333)):
        frames = torch.randn(batch, length, 105)
        with torch.inference_mode():
            logits, attention, embedding = network(frames)
        found = bundles["frames"].model.run(None, {"frames": frames.numpy()})
        np.testing.assert_allclose(found[0], logits.numpy(), atol=1e-4)
        np.testing.assert_allclose(found[1], attention.numpy(), atol=1e-4)
        np.testing.assert_allclose(found[2], embedding.numpy(), atol=1e-4)


def test_parity_refuses_a_graph_of_another_network(checkpoints, bundles):
    network = checkpoints["frames"].network()
    other = type(network)(network.settings).eval()
    with pytest.raises(BundleError, match="differs"):
        parity.model(other, bundles["frames"].model)
    with pytest.raises(BundleError, match="differs"):
        parity.coalitions(other, features.FIVE, bundles["frames"].coalitions)


def test_network_that_is_not_finite_is_never_written(checkpoints, tmp_path, capsys):
    content = _content(checkpoints["frames"], tmp_path)
    content["state"]["front.weight"][0, 0, 0] = float("nan")
    torch.save(content, tmp_path / "checkpoint.pt")
    assert main(["--checkpoint", str(tmp_path / "checkpoint.pt"), "--out", str(tmp_path / "bundle")]) == 1
    assert "finite" in capsys.readouterr().err
    assert not (tmp_path / "bundle").exists()


@pytest.mark.parametrize("key", ["state", "settings", "scaler", "classes", "profile", "threshold", "card"])
def test_checkpoint_that_lacks_something(checkpoints, tmp_path, key):
    content = _content(checkpoints["frames"], tmp_path)
    del content[key]
    torch.save(content, tmp_path / "checkpoint.pt")
    with pytest.raises(AffectdError, match=key):
        read_checkpoint(tmp_path / "checkpoint.pt")


def test_file_that_is_no_checkpoint(tmp_path):
    (tmp_path / "text.pt").write_text("no checkpoint")
    with pytest.raises(AffectdError, match=r"text\.pt is no checkpoint"):
        read_checkpoint(tmp_path / "text.pt")
    with pytest.raises(AffectdError, match=r"absent\.pt cannot be read"):
        read_checkpoint(tmp_path / "absent.pt")


def test_checkpoint_runs_no_code(tmp_path):
    class Hostile:
        def __reduce__(self):
            return (open, (str(tmp_path / "owned"), "w"))

    torch.save({"settings": Hostile()}, tmp_path / "hostile.pt")
    with pytest.raises(AffectdError, match="running code"):
        read_checkpoint(tmp_path / "hostile.pt")
    assert not (tmp_path / "owned").exists()


def test_batch_normalisation_is_folded_away(checkpoints):
    nodes = onnx.load_from_string(graphs.model(checkpoints["frames"].network())).graph.node
    left = [node.name for node in nodes if node.op_type == "BatchNormalization"]
    assert left == ["/embedding_norm/BatchNormalization"]  # of one vector an utterance


def _content(checkpoint, folder) -> dict:
    """The checkpoint as the training run saves it."""
    checkpoint.save(folder / "saved.pt")
    return torch.load(folder / "saved.pt", weights_only=True)
