"""Planted feature: if only one contrast band tells two classes apart, the explanation must name that band."""

import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import nn

from benchmarks.explanations.clips import held_out
from edge.explain.explainer import Explainer
from edge.features import FeatureSet
from edge.model.bundle import Bundle, Scaler
from edge.model.classifier import Classifier
from export.__main__ import export
from train.checkpoint import Checkpoint
from train.network import EmotionNetwork, NetworkSettings

PLANTED = "contrast_800hz"
FRAMES, STEPS, BATCH, SHIFT = 96, 300, 48, 1.5  # the shift is in standard deviations
TRAINED, TESTED = 120, 100


def planted(frames: np.ndarray, band: int, yes: np.ndarray) -> np.ndarray:
    """Scaled frames [clips, time, features], with ``band`` raised in the clips of ``yes`` and lowered in the others."""
    marked = frames.copy()
    marked[:, :, band] -= marked[:, :, band].mean(axis=1, keepdims=True)
    marked[:, :, band] += np.where(yes, SHIFT, -SHIFT)[:, None]
    return marked


def fitted(frames: np.ndarray, band: int, seed: int) -> EmotionNetwork:
    """A network of the shipped sizes, trained to tell the planted classes apart."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = EmotionNetwork(NetworkSettings(inputs=frames.shape[-1], classes=2)).train()
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3, weight_decay=1e-3)
    for _ in range(STEPS):
        yes = rng.random(BATCH) < 0.5
        batch = planted(frames[rng.integers(len(frames), size=BATCH)], band, yes)
        logits, _, _ = network(torch.from_numpy(batch))
        loss = nn.functional.cross_entropy(logits, torch.from_numpy(yes.astype(np.int64)))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return network.eval()


def table(bundle: Bundle) -> str:
    torch.set_num_threads(1)
    clips = [clip for clip in held_out(bundle) if len(clip.frames) >= FRAMES][: TRAINED + TESTED]
    chosen = FeatureSet(bundle.features.hand_made)  # a network of its own needs no encoder
    names = chosen.names
    scaled = np.stack([bundle.scaler.apply(clip.frames[:FRAMES])[:, : len(names)] for clip in clips])
    band = names.index(PLANTED)
    network = fitted(scaled[:TRAINED], band, seed=0)
    scaler = Scaler(np.zeros(len(names), np.float32), np.ones(len(names), np.float32))
    trained = Checkpoint(network.settings, network.state_dict(), scaler, ["no", "yes"], chosen)
    with tempfile.TemporaryDirectory() as folder:
        classifier = Classifier(export(trained, Path(folder) / "planted", "planted"))
    explainer = Explainer(classifier)
    yes = np.arange(len(scaled) - TRAINED) % 2 == 0
    right, first, family = [], [], []
    for frames, truth in zip(planted(scaled[TRAINED:], band, yes), yes, strict=True):
        prediction = classifier.predict(frames)
        explanation = explainer.explain(prediction, ("families", "features"))
        right.append(prediction.label == ("yes" if truth else "no"))
        first.append(explanation.features[0].feature == PLANTED)
        family.append(max(explanation.families, key=lambda name: abs(explanation.families[name])) == "contrast")
    return "\n".join(
        [
            "| new clips | told apart % | the planted band ranks first % | its family ranks first % |",
            "|--:|--:|--:|--:|",
            f"| {len(right)} | {100 * np.mean(right):.0f} | {100 * np.mean(first):.0f} | {100 * np.mean(family):.0f} |",
        ]
    )
