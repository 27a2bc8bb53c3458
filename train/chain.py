"""The device's way from sound to verdict, in torch: what a mask over the sound learns through.

The hand-made families, the log-mel and the mask over a spectrum are those of ``edge.features`` and
``edge.explain.listening``, in single precision and with gradients; the networks are a bundle's own, rebuilt from its
graphs. Nothing of a bundle is trained here.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn
from torch.nn import functional

from edge.audio import FULL_SCALE
from edge.errors import UsageError
from edge.explain.listening import CARRIED
from edge.features import families, log_mel, prosody, spectrum
from edge.model.bundle import Bundle
from edge.model.encoder import nearest
from edge.model.manifest import ENCODER, MODEL
from train.encoder import EncoderSettings
from train.network import EmotionNetwork, NetworkSettings
from train.speech import Speech

Array = NDArray[np.float32]

_DECIBELS = float(families.DECIBELS)
_TINY = 1e-20  # below the power of a rounding step by far: where a root would have no slope


@dataclass(frozen=True)
class Heard:
    """What the chain makes of sounds: log-mel [batch, 80, time], the encoder's raw columns [batch, time', width] and
    its frames [batch, time', states], logits [batch, classes].
    """

    log_mel: Tensor
    speech: Tensor
    states: Tensor
    logits: Tensor


class Chain(nn.Module):
    """A bundle's verdict on sounds float32 [batch, n], at a full scale of 1, of a source that nothing is known of.

    UsageError for a bundle without an encoder. Its weights are frozen; ``half`` computes the encoder in half precision.
    """

    def __init__(self, bundle: Bundle, *, half: bool = False) -> None:
        super().__init__()
        self.half_precision = half
        if bundle.encoder is None:
            raise UsageError(f"{bundle.path}: the bundle has no encoder, on which a map rests; choose one with it.")
        self.chosen = bundle.features
        self.speech = encoder_of(bundle)
        self.network = network_of(bundle)
        self.mean, self.scale = (_constant(part) for part in (bundle.scaler.mean, bundle.scaler.scale))
        self.requires_grad_(requires_grad=False)
        self.eval()

    def forward(self, samples: Tensor) -> Heard:
        hand_made = hand_made_of(power_of(samples), self.chosen.hand_made)
        mel = log_mel_of(samples)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.half_precision):
            states = self.speech.encoder(mel)
            speech = self.speech.project(states)
        states, speech = states.float(), speech.float()
        places = torch.from_numpy(nearest(hand_made.shape[1], speech.shape[1]))
        frames = torch.cat([hand_made, speech[:, places]], dim=2)
        logits, _, _ = self.network((frames - self.mean) / self.scale)
        return Heard(mel, speech, states, logits)


def power_of(samples: Tensor) -> Tensor:
    """Power spectra [batch, frames, 513] of sounds [batch, n]: ``edge.features.spectrum``."""
    size, hop = spectrum.WINDOW_SAMPLES, spectrum.HOP_SAMPLES
    count = 1 + samples.shape[1] // hop
    padded = functional.pad(samples, (size // 2, max(0, (count - 1) * hop + size // 2 - samples.shape[1])))
    found = torch.fft.rfft(padded.unfold(1, size, hop)[:, :count] * _constant(spectrum.WINDOW), dim=2)
    power: Tensor = found.real.square() + found.imag.square()
    return power


def log_mel_of(samples: Tensor) -> Tensor:
    """Log-mel [batch, 80, n // 160] of sounds [batch, n]: ``edge.features.log_mel``."""
    size, hop = log_mel.WINDOW_SAMPLES, log_mel.HOP_SAMPLES
    count = max(1, samples.shape[1] // hop)
    padded = functional.pad(samples[:, None], (size // 2, size // 2), mode="reflect")[:, 0]
    found = torch.fft.rfft(padded.unfold(1, size, hop)[:, :count] * _constant(log_mel.WINDOW), dim=2)
    bands = (found.real.square() + found.imag.square()) @ _constant(log_mel.BANK)
    level = torch.log10(bands.clamp(min=log_mel.FLOOR))
    level = torch.maximum(level, level.amax(dim=(1, 2), keepdim=True) - log_mel.RANGE)
    scaled: Tensor = (level + 4) / 4
    return scaled.transpose(1, 2)


def masked(samples: Tensor, mask: Tensor) -> Tensor:
    """Sounds [batch, n] under masks [batch, 80, time]: ``edge.explain.listening.parted``, rounded as 16 bits are."""
    size, hop, half = log_mel.WINDOW_SAMPLES, log_mel.HOP_SAMPLES, log_mel.WINDOW_SAMPLES // 2
    length = samples.shape[1]
    count = 2 + length // hop
    last = torch.arange(count).clamp(max=mask.shape[2] - 1)
    total = (count - 1) * hop + size
    window = _constant(log_mel.WINDOW)
    windows = functional.pad(samples, (half, total - half - length)).unfold(1, size, hop) * window
    bins = mask.transpose(1, 2)[:, last] @ _constant(CARRIED)
    parts = torch.fft.irfft(torch.fft.rfft(windows, dim=2) * bins, size, dim=2) * window
    weight = (window**2)[:, None].expand(size, count)[None]
    summed, weights = (
        functional.fold(part, (1, total), (1, size), stride=(1, hop))[:, 0, 0, half : half + length]
        for part in (parts.transpose(1, 2), weight)
    )
    return rounded(summed / weights)


def rounded(samples: Tensor) -> Tensor:
    """Samples in the steps of 16 bits, whose slope stays that of what is rounded."""
    steps = (samples * FULL_SCALE).round().clamp(-FULL_SCALE, FULL_SCALE - 1) / FULL_SCALE
    return samples + (steps - samples).detach()


def hand_made_of(power: Tensor, names: Sequence[str]) -> Tensor:
    """The hand-made families' columns [batch, frames, columns] of power spectra [batch, frames, 513]."""
    mel = _decibels(power @ _constant(families.MEL_BANK))
    classes = power @ _constant(families.CHROMA_BANK)
    chroma = classes / _length(classes.amax(dim=2, keepdim=True))
    columns: dict[str, Callable[[], Tensor]] = {
        "mfcc": lambda: mel @ _constant(families.DCT),
        "mel": lambda: mel,
        "chroma": lambda: chroma,
        "contrast": lambda: _contrast(power),
        "tonnetz": lambda: chroma / _length(chroma.sum(dim=2, keepdim=True)) @ _constant(families.TONNETZ),
        "prosody": lambda: _prosody(power),
    }
    return torch.cat([columns[name]() for name in names], dim=2)


def _decibels(power: Tensor, least: float = families.AMIN) -> Tensor:
    return _DECIBELS * power.clamp(min=least).log()


def _length(norm: Tensor) -> Tensor:
    """The divisor: 1 for silence."""
    return torch.where(norm < families.SMALLEST, torch.ones_like(norm), norm)


def _contrast(power: Tensor) -> Tensor:
    levels = []
    for band, count in families.CONTRAST_BANDS:
        ordered = power[:, :, band].clamp(min=_TINY).sort(dim=2).values.sqrt()
        valley, peak = ordered[:, :, :count].mean(dim=2), ordered[:, :, -count:].mean(dim=2)
        levels.append(_decibels(peak) - _decibels(valley))
    return torch.stack(levels, dim=2)


def _prosody(power: Tensor) -> Tensor:
    smallest = float(np.sqrt(prosody.AMIN))
    correlation = power[:, :, : prosody.BINS].clamp(min=_TINY).sqrt() @ _constant(prosody.TRANSFORM)
    before, here, after = correlation[:, :, :-3], correlation[:, :, 1:-2], correlation[:, :, 2:-1]
    zero = correlation[:, :, -1:].clamp(min=smallest)
    peaks = (here >= before) & (here >= after)
    best = torch.where(peaks, here - _constant(prosody.COST) * zero, -zero).argmax(dim=2, keepdim=True)
    left, top, right = (side.gather(2, best) for side in (before, here, after))
    bend = (left - 2 * top + right).clamp(max=-smallest)
    offset = (0.5 * (left - right) / bend).clamp(-0.5, 0.5)
    octaves = torch.log2(prosody.RATE / (prosody.SHORTEST + best + offset) / prosody.PITCH_REFERENCE)
    voicing = (top / zero).clamp(0, 1)
    energy = power.sum(dim=2, keepdim=True)
    alpha = [power[:, :, prosody.place(band)].sum(dim=2, keepdim=True) for band in prosody.ALPHA_BANDS]
    peak = [power[:, :, prosody.place(band)].amax(dim=2, keepdim=True) for band in prosody.HAMMARBERG_BANDS]
    tilts = [_decibels(low, prosody.AMIN) - _decibels(high, prosody.AMIN) for low, high in (alpha, peak)]
    return torch.cat([voicing * octaves, voicing, _decibels(energy, prosody.AMIN), *tilts], dim=2)


def _constant(values: NDArray[np.floating]) -> Tensor:
    return torch.from_numpy(np.asarray(values, np.float32))


def encoder_of(bundle: Bundle) -> Speech:
    """The encoder and its projection from ``encoder.onnx``, its 8-bit weights at their scales."""
    model = onnx.load(bundle.path / ENCODER)
    tensors = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
    states = len(tensors["encoder.second.bias"])
    blocks = sum(name.endswith("dense_norm.bias") for name in tensors)
    level = any(node.op_type == "ReduceMax" for node in model.graph.node)
    # A head is 64 wide in every size of Whisper.
    speech = Speech(EncoderSettings(blocks, states, states // 64, level), len(tensors["project.bias"]))
    products = _products(model, tensors)
    found: dict[str, Tensor] = {}
    for name, value in speech.state_dict().items():
        if name.startswith("norm."):
            found[name] = value
        elif name in tensors:
            found[name] = torch.from_numpy(tensors[name].copy())
        else:
            found[name] = torch.from_numpy(next(products).T.copy())
    speech.load_state_dict(found)
    return speech


def _products(model: onnx.ModelProto, tensors: dict[str, NDArray[np.floating]]) -> Iterator[Array]:
    """The factors [in, out] of the encoder's products, in order: query, key, value, out, dense, dense; the last."""
    names = [node.input[1] for node in model.graph.node if node.op_type == "MatMulInteger"]
    for name in dict.fromkeys(names):  # each stands twice, once for what 8 bits leave over
        stem = name.removesuffix("_quantized")
        scale, zero = tensors[f"{stem}_scale"], tensors[f"{stem}_zero_point"]
        yield ((tensors[name].astype(np.float32) - zero) * scale).astype(np.float32)


def network_of(bundle: Bundle) -> EmotionNetwork:
    """The network from ``model.onnx``; its first norms, which the export folded into the convolutions, do nothing."""
    model = onnx.load(bundle.path / MODEL)
    tensors = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
    nodes = [node for node in model.graph.node if node.op_type in ("Conv", "LSTM", "MatMul")]
    convolutions = [node for node in nodes if node.op_type == "Conv"]
    weights = [tensors[node.input[1]] for node in convolutions]
    recurrent = next(node for node in nodes if node.op_type == "LSTM")
    hidden = tensors[recurrent.input[2]].shape[2]
    inputs, width = weights[0].shape[1], tensors["embedding_norm.running_mean"].shape[0]
    settings = NetworkSettings(
        inputs=inputs,
        classes=len(bundle.labels),
        channels=tuple(weight.shape[0] for weight in weights),
        strides=tuple(_stride(node) for node in convolutions),
        kernels=tuple(weight.shape[2] for weight in weights),
        hidden=hidden,
        speech=bundle.features.speech,
        statistics=width > 4 * hidden,
    )
    network = EmotionNetwork(settings)
    state = {name: torch.from_numpy(value.copy()) for name, value in tensors.items() if name in network.state_dict()}
    biases = [torch.from_numpy(tensors[node.input[2]].copy()) for node in convolutions]
    state["front.weight"], state["front.bias"] = torch.from_numpy(weights[0].copy()), biases[0]
    for place, (weight, bias) in enumerate(zip(weights[1:], biases[1:], strict=True)):
        state[f"convolutions.{place}.0.weight"] = torch.from_numpy(weight.copy())
        state[f"convolutions.{place}.1.bias"] = bias
    state |= _recurrent(*(tensors[name] for name in recurrent.input[1:4]))
    first, second = (tensors[node.input[1]] for node in nodes if node.op_type == "MatMul")
    state["attention.0.weight"], state["attention.2.weight"] = (
        torch.from_numpy(part.T.copy()) for part in (first, second)
    )
    missing = network.load_state_dict(state, strict=False).missing_keys
    for name, module in network.named_modules():
        if isinstance(module, nn.BatchNorm1d) and name != "embedding_norm":
            module.eps = 0.0  # mean 0, variance 1: as it was made, and nothing added
    wanted = {name for name in missing if "norm" not in name and not name.startswith("convolutions")}
    if wanted:
        raise UsageError(f"{bundle.path / MODEL}: lacks {min(wanted)}, which this version's network has.")
    return network.eval()


def _stride(node: onnx.NodeProto) -> int:
    return next(int(one.ints[0]) for one in node.attribute if one.name == "strides")


def _recurrent(inputs: Array, states: Array, biases: Array) -> dict[str, Tensor]:
    """The tensors of torch's LSTM from those of ONNX, whose gates come in the order input, output, forget, cell."""
    found = {}
    for direction, suffix in enumerate(("", "_reverse")):
        halves = np.split(biases[direction], 2)
        for name, value in (("weight_ih", inputs), ("weight_hh", states)):
            found[f"recurrent.{name}_l0{suffix}"] = _gates(value[direction])
        for name, value in zip(("bias_ih", "bias_hh"), halves, strict=True):
            found[f"recurrent.{name}_l0{suffix}"] = _gates(value)
    return found


def _gates(values: Array) -> Tensor:
    take, show, keep, new = np.split(values, 4)
    return torch.from_numpy(np.concatenate([take, keep, new, show]))
