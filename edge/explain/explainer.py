"""LMAC explanations: perturb what the network is given, observe its log-odds, rank what moved them.

The method, and what it is measured against: docs/explanations.md.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import combinations
from typing import Literal

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType
from numpy.typing import NDArray

from edge import features
from edge.audio import SAMPLE_RATE
from edge.errors import ExplanationError, UsageError
from edge.explain import occlusion, shapley
from edge.features import FeatureSet
from edge.features.wording import words
from edge.model.bundle import input_names
from edge.model.classifier import Classifier, Verdict

Floats = NDArray[np.float32]
Part = Literal["families", "features", "time"]
Worth = Callable[[NDArray[np.floating]], NDArray[np.float64]]

PARTS: tuple[Part, ...] = ("families", "features", "time")
COLD: Mapping[str, Floats] = {}
FAMILIES_ALONE: tuple[Part, ...] = ("families",)
METHODS: dict[Part, str] = {"families": "shapley-families", "features": "occlusion-features", "time": "occlusion-time"}
TOP_FEATURES = 8
TOLERANCE = 1e-3  # how far the parts may be from the whole, in log-odds
SILENCE_DB = -99.0  # log-mel power below which a bin holds nothing but the floor of edge.features
LONGEST_SECONDS = 61  # past the longest utterance that the gate can be told to let through
ROWS_OF_FRAMES = 25_000  # rows times frames in one batch: about 50 MB within the network
SHORTEST_FRAMES = 1 + features.WINDOW_SAMPLES // features.HOP_SAMPLES  # a clip of one analysis window


class FeatureEffect(msgspec.Struct, frozen=True, kw_only=True):
    """What the target's log-odds lose when one feature is set to its baseline; ``rest`` is the sum over all others."""

    feature: str
    name: str
    """The feature in words."""
    effect: float


class TimeEffect(msgspec.Struct, frozen=True, kw_only=True):
    """What a stretch of the utterance is worth to the target's log-odds: see ``Explainer.window_effects``."""

    start_s: float
    end_s: float
    effect: float


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Why: signed contributions to the log-odds of ``target``, which the families share out without rest.

    ``value`` is the target's log-odds before the temperature (against one label, the difference of the two logits),
    ``base_value`` that of the baseline.
    """

    method: str
    target: str
    baseline: str
    base_value: float
    value: float
    families: dict[str, float] = {}
    residual: float = 0.0
    """The families' sum, less ``value - base_value``: the rounding of the runtime."""
    features: list[FeatureEffect] = []
    """The largest first, then the rest."""
    time: list[TimeEffect] = []
    """Windows in order; they overlap."""
    evaluations: int
    milliseconds: float
    against: str | UnsetType = UNSET
    """The label that the target is explained against, where not all others."""
    interactions: dict[str, float] | UnsetType = UNSET
    """What two families, joined by ``&``, say only together (positive) or both alike (negative)."""
    segment: TimeEffect | UnsetType = UNSET
    """The stretch that speaks most for the target; its effect is the mean over it."""
    attention: list[float] | UnsetType = UNSET
    """The network's attention, one weight for each equal share of the utterance: where it looks, not what it finds."""
    uncertain: bool | UnsetType = UNSET
    """Present, and true, where the target is the best of an uncertain prediction."""


class Explainer:
    """Explains a classifier's verdicts."""

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier
        self._bundle = classifier.bundle
        self._families = membership(self._bundle.profile, self._bundle.features)

    def families(self, frames: Floats, verdict: Verdict | None = None) -> Explanation:
        """The exact Shapley value of every family for the verdict's best class: ``explain`` with that part alone."""
        return self.explain(frames, verdict, FAMILIES_ALONE)

    def explain(
        self,
        frames: Floats,
        verdict: Verdict | None = None,
        parts: Collection[Part] = PARTS,
        against: str | None = None,
    ) -> Explanation:
        """Why the classifier's verdict on an utterance is what it is.

        ``frames`` are raw, float32 [time, features]; ``verdict`` is the classifier's, computed here if not given;
        ``against`` is a label that the target is compared with, in place of all others. Raises ExplanationError for
        silence, for too short a clip, and where the parts do not add up to the whole; UsageError for an unknown label.
        """
        return self.understand(frames, verdict, parts, against)[1]

    def understand(
        self,
        frames: Floats,
        verdict: Verdict | None = None,
        parts: Collection[Part] = FAMILIES_ALONE,
        against: str | None = None,
    ) -> tuple[Verdict, Explanation]:
        """``explain``, and the verdict: of a batch with all coalitions of families, the largest is the classifier's."""
        begin = time.perf_counter()
        self.require_label(against)
        baseline = self._baseline(frames, parts)
        inputs, count = self._classifier.inputs(frames, verdict), len(self._families)
        masks = shapley.coalitions(count) if "families" in parts else np.zeros((1, count), np.float32)
        usual = self._classifier.usual(verdict)
        logits, embedding = self._scores(inputs, masks, usual)
        if verdict is None:
            whole = self._classifier.verdict(logits[-1], embedding=embedding) if "families" in parts else None
            verdict = whole or self._classifier.classify(frames)
        if verdict.label == against:
            raise ExplanationError(f"The verdict is {against} itself: ask against another label")
        worth = _question(self._bundle.labels, verdict.label, against)
        value, worths = float(worth(verdict.logits[None])[0]), worth(logits)
        found: dict[str, object] = {}
        evaluations = len(worths)
        if "families" in parts:
            found |= self._shared_out(worths, value)
        if "features" in parts:
            all_but_one = 1 - np.eye(inputs.shape[-1], dtype=np.float32)
            effects = value - worth(self.logits_of_features(inputs, all_but_one, usual))
            found["features"] = _ranked(effects, input_names(self._bundle.profile, self._bundle.features))
            evaluations += len(effects)
        if "time" in parts:
            windows = occlusion.windows(len(frames))
            effects = self.window_effects(frames, verdict, windows.weights, worth)
            found |= _over_time(windows, effects) | {"attention": self._attention(inputs)}
            evaluations += 2 * len(effects) + 2
        return verdict, Explanation(
            method="+".join(METHODS[part] for part in PARTS if part in parts),
            target=verdict.label,
            baseline=f"{baseline}, adapted to this source" if verdict.adapter else baseline,
            base_value=float(worths[0]),
            value=value,
            evaluations=evaluations,
            milliseconds=(time.perf_counter() - begin) * 1e3,
            against=against or UNSET,
            uncertain=True if verdict.uncertain else UNSET,
            **found,  # type: ignore[arg-type]
        )

    def require_label(self, label: str | None) -> None:
        """UsageError, with those that there are, for a label that the bundle has not."""
        if label is not None and label not in self._bundle.labels:
            raise UsageError(f"No label is called {label}: choose one of {', '.join(self._bundle.labels)}")

    def logits(self, inputs: Floats, masks: Floats, usual: Mapping[str, Floats] = COLD) -> Floats:
        """Logits [rows, classes] of what the network is given, each family kept (1) or at its baseline (0) by a row.

        ``inputs`` are float32 [1, time, features] (or [1, features] when pooled), ``masks`` float32 [rows, families],
        ``usual`` what ``Classifier.usual`` says of the source.
        """
        return self._scores(inputs, masks, usual)[0]

    def _scores(self, inputs: Floats, masks: Floats, usual: Mapping[str, Floats]) -> tuple[Floats, Floats]:
        """``logits``, and the embedding of the last row, empty where the bundle has none."""
        if not self._bundle.coalitions:
            return self.logits_of_features(inputs, masks @ self._families, usual), np.empty(0, np.float32)
        feed = {"frames": inputs, "masks": masks, **usual}
        if not self._bundle.embedding:
            return self._bundle.coalitions.run(["logits"], feed)[0], np.empty(0, np.float32)
        logits, embeddings = self._bundle.coalitions.run(["logits", "embedding"], feed)
        return logits, embeddings[-1]

    def logits_of_features(self, inputs: Floats, masks: Floats, usual: Mapping[str, Floats] = COLD) -> Floats:
        """The same where a row's mask keeps single features: ``masks`` float32 [rows, features]."""
        length = inputs.shape[1] if inputs.ndim == 3 else 1
        size = max(1, ROWS_OF_FRAMES // length)
        batches = []
        for at in range(0, len(masks), size):
            kept = masks[at : at + size]
            rows = inputs * (kept[:, None] if inputs.ndim == 3 else kept)
            batches.append(self._bundle.model.run(["logits"], {self._bundle.profile: rows, **usual})[0])
        return np.concatenate(batches)

    def window_effects(self, frames: Floats, verdict: Verdict, weights: Floats, worth: Worth) -> NDArray[np.float64]:
        """What each window of time [windows, time] is worth [windows], as ``worth`` maps logits to what is explained.

        That is the mean of what goes when it alone fades to the mean frame, and what comes when it alone does not:
        the first misses what two windows say alike, the second what one says only beside another.
        """
        nothing = np.zeros_like(weights[:1])
        faded = np.concatenate([nothing, 1 - nothing, weights, 1 - weights])
        if self._bundle.profile == "frames":
            rows = occlusion.hidden(self._classifier.inputs(frames, verdict)[0], faded)
        else:
            rows = np.concatenate([self._classifier.inputs(row, verdict) for row in occlusion.hidden(frames, faded)])
        feed = {self._bundle.profile: rows, **self._classifier.usual(verdict)}
        worths = worth(self._bundle.model.run(["logits"], feed)[0])
        gone, left = np.split(worths[2:], 2)
        effects: NDArray[np.float64] = (worths[0] - gone + left - worths[1]) / 2
        return effects

    def _attention(self, inputs: Floats) -> list[float]:
        """Where in time the network looks; empty for the profile ``pooled``, which has no time."""
        if self._bundle.profile != "frames":
            return []
        weights = self._bundle.model.run(["attention"], {"frames": inputs})[0][0]
        return [round(float(weight), 6) for weight in weights]

    def _shared_out(self, worths: NDArray[np.float64], value: float) -> dict[str, object]:
        """What the worths of all coalitions say of the families; ExplanationError where they miss the verdict."""
        names = self._bundle.features.families
        shares, pairs = shapley.values(worths), shapley.interactions(worths)
        residual = float(shares.sum()) - (value - float(worths[0]))
        if not abs(residual) < TOLERANCE:
            raise ExplanationError(
                f"The families' shares miss the verdict by {residual:.2g}: "
                f"run `affectd bundle verify` on {self._bundle.path}"
            )
        return {
            "families": dict(zip(names, shares.tolist(), strict=True)),
            "residual": residual,
            "interactions": {
                f"{names[i]}&{names[j]}": float(pairs[i, j]) for i, j in combinations(range(len(names)), 2)
            },
        }

    def _baseline(self, frames: Floats, parts: Collection[Part]) -> str:
        """The baseline in words, or the reason why these frames have no explanation."""
        shortest = occlusion.WINDOW_FRAMES if "time" in parts else SHORTEST_FRAMES
        if len(frames) < shortest:
            needed = occlusion.WINDOW_SECONDS if "time" in parts else features.WINDOW_SAMPLES / SAMPLE_RATE
            raise ExplanationError(
                f"The clip is shorter than one window of {1000 * needed:.0f} ms: give more of it to explain"
            )
        if len(frames) > LONGEST_SECONDS * features.FRAME_RATE:
            raise ExplanationError(
                f"The clip is longer than {LONGEST_SECONDS - 1} s, far more than one utterance: cut it into utterances"
            )
        mel = self._bundle.features.places.get("mel")  # a bundle that does not hear it cannot tell silence
        if mel and not frames[:, mel].max() > SILENCE_DB:
            raise ExplanationError(
                "The clip is digital silence, in which nothing speaks for an emotion: give one with sound"
            )
        baseline = self._bundle.manifest.baseline
        if baseline is None:
            raise ExplanationError(
                f"The bundle {self._bundle.path} names no baseline to explain against: "
                "export it again with this version"
            )
        return baseline


def log_odds(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Log-odds [rows, classes] of every class against all others: z_c - logsumexp of the other logits."""
    logits = logits.astype(np.float64)
    others = np.repeat(logits[:, None], logits.shape[1], axis=1)
    others[:, np.arange(logits.shape[1]), np.arange(logits.shape[1])] = -np.inf
    highest = others.max(axis=2)
    odds: NDArray[np.float64] = logits - highest - np.log(np.exp(others - highest[:, :, None]).sum(axis=2))
    return odds


def membership(profile: Literal["frames", "pooled"], chosen: FeatureSet) -> Floats:
    """Which family each input belongs to: float32 [families, features] of 0 and 1."""
    own = {name: family for family, place in chosen.places.items() for name in chosen.names[place]}
    families = [own[name if profile == "frames" else name.rsplit("_", 1)[0]] for name in input_names(profile, chosen)]
    return np.array([[family == member for member in families] for family in chosen.families], np.float32)


def _question(labels: Sequence[str], target: str, against: str | None) -> Worth:
    """What is explained: logits [rows, classes] to one number a row."""
    chosen = labels.index(target)
    if against is None:
        return lambda logits: log_odds(logits)[:, chosen]
    other = labels.index(against)
    return lambda logits: logits[:, chosen].astype(np.float64) - logits[:, other].astype(np.float64)


def _ranked(effects: NDArray[np.float64], names: Sequence[str]) -> list[FeatureEffect]:
    """The features of the largest effects, either way, and the sum of the rest."""
    order = np.argsort(-np.abs(effects), kind="stable")
    top, rest = order[:TOP_FEATURES], order[TOP_FEATURES:]
    largest = [FeatureEffect(feature=names[i], name=words(names[i]), effect=float(effects[i])) for i in top]
    return [*largest, FeatureEffect(feature="rest", name=f"{len(rest)} others", effect=float(effects[rest].sum()))]


def _over_time(windows: occlusion.Windows, effects: NDArray[np.float64]) -> dict[str, object]:
    """The windows' effects, and the stretch that speaks most for the target."""
    length = windows.weights.shape[1]
    curve = occlusion.curve(windows.weights, effects)
    start, end = occlusion.strongest(curve)
    listed = [
        _time_effect(int(begin), int(begin) + occlusion.WINDOW_FRAMES, effect, length)
        for begin, effect in zip(windows.starts, effects.tolist(), strict=True)
    ]
    return {"time": listed, "segment": _time_effect(start, end, float(curve[start:end].mean()), length)}


def _time_effect(start: int, end: int, effect: float, length: int) -> TimeEffect:
    """Frames as seconds: a frame stands for one hop, the last for what is left."""
    seconds = 1 / features.FRAME_RATE
    return TimeEffect(start_s=round(start * seconds, 3), end_s=round(min(end, length) * seconds, 3), effect=effect)
