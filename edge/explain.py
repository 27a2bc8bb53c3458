"""LMAC explanations: perturb what the network is given, observe its log-odds, rank what moved them.

The method, and what it is measured against: docs/explanations.md.
"""

import time

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType
from numpy.typing import NDArray

from edge import features, shapley
from edge.audio import SAMPLE_RATE
from edge.bundle import input_names
from edge.classifier import Classifier, Verdict
from edge.errors import ExplanationError

Floats = NDArray[np.float32]

TOLERANCE = 1e-3  # how far the parts may be from the whole, in log-odds
SILENCE_DB = -99.0  # log-mel power below which a bin holds nothing but the floor of edge.features
SHORTEST_FRAMES = 1 + features.WINDOW_SAMPLES // features.HOP_SAMPLES  # a clip of one analysis window


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Why: signed contributions to the log-odds of ``target``, which the families share out without rest.

    ``value`` is the target's log-odds before the temperature, ``base_value`` that of the baseline.
    """

    method: str
    target: str
    baseline: str
    base_value: float
    value: float
    families: dict[str, float] = {}
    residual: float = 0.0
    """The families' sum, less ``value - base_value``: the rounding of the runtime."""
    features: list[str] = []
    time: list[str] = []
    evaluations: int
    milliseconds: float
    uncertain: bool | UnsetType = UNSET
    """Present, and true, where the target is the best of an uncertain prediction."""


class Explainer:
    """Explains a classifier's verdicts."""

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier
        self._bundle = classifier.bundle
        self._groups = membership(self._bundle.profile)

    def families(self, frames: Floats, verdict: Verdict | None = None) -> Explanation:
        """The exact Shapley value of every family for the verdict's best class, from one batch of all coalitions.

        ``frames`` are raw, float32 [time, 105]; ``verdict`` is the classifier's on them, computed here if not given.
        Raises ExplanationError for silence, for too short a clip, and where the parts do not add up to the whole.
        """
        begin = time.perf_counter()
        baseline = self._baseline(frames)
        verdict = verdict or self._classifier.classify(frames)
        target = self._bundle.labels.index(verdict.label)
        masks = shapley.coalitions(len(self._groups))
        worths = log_odds(self.logits(self._classifier.inputs(frames), masks))[:, target]
        shares = shapley.values(worths)
        value, base_value = float(log_odds(verdict.logits[None])[0, target]), float(worths[0])
        residual = float(shares.sum()) - (value - base_value)
        if not abs(residual) < TOLERANCE:
            raise ExplanationError(
                f"The families' shares miss the verdict by {residual:.2g}: "
                f"run `affectd bundle verify` on {self._bundle.path}"
            )
        return Explanation(
            method="shapley-families",
            target=verdict.label,
            baseline=baseline,
            base_value=base_value,
            value=value,
            families=dict(zip(features.FAMILIES, shares.tolist(), strict=True)),
            residual=residual,
            evaluations=len(masks),
            milliseconds=(time.perf_counter() - begin) * 1e3,
            uncertain=True if verdict.uncertain else UNSET,
        )

    def logits(self, inputs: Floats, masks: Floats) -> Floats:
        """Logits [rows, classes] of what the network is given, each family kept (1) or at its baseline (0) by a row.

        ``inputs`` are float32 [1, time, features] (or [1, features] when pooled), ``masks`` float32 [rows, families].
        """
        bundle = self._bundle
        if bundle.coalitions:
            feed = {"frames": inputs, "masks": masks, "groups": self._groups}
            return bundle.coalitions.run(["logits"], feed)[0]
        kept = masks @ self._groups
        rows = inputs * (kept[:, None] if inputs.ndim == 3 else kept)
        return bundle.model.run(["logits"], {bundle.profile: rows})[0]

    def _baseline(self, frames: Floats) -> str:
        """The baseline in words, or the reason why these frames have no explanation."""
        if len(frames) < SHORTEST_FRAMES:
            needed = features.WINDOW_SAMPLES * 1000 // SAMPLE_RATE
            raise ExplanationError(f"The clip is shorter than one window of {needed} ms: give more of it to explain")
        if not frames[:, features.FAMILIES["mel"]].max() > SILENCE_DB:
            raise ExplanationError(
                "The clip is digital silence, in which nothing speaks for an emotion: give one with sound"
            )
        baseline = self._bundle.manifest.baseline
        if baseline is None:
            raise ExplanationError(
                f"The bundle {self._bundle.path} names no baseline to explain against: "
                "export it again with this version"
            )
        return f"{baseline}, adapted to this source" if self._classifier.adapter else baseline


def log_odds(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Log-odds [rows, classes] of every class against all others: z_c - logsumexp of the other logits."""
    logits = logits.astype(np.float64)
    others = np.repeat(logits[:, None], logits.shape[1], axis=1)
    others[:, np.arange(logits.shape[1]), np.arange(logits.shape[1])] = -np.inf
    highest = others.max(axis=2)
    odds: NDArray[np.float64] = logits - highest - np.log(np.exp(others - highest[:, :, None]).sum(axis=2))
    return odds


def membership(profile: str) -> Floats:
    """Which family each input belongs to: float32 [families, features] of 0 and 1."""
    own = {name: family for family, place in features.FAMILIES.items() for name in features.NAMES[place]}
    names = input_names("frames" if profile == "frames" else "pooled")
    families = [own[name if profile == "frames" else name.rsplit("_", 1)[0]] for name in names]
    return np.array([[family == member for member in families] for family in features.FAMILIES], np.float32)
