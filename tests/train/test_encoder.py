"""Whisper's encoder against librosa and CTranslate2, and its weights in each of the forms in which they lie about."""

import os
import struct
from pathlib import Path

import librosa
import numpy as np
import pytest
import torch

from edge.errors import UsageError
from edge.features.log_mel import log_mel
from tests.train.conftest import TINY, tiny_encoder
from train import encoder, pretrained
from train.encoder import Encoder, pieces

WEIGHTS = Path(os.environ.get("AFFECTD_WEIGHTS", "runs/weights/tiny.en"))


def speech(seconds: float = 2.0) -> np.ndarray:
    """A gliding tone with overtones, in syllables, and breath."""
    time = np.arange(int(16_000 * seconds)) / 16_000
    phase = np.cumsum(2 * np.pi * (140 + 30 * np.sin(3 * time)) / 16_000)
    voiced = sum(np.sin(order * phase) / order for order in range(1, 20)) * (0.6 + 0.4 * np.sin(20 * time))
    return (0.1 * voiced + 0.002 * np.random.default_rng(1).standard_normal(len(time))).astype(np.float32)


def test_log_mel_is_whispers_definition() -> None:
    samples = speech()
    power = np.abs(librosa.stft(samples, n_fft=400, hop_length=160, pad_mode="reflect"))[:, :-1] ** 2
    level = np.log10(np.maximum(librosa.filters.mel(sr=16_000, n_fft=400, n_mels=80) @ power, 1e-10))
    wanted = (np.maximum(level, level.max() - 8) + 4) / 4
    np.testing.assert_allclose(log_mel(samples), wanted, atol=1e-5)


@pytest.mark.parametrize("count", [1, 159, 160, 200, 201, 320, 16_000])
def test_an_utterance_shorter_than_a_window_still_has_a_frame(count: int) -> None:
    found = log_mel(speech()[:count])
    assert found.shape == (80, max(1, count // 160))
    assert np.isfinite(found).all()


def test_silence_is_finite() -> None:
    np.testing.assert_allclose(log_mel(np.zeros(4000, np.float32)), np.full((80, 25), -1.5, np.float32), atol=1e-6)


@pytest.mark.parametrize("length", [1, 2, 1499, 1500, 1501, 3001, 6400])
def test_long_sounds_are_cut_evenly_and_nothing_is_lost(length: int) -> None:
    sound = np.arange(length)[:, None]
    parts = pieces(sound)
    np.testing.assert_array_equal(np.concatenate(parts), sound)
    assert max(map(len, parts)) <= encoder.LONGEST
    assert all(len(part) % 2 == 0 for part in parts[:-1])  # so that encoded frames lie where they would


def test_a_quiet_utterance_is_encoded_as_a_loud_one() -> None:
    module = tiny_encoder()
    loud, quiet = (torch.from_numpy(log_mel(gain * speech())).unsqueeze(0) for gain in (1.0, 0.1))
    with torch.inference_mode():
        torch.testing.assert_close(module(loud), module(quiet), atol=1e-3, rtol=1e-3)


def test_the_encoder_computes_what_ctranslate2_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    ctranslate2 = pytest.importorskip("ctranslate2", reason="ctranslate2 is not installed")
    files = sorted(WEIGHTS.rglob("model.bin"))
    if not files:
        pytest.skip(f"no model.bin of CTranslate2 under {WEIGHTS} (AFFECTD_WEIGHTS)")
    kept = pretrained.read_variables(str(files[0]), files[:1])
    table = torch.from_numpy(kept["encoder/position_encodings/encodings"].astype(np.float32))
    monkeypatch.setattr(encoder, "positions", lambda frames: table[: frames.shape[1]])  # rounded as in the file
    weights = pretrained.read_weights(str(WEIGHTS))
    blocks = sum(key.endswith("attention.query.weight") for key in weights)
    module = pretrained.load_encoder(str(WEIGHTS), blocks, level=False)
    spectrum = log_mel(np.pad(speech(8.0), (0, 22 * 16_000)))[None]
    model = ctranslate2.models.Whisper(str(files[0].parent), device="cpu", compute_type="float32", intra_threads=1)
    wanted = np.array(model.encode(ctranslate2.StorageView.from_array(spectrum)))
    with torch.inference_mode():
        states = module(torch.from_numpy(spectrum))
        found = torch.nn.functional.layer_norm(
            states, states.shape[2:], weights["norm.weight"], weights["norm.bias"]
        ).numpy()
    assert np.abs(found - wanted).max() < 1e-3 * np.abs(wanted).max()


def test_positions_are_sines_then_cosines_of_ever_longer_periods() -> None:
    found = encoder.positions(torch.zeros(1, 3000, 8)).numpy()
    rates = np.exp(-np.log(10_000) / 3 * np.arange(4))
    angles = np.arange(3000)[:, None] * rates
    np.testing.assert_allclose(found, np.concatenate([np.sin(angles), np.cos(angles)], axis=1), atol=1e-3)


NAMES = {
    "first": "conv1",
    "second": "conv2",
    "attention_norm": "self_attn_layer_norm",
    "attention.query": "self_attn.q_proj",
    "attention.key": "self_attn.k_proj",
    "attention.value": "self_attn.v_proj",
    "attention.out": "self_attn.out_proj",
    "dense_norm": "final_layer_norm",
    "dense.0": "fc1",
    "dense.2": "fc2",
}


def hugging_face(module: Encoder) -> dict[str, torch.Tensor]:
    """The weights under the names that Hugging Face gives them."""
    found = {"model.encoder.embed_positions.weight": torch.zeros(4, TINY.states)}
    for key, value in module.state_dict().items():
        block, name = ("", key) if not key.startswith("blocks.") else (key.split(".")[1], key.split(".", 2)[2])
        layer, _, parameter = name.rpartition(".")
        found[f"model.encoder.{f'layers.{block}.' if block else ''}{NAMES[layer]}.{parameter}"] = value
    return found


def ctranslate2_file(module: Encoder) -> bytes:
    """The weights as CTranslate2 writes them, in float16."""
    state = module.state_dict()
    variables = {f"encoder/conv{n}/{kind}": state[f"{name}.{kind}"] for n, name in ((1, "first"), (2, "second"))
                 for kind in ("weight", "bias")}  # fmt: skip
    for block in range(TINY.blocks):
        own, theirs = f"blocks.{block}.", f"encoder/layer_{block}/"
        parts = {kind: [state[f"{own}attention.{name}.{kind}"] if (name, kind) != ("key", "bias")
                        else torch.zeros(TINY.states) for name in ("query", "key", "value")]
                 for kind in ("weight", "bias")}  # fmt: skip
        for kind, gain in (("weight", "gamma"), ("bias", "beta")):
            variables[f"{theirs}self_attention/linear_0/{kind}"] = torch.cat(parts[kind])
            variables[f"{theirs}self_attention/linear_1/{kind}"] = state[f"{own}attention.out.{kind}"]
            variables[f"{theirs}self_attention/layer_norm/{gain}"] = state[f"{own}attention_norm.{kind}"]
            variables[f"{theirs}ffn/layer_norm/{gain}"] = state[f"{own}dense_norm.{kind}"]
            variables[f"{theirs}ffn/linear_0/{kind}"] = state[f"{own}dense.0.{kind}"]
            variables[f"{theirs}ffn/linear_1/{kind}"] = state[f"{own}dense.2.{kind}"]

    def text(value: str) -> bytes:
        return struct.pack("<H", len(value) + 1) + value.encode() + b"\0"

    content = struct.pack("<I", 6) + text("WhisperSpec") + struct.pack("<II", 3, len(variables) + 1)
    content += text("decoder/start") + struct.pack("<BIBI", 1, 1, 3, 4) + struct.pack("<i", 7)
    for name, value in variables.items():
        stored = value.numpy().astype(np.float16)
        shape = struct.pack(f"<B{stored.ndim}I", stored.ndim, *stored.shape)
        content += text(name) + shape + struct.pack("<BI", 4, stored.nbytes) + stored.tobytes()
    return content + struct.pack("<I", 0)


def same(found: Encoder, wanted: Encoder, tolerance: float = 0.0) -> bool:
    pairs = zip(found.state_dict().items(), wanted.state_dict().items(), strict=True)
    return all(name == other and (value - known).abs().max() <= tolerance for (name, value), (other, known) in pairs)


def test_weights_come_from_a_folder_of_hugging_face(tmp_path: Path) -> None:
    safetensors = pytest.importorskip("safetensors.torch", reason="safetensors is not installed")
    module = tiny_encoder()
    safetensors.save_file(hugging_face(module), tmp_path / "model.safetensors")
    assert same(pretrained.load_encoder(str(tmp_path), TINY.blocks), module)
    assert len(pretrained.load_encoder(str(tmp_path / "model.safetensors"), 1).blocks) == 1


def test_weights_come_from_ctranslate2_whole_or_cut_in_two(tmp_path: Path) -> None:
    module, content = tiny_encoder(), ctranslate2_file(tiny_encoder())
    (tmp_path / "whole").mkdir()
    (tmp_path / "whole" / "model.bin").write_bytes(content)
    assert same(pretrained.load_encoder(str(tmp_path / "whole"), TINY.blocks), module, 1e-3)
    for number, part in ((1, content[:9000]), (2, content[9000:])):
        (tmp_path / f"part{number}").mkdir()
        (tmp_path / f"part{number}" / f"model.bin.part{number}").write_bytes(part)
    (tmp_path / "whole" / "model.bin").unlink()
    assert same(pretrained.load_encoder(str(tmp_path), TINY.blocks), module, 1e-3)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no whole model.bin"),
        (b"GGUF and then something else", "no whole model.bin"),
        (struct.pack("<IH", 6, 16) + b"TransformerSpec\0", "TransformerSpec"),
        (ctranslate2_file(tiny_encoder())[:20_000], "it ends within|no whole"),
    ],
)
def test_a_truncated_or_foreign_file_is_one_sentence(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "model.bin").write_bytes(content)
    with pytest.raises(UsageError, match=said):
        pretrained.load_encoder(str(tmp_path / "model.bin"), 1)


def test_a_truncated_file_of_hugging_face_is_one_sentence(tmp_path: Path) -> None:
    safetensors = pytest.importorskip("safetensors.torch", reason="safetensors is not installed")
    safetensors.save_file(hugging_face(tiny_encoder()), tmp_path / "model.safetensors")
    whole = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UsageError, match="no whole file of weights"):
        pretrained.load_encoder(str(tmp_path), 1)


def test_weights_of_something_else_or_too_few_blocks_are_refused(tmp_path: Path) -> None:
    safetensors = pytest.importorskip("safetensors.torch", reason="safetensors is not installed")
    safetensors.save_file({"decoder.weight": torch.zeros(3)}, tmp_path / "model.safetensors")
    with pytest.raises(UsageError, match="no Whisper encoder of 2 blocks"):
        pretrained.load_encoder(str(tmp_path), 2)
    safetensors.save_file(hugging_face(tiny_encoder()), tmp_path / "model.safetensors")
    with pytest.raises(UsageError, match="no Whisper encoder of 3 blocks"):
        pretrained.load_encoder(str(tmp_path), 3)


def test_no_weights_at_all_are_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="no weights lie there"):
        pretrained.load_encoder(str(tmp_path), 2)
    with pytest.raises(UsageError, match="no weights lie there"):
        pretrained.load_encoder(str(tmp_path / "absent" / "folder"), 2)
    hub = pytest.importorskip("huggingface_hub", reason="huggingface-hub is not installed")

    def unreachable(*_: object) -> str:
        raise OSError("no route to host")

    monkeypatch.setattr(hub, "hf_hub_download", unreachable)
    with pytest.raises(UsageError, match="the hub gave no weights"):
        pretrained.load_encoder("openai/whisper-tiny.en", 2)
