"""L-MAC's metrics on masks over time and frequency: the bundle's map, and what other methods make of the same verdict.

Every mask is laid over the sound's own spectrum, and what it keeps goes the whole way of the device, from samples to
verdict, as does the rest.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from benchmarks.explanations import methods
from benchmarks.explanations.clips import Clip, held_out
from benchmarks.explanations.masks import complexity, sparseness
from benchmarks.explanations.subject import Subject
from edge.audio import FULL_SCALE
from edge.explain import listening, occlusion
from edge.explain.values import log_odds
from edge.features import HOP_SAMPLES, MELS, log_mel
from edge.features.log_mel import BANDS
from edge.model import encoder
from edge.model.bundle import Bundle
from edge.model.classifier import Classifier, softmax
from train.chain import Chain, masked
from train.conditions import condition
from train.settings import sounds_folder

CLIPS = 50
EVALUATIONS = 150
PATCH_BANDS, PATCH_COLUMNS = 10, 25  # of log-mel: an eighth of the bands, a quarter of a second
CACHE = Path("runs/cache")
CONDITIONS = ("near", "far")
OURS = "map"


@dataclass(frozen=True)
class Sounding:
    """A clip, its verdict, and what becomes of it under masks over its log-mel [80, time]."""

    samples: np.ndarray
    subject: Subject
    chain: Chain

    @cached_property
    def spectrum(self) -> np.ndarray:
        return log_mel.log_mel(self.samples)

    @cached_property
    def patches(self) -> np.ndarray:
        """The number of the patch that each point of the log-mel belongs to [80, time]."""
        columns = max(1, round(self.spectrum.shape[1] / PATCH_COLUMNS))
        along = np.arange(self.spectrum.shape[1]) * columns // self.spectrum.shape[1]
        return np.arange(BANDS)[:, None] // PATCH_BANDS * columns + along

    def logits(self, samples: np.ndarray) -> np.ndarray:
        return self.subject.explainer.classifier.predict(encoder.frames(samples, self.subject.bundle)).logits

    def value(self, kept: np.ndarray) -> np.ndarray:
        """Log-odds [rows] of the verdict with patches kept or silenced [rows, patches]."""
        rows = [self.logits(listening.parted(self.samples, row[self.patches])[0]) for row in kept.astype(np.float32)]
        return log_odds(np.stack(rows))[:, self.subject.target]

    def metrics(self, mask: np.ndarray) -> list[float]:
        """Drop, increase, gain (%), faithfulness, fidelity (%), sparseness, complexity, and the share kept (%)."""
        kept, rest = listening.parted(self.samples, mask)
        logits = np.stack([self.subject.prediction.logits, self.logits(kept), self.logits(rest)])
        target = self.subject.target
        whole, inside, outside = softmax(logits)[:, target]
        return [
            100 * max(0.0, whole - inside) / whole,
            100 * float(inside > whole),
            100 * max(0.0, inside - whole) / (1 - whole),
            whole - outside,
            100 * float(logits[1].argmax() == target),
            sparseness(mask.ravel()) if mask.any() else 1.0,
            complexity(mask.ravel()) if mask.any() else 0.0,
            100 * float(mask.mean()),
        ]

    def gradients(self) -> tuple[np.ndarray, np.ndarray]:
        """Of the log-odds: by the mask, where it is 1 everywhere [80, time], and Grad-CAM of the encoder's frames."""
        samples = torch.from_numpy(self.samples.astype(np.float32) / FULL_SCALE)[None]
        mask = torch.ones(1, BANDS, self.spectrum.shape[1], requires_grad=True)
        heard = self.chain(masked(samples, mask))
        others = torch.cat([heard.logits[:, : self.subject.target], heard.logits[:, self.subject.target + 1 :]], dim=1)
        odds = (heard.logits[:, self.subject.target] - others.logsumexp(dim=1)).sum()
        by_mask, by_states = torch.autograd.grad(odds, [mask, heard.states])
        cam = (by_states.mean(dim=1, keepdim=True) * heard.states).sum(dim=2).clamp(min=0)[0].detach().numpy()
        over_time = np.repeat(cam, encoder.STRIDE)[: self.spectrum.shape[1]]
        return by_mask[0].numpy(), np.tile(over_time, (BANDS, 1))

    def moments(self) -> np.ndarray:
        """Our effect of every moment, the same in every band [80, time]."""
        subject = self.subject
        windows = occlusion.windows(subject.inputs.shape[1])
        values = lambda logits: log_odds(logits)[:, subject.target]  # noqa: E731
        effects = subject.explainer.window_effects(subject.prediction, windows.weights, values)
        curve = occlusion.curve(windows.weights, effects)
        places = np.arange(self.spectrum.shape[1]) * log_mel.HOP_SAMPLES // HOP_SAMPLES
        return np.tile(curve[np.minimum(places, len(curve) - 1)], (BANDS, 1))

    def bands(self) -> np.ndarray:
        """Our effect of every log-mel feature, 40 bands to the utterance, the same at every moment [80, time]."""
        subject = self.subject
        place = subject.bundle.features.places["mel"]
        masks = np.ones((1 + MELS, subject.features), np.float32)
        masks[np.arange(1, 1 + MELS), np.arange(place.start, place.stop)] = 0
        found = subject.value(masks)
        return np.repeat((found[0] - found[1:])[np.arange(BANDS) * MELS // BANDS, None], self.spectrum.shape[1], axis=1)


def scores(sounding: Sounding, seed: int) -> dict[str, np.ndarray]:
    """What each method says of every point [80, time]; its sign says for or against, where it has one."""
    patches = sounding.patches
    count = int(patches.max()) + 1
    by_mask, cam = sounding.gradients()
    return {
        f"LIME, {EVALUATIONS} evaluations": methods.lime(sounding.value, count, EVALUATIONS, seed)[patches],
        f"Kernel SHAP, {EVALUATIONS} evaluations": methods.kernel_shap(sounding.value, count, EVALUATIONS)[patches],
        "occlusion of patches": methods.occlusion(sounding.value, count)[patches],
        "saliency": np.abs(by_mask),
        "gradient times input": by_mask,
        "Grad-CAM": cam,
        "ours: time": sounding.moments(),
        "ours: log-mel features": sounding.bands(),
        "chance": np.random.default_rng(seed).normal(size=count)[patches],
    }


FORMS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "what is positive": lambda found: (found > 0).astype(np.float32),
    "what is over the mean": lambda found: (found > found.mean()).astype(np.float32),
    "in proportion": lambda found: (np.maximum(found, 0) / max(float(found.max()), 1e-12)).astype(np.float32),
}
"""How a method's scores become a mask."""


def soundings(bundle: Bundle, where: str, count: int) -> Iterator[Sounding]:
    """Held-out clips as they are heard in a condition."""
    classifier, chain = Classifier(bundle), Chain(bundle)
    named = condition(where, CACHE, sounds_folder())
    for number, clip in enumerate(held_out(bundle, count)):
        heard = clip if named is None else replace(clip, samples=_changed(clip, number, named[1]))
        yield Sounding(heard.samples, Subject.of(classifier, heard), chain)


def _changed(clip: Clip, number: int, change: Callable[..., np.ndarray]) -> np.ndarray:
    found = change(clip.samples.astype(np.float32) / np.float32(FULL_SCALE), np.random.default_rng(number))
    return np.rint(found * FULL_SCALE).clip(-FULL_SCALE, FULL_SCALE - 1).astype(np.int16)


def table(bundle: Bundle) -> str:
    lines = []
    for where in CONDITIONS:
        found: dict[str, dict[str, list[list[float]]]] = defaultdict(lambda: defaultdict(list))
        for number, sounding in enumerate(soundings(bundle, where, CLIPS)):
            mask = listening.mask(bundle, sounding.spectrum, sounding.subject.prediction.logits)
            found[OURS]["as it is"].append(sounding.metrics(mask))
            for name, values in scores(sounding, number).items():
                signed = values.min() < 0  # else all of it is positive, and a mask that keeps all says nothing
                for form, shape in list(FORMS.items())[0 if signed else 1 :]:
                    found[name][form].append(sounding.metrics(shape(values)))
        lines += [f"{where}:", "", *_rows(found), ""]
    note = (
        f"{CLIPS} held-out clips in each condition; patches are of {PATCH_BANDS} bands and a quarter of a second. "
        "Each other method's scores become a mask in three ways: what is positive, what is over the mean, or in "
        "proportion to the largest (what has no sign, in the latter two); that which does best on drop, increase and "
        "faithfulness together is listed. All figures are averages."
    )
    return "\n".join([*lines, note])


def _rows(found: dict[str, dict[str, list[list[float]]]]) -> list[str]:
    lines = [
        "| mask | keeps | drop % ↓ | increase % ↑ | gain % ↑ | faithfulness ↑ | fidelity % ↑ | sparseness ↑ "
        "| complexity ↓ | kept % |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for name, forms in found.items():
        means = {form: np.mean(rows, axis=0) for form, rows in forms.items()}
        form = max(means, key=lambda one: means[one][1] - means[one][0] + 100 * means[one][3])
        drop, increase, gain, faithfulness, fidelity, sparse, complex_, kept = means[form]
        lines.append(
            f"| {name} | {form} | {drop:.1f} | {increase:.0f} | {gain:.1f} | {faithfulness:.3f} | {fidelity:.0f} "
            f"| {sparse:.2f} | {complex_:.2f} | {kept:.0f} |"
        )
    return lines
