"""One graph from sound to verdict computes what the device does, whatever the sound."""

import json
from collections import Counter
from dataclasses import dataclass

import numpy as np
import onnx
import pytest

from edge import features
from edge.audio import FULL_SCALE, SAMPLE_RATE
from edge.errors import BundleError
from edge.explain import shapley, texts
from edge.explain.aspects import ASPECTS, Change
from edge.explain.explainer import Explainer
from edge.explain.values import value_function
from edge.features import log_mel
from edge.model import encoder
from edge.model.adapter import Adapter
from edge.model.bundle import Bundle
from edge.model.choice import SHIPPED
from edge.model.classifier import Classifier
from edge.model.runtime import Session, open_session
from edge.sources.conversion import read_audio
from edge.sources.highpass import high_passed
from export import waveform
from export.__main__ import main
from export.graphs import OPSET
from export.waveform import parity
from export.waveform.manifest import manifest
from tests.conftest import DEMO

TOLERANCE = 1e-3


@dataclass(frozen=True)
class Part:
    """A shipped bundle, and its graphs from sound."""

    bundle: Bundle
    graph: bytes
    session: Session
    coalitions: Session
    pieces: dict[str, Session]
    about: dict


@pytest.fixture(scope="module", params=["default", "light"])
def part(request) -> Part:
    bundle = Bundle.load(SHIPPED[request.param])
    graph, coalitions = waveform.waveform(bundle), waveform.coalitions(bundle)
    sessions = open_session(graph, "affectd.onnx"), open_session(coalitions, "coalitions.onnx")
    return Part(bundle, graph, *sessions, opened(bundle), json.loads(manifest(bundle)))


def opened(bundle: Bundle) -> dict[str, Session]:
    """The graph of a bundle in pieces."""
    return {name: open_session(piece, name) for name, piece in waveform.pieces(bundle).items()}


def assert_equal(part: Part, samples: np.ndarray) -> None:
    wanted, found = parity.heard(samples, part.bundle), parity.outputs(part.session, samples)
    np.testing.assert_allclose(found["probabilities"][0], list(wanted.probabilities.values()), atol=TOLERANCE)
    np.testing.assert_allclose(found["attention"][0], wanted.attention, atol=TOLERANCE)
    np.testing.assert_allclose(found["intensity"], [wanted.intensity], atol=TOLERANCE)
    difference = np.abs(found["frames"][0] - part.bundle.scaler.apply(wanted.frames))
    hand_made = len(part.bundle.features.names) - part.bundle.features.speech
    assert difference[:, :hand_made].max() < TOLERANCE
    assert difference[:, hand_made:].max(initial=0) < 10 * TOLERANCE
    np.testing.assert_allclose(found["logits"][0], wanted.logits, atol=5 * TOLERANCE)
    np.testing.assert_allclose(found["embedding"][0], wanted.embedding, atol=10 * TOLERANCE)


@pytest.fixture(scope="module")
def demo() -> np.ndarray:
    """The demonstration recording, int16 [n]."""
    return read_audio(DEMO)


def voice(seconds: float, level: float = 2000) -> np.ndarray:
    """A voice-like tone in noise, float64 [n]."""
    time = np.arange(round(seconds * SAMPLE_RATE))
    phase = 2 * np.pi * np.cumsum(160 + 30 * np.sin(time / 3000)) / SAMPLE_RATE
    tone = sum(np.sin(order * phase) / order for order in range(1, 20)) * (1 + np.sin(time / 2500))
    return level * tone + np.random.default_rng(0).normal(0, 40, len(time))


def sixteen_bits(samples: np.ndarray) -> np.ndarray:
    return samples.clip(-FULL_SCALE, FULL_SCALE - 1).astype(np.int16)


def test_the_demonstration_is_heard_alike(part, demo):
    for start in range(0, len(demo) - 3 * SAMPLE_RATE, 5 * SAMPLE_RATE):
        assert_equal(part, demo[start : start + 3 * SAMPLE_RATE])


def test_real_clips_are_heard_alike(part, corpus):
    for row in corpus[:: max(1, len(corpus) // 12)]:
        assert_equal(part, read_audio(row["file"]))


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(SAMPLE_RATE, np.int16),
        np.full(SAMPLE_RATE, 3000, np.int16),
        sixteen_bits(voice(1.7) + 6000),
        sixteen_bits(voice(1.3, level=40_000)),
        sixteen_bits(voice(2, level=0)),
        np.full(SAMPLE_RATE, -FULL_SCALE, np.int16),
    ],
    ids=["silence", "offset alone", "offset", "clipping", "noise", "stuck at the end of the scale"],
)
def test_sound_that_is_none_is_heard_alike(part, samples):
    assert_equal(part, samples)


def test_hum_is_taken_out_as_on_the_device(part):
    time = np.arange(3 * SAMPLE_RATE) / SAMPLE_RATE
    hum = sum(900 / order * np.sin(2 * np.pi * 50 * order * time) for order in range(1, 8))
    assert_equal(part, sixteen_bits(voice(3, level=800) * (np.sin(time * 4) > 0) + hum))


@pytest.mark.parametrize("seconds", [0.4, 0.7, 0.80001, 14.995, 15.01, 33.3])
def test_every_length_is_heard_alike(part, seconds):
    assert_equal(part, sixteen_bits(voice(seconds)))


def test_samples_between_two_steps_are_rounded_and_those_beyond_the_scale_are_clipped(part):
    loud = voice(1, level=30_000)
    (found,) = part.session.run(["logits"], {"samples": (loud / FULL_SCALE).astype(np.float32)[None]})
    rounded = np.rint(np.float32(loud / FULL_SCALE) * np.float32(FULL_SCALE))
    np.testing.assert_allclose(found[0], parity.heard(sixteen_bits(rounded), part.bundle).logits, atol=TOLERANCE)


def test_pieces_give_what_the_whole_gives(part, demo):
    samples = demo[: 3 * SAMPLE_RATE]
    whole, found = parity.outputs(part.session, samples), parity.in_pieces(part.pieces, part.bundle, samples)
    np.testing.assert_array_equal(part.bundle.scaler.apply(found["frames"]), whole["frames"][0])
    for name in ("logits", "attention"):
        np.testing.assert_allclose(found[name], whole[name], atol=1e-5)


def test_spectra_that_were_changed_are_heard_as_on_the_device(part, demo):
    with encoder.cleaned(high_passed(demo[: 3 * SAMPLE_RATE])) as clean:
        changed = {
            "power": 4 * features.power_of(clean)[:, ::-1],
            **({"fine": 4 * log_mel.power_of(clean)[:, ::-1]} if part.bundle.encoder else {}),
        }
    hand_made = features.of_power(changed["power"], part.bundle.features)
    expected = encoder.joined(hand_made, part.bundle, log_mel.of_power(changed["fine"]) if len(changed) > 1 else None)
    (found,) = part.pieces["frames.onnx"].run(["frames"], changed)
    np.testing.assert_allclose(found, expected, atol=TOLERANCE)


def test_coalitions_give_the_shapley_values_of_the_device(part, demo):
    samples = demo[: 3 * SAMPLE_RATE]
    wanted = parity.heard(samples, part.bundle)
    families = Explainer(Classifier(part.bundle)).families(wanted).families
    frames, embedding = parity.outputs(part.session, samples)["frames"], part.about["embedding"]
    masks = shapley.coalitions(len(families))
    usual = np.stack([np.zeros(embedding, np.float32), np.ones(embedding, np.float32)])
    (logits,) = part.coalitions.run(["logits"], {"frames": frames, "masks": masks, "usual": usual})
    worths = value_function(part.about["labels"], wanted.label)(logits)
    shares = np.array(part.about["shapley"]) @ worths
    assert [family["name"] for family in part.about["families"]] == list(families)
    np.testing.assert_allclose(shares, list(families.values()), atol=TOLERANCE)


def test_the_coalition_of_all_families_hears_a_known_voice_as_the_device_does(part, demo):
    classifier, about = Classifier(part.bundle), part.about
    adapter = Adapter(len(about["scaler"]["mean"]), about["embedding"])
    for start in (0, 4):
        before = parity.heard(demo[start * SAMPLE_RATE : (start + 3) * SAMPLE_RATE], part.bundle)
        adapter.observe(part.bundle.scaler.apply(before.frames), before.embedding)
    known, samples = adapter.snapshot(), demo[8 * SAMPLE_RATE : 11 * SAMPLE_RATE]
    wanted = classifier.predict(parity.heard(samples, part.bundle).frames, known)
    frames = known(parity.outputs(part.session, samples)["frames"][0])[None]
    masks = np.ones((1, len(about["families"])), np.float32)
    feed = {"frames": frames, "masks": masks, "usual": known.embedding_statistics}
    logits, embedding = part.coalitions.run(["logits", "embedding"], feed)
    np.testing.assert_allclose(logits[0], wanted.logits, atol=TOLERANCE)
    np.testing.assert_allclose(embedding[0], wanted.embedding, atol=1e-2)


def test_every_input_is_required_since_a_browser_can_feed_no_other(part):
    assert [port.name for port in part.session.get_inputs()] == ["samples"]
    assert [port.name for port in part.coalitions.get_inputs()] == ["frames", "masks", "usual"]
    assert [port.name for port in part.pieces["model.onnx"].get_inputs()] == ["frames", "usual"]
    for session in (part.coalitions, *part.pieces.values()):
        assert not session.get_overridable_initializers()


def test_the_graph_needs_no_extension(part):
    for graph in (part.graph, *waveform.pieces(part.bundle).values()):
        proto = onnx.load_from_string(graph)
        assert [(entry.domain, entry.version) for entry in proto.opset_import] == [("", OPSET)]
        domains = Counter(node.domain for node in proto.graph.node)
        assert set(domains) <= {"", "ai.onnx"}


def test_description_says_what_a_page_needs(part):
    about, bundle = part.about, part.bundle
    assert about["labels"] == list(bundle.labels)
    assert about["bundle"]["digest"] == bundle.digest
    assert about["threshold"] == bundle.threshold
    assert about["calibration"]["bias"] == bundle.manifest.calibration.bias
    assert [family["stop"] for family in about["families"]][-1] == len(about["scaler"]["mean"])
    assert len(about["features"]) == len(bundle.features.names) - bundle.features.speech


def test_description_says_what_aspects_are_and_are_called(part):
    about = part.about
    assert [aspect["name"] for aspect in about["aspects"]] == list(ASPECTS)
    assert all(hasattr(Change(), aspect["change"]) for aspect in about["aspects"])
    assert about["texts"]["NO_PITCH"] == texts.NO_PITCH
    assert about["texts"]["ASPECTS"]["pitch"] == list(texts.ASPECTS["pitch"])


def test_command_writes_a_folder_that_is_compared_with_the_device(tmp_path, capsys):
    assert main(["--waveform", "--bundle", "light", "--out", str(tmp_path / "out")]) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "affectd.onnx",
        "spectra.onnx",
        "frames.onnx",
        "model.onnx",
        "coalitions.onnx",
        "affectd.json",
        "MODEL_CARD.md",
    }
    assert "equal to the device within" in capsys.readouterr().out


def test_graph_that_differs_from_the_device_is_never_written(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(parity, "difference", lambda *_: 0.5)
    assert main(["--waveform", "--bundle", "light", "--out", str(tmp_path / "out")]) == 1
    assert "differs from the device by 0.5" in capsys.readouterr().err
    assert not list(tmp_path.glob("**/*.onnx"))


def test_untrained_bundles_of_fewer_parts_have_a_graph(bundles):
    for name in ("frames", "prosody", "speech"):
        bundle = bundles[name]
        session = open_session(waveform.waveform(bundle), name)
        assert parity.check(bundle, session, opened(bundle), bundle.path) < TOLERANCE
        assert "intensity" not in [port.name for port in session.get_outputs()]


def test_pooled_bundle_is_refused_in_one_sentence(bundles):
    with pytest.raises(BundleError, match="pooled"):
        waveform.waveform(bundles["pooled"])
    with pytest.raises(BundleError, match="pooled"):
        waveform.pieces(bundles["pooled"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--waveform", "--checkpoint", "x.pt"], "takes a bundle as it is"),
        (["--waveform", "--name", "mine"], "takes a bundle as it is"),
        (["--waveform", "--bundle", "nowhere"], "nowhere/bundle.json cannot be read"),
        (["--bundle", "light"], "--bundle needs --waveform"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_sentence(arguments, message, tmp_path, capsys):
    assert main([*arguments, "--out", str(tmp_path / "out")]) in (1, 2)
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()
