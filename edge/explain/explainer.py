"""LMAC explanations: perturb what the network is given, observe its log-odds, rank what moved them.

The method, and what it is measured against: docs/explanations.md.
"""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Literal

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType
from numpy.typing import NDArray

from edge import features
from edge.audio import SAMPLE_RATE
from edge.errors import ExplanationError, UsageError
from edge.explain import occlusion, perturbation, shapley
from edge.explain.by_aspects import AspectEffects
from edge.explain.values import ValueFunction, value_function
from edge.features import SPEECH
from edge.features.wording import words
from edge.model.adapter import Adaptation
from edge.model.bundle import Bundle
from edge.model.classifier import Classifier, Prediction
from edge.model.manifest import input_names

Floats = NDArray[np.float32]
Part = Literal["families", "features", "time"]

PARTS: tuple[Part, ...] = ("families", "features", "time")
FAMILIES_ALONE: tuple[Part, ...] = ("families",)
METHODS: dict[Part, str] = {"families": "shapley-families", "features": "occlusion-features", "time": "occlusion-time"}
TOP_FEATURES = 8
TOLERANCE = 1e-3  # how far the parts may be from the whole, in log-odds
SILENCE_DB = -99.0  # log-mel power below which a bin holds nothing but the floor of edge.features
LONGEST_SECONDS = 61  # past the longest utterance that the gate can be told to let through
SHORTEST_FRAMES = 1 + features.WINDOW_SAMPLES // features.HOP_SAMPLES  # a clip of one analysis window


class FeatureEffect(msgspec.Struct, frozen=True, kw_only=True):
    """What the target's log-odds lose when one feature is set to its baseline; ``rest`` is the sum over all others."""

    feature: str
    name: str
    """The feature in words."""
    effect: float


class TimeEffect(msgspec.Struct, frozen=True, kw_only=True):
    """What a stretch of the utterance adds to the target's log-odds: see ``Explainer.window_effects``."""

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
    """The Shapley interaction of two families, joined by ``&``: positive where one needs the other, negative where
    both say the same."""
    segment: TimeEffect | UnsetType = UNSET
    """The stretch that speaks most for the target; its effect is the mean over it."""
    attention: list[float] | UnsetType = UNSET
    """The network's attention, one weight for each equal share of the utterance: where it looks, not what it finds."""
    aspects: AspectEffects | UnsetType = UNSET
    """What people hear in the voice, and what each of it adds; absent where nobody asked, or ``unheard`` says why."""
    unheard: str | UnsetType = UNSET
    """Why there are no aspects, where somebody asked."""
    uncertain: bool | UnsetType = UNSET
    """Present, and true, where the target is the best of an uncertain prediction."""


@dataclass(frozen=True)
class Explainer:
    """Explains a classifier's predictions. It holds no state: equal arguments give equal explanations."""

    classifier: Classifier

    def explain(
        self, prediction: Prediction, parts: Collection[Part] = PARTS, against: str | None = None
    ) -> Explanation:
        """Why a prediction of this classifier is what it is.

        ``against`` is a label that the target is compared with, in place of all others. Raises ExplanationError for
        silence, for too short or too long a clip, and where the parts do not add up to the whole; UsageError for an
        unknown label.
        """
        begin = time.perf_counter()
        baseline = self._baseline(prediction.frames, parts, against)
        logits, _ = self._coalitions(prediction.frames, prediction.adaptation, parts)
        return self._explanation(prediction, logits, baseline, parts, against, begin)

    def families(self, prediction: Prediction) -> Explanation:
        """The exact Shapley value of every family: ``explain`` with that part alone."""
        return self.explain(prediction, FAMILIES_ALONE)

    def predict_and_explain(
        self,
        frames: Floats,
        adaptation: Adaptation | None = None,
        threshold: float | None = None,
        parts: Collection[Part] = FAMILIES_ALONE,
        against: str | None = None,
    ) -> tuple[Prediction, Explanation]:
        """``Classifier.predict`` and ``explain`` in one go, at the cost of ``explain`` alone.

        The last of all coalitions of families is the whole utterance: with families among the ``parts``, its row is
        the prediction, which then comes without attention. Raises what ``explain`` raises.
        """
        begin = time.perf_counter()
        baseline = self._baseline(frames, parts, against)
        logits, embeddings = self._coalitions(frames, adaptation, parts)
        if "families" in parts and embeddings.shape[1] == self.classifier.bundle.embedding:
            whole = {"logits": logits[-1], "embedding": embeddings[-1]}
            prediction = self.classifier.prediction(frames, adaptation, threshold, **whole)
        else:
            prediction = self.classifier.predict(frames, adaptation, threshold)
        return prediction, self._explanation(prediction, logits, baseline, parts, against, begin)

    def require_label(self, label: str | None) -> None:
        """UsageError, with those that there are, for a label that the bundle has not."""
        labels = self.classifier.bundle.labels
        if label is not None and label not in labels:
            raise UsageError(f"No label is called {label}: choose one of {', '.join(labels)}")

    def window_effects(self, prediction: Prediction, weights: Floats, values: ValueFunction) -> NDArray[np.float64]:
        """The effect of each window of time [windows], as ``values`` maps logits to what is explained.

        ``weights`` are float32 [windows, time]. The effect is the mean of what goes when the window alone fades to the
        mean frame, and what comes when it alone does not: the first misses what two windows both say, the second what
        one says only beside another.
        """
        classifier, frames, adaptation = self.classifier, prediction.frames, prediction.adaptation
        statistics = classifier.statistics(adaptation)

        if classifier.bundle.profile == "frames":
            shown = classifier.inputs(frames, adaptation)[0]
            logits = partial(perturbation.of_moments, classifier.bundle, shown, statistics=statistics)
        else:
            prepare = lambda copies: np.concatenate([classifier.inputs(copy, adaptation) for copy in copies])  # noqa: E731
            logits = partial(perturbation.of_moments, classifier.bundle, frames, statistics=statistics, prepare=prepare)
        nothing = np.zeros_like(weights[:1])
        (whole,), (silent,) = values(logits(nothing)), values(logits(nothing, others=True))
        gone, left = values(logits(weights)), values(logits(weights, others=True))
        effects: NDArray[np.float64] = (whole - gone + left - silent) / 2
        return effects

    def _coalitions(
        self, frames: Floats, adaptation: Adaptation | None, parts: Collection[Part]
    ) -> tuple[Floats, Floats]:
        """Logits and embeddings of all coalitions of families, or of the baseline alone where nobody asks for them."""
        bundle = self.classifier.bundle
        count = len(bundle.features.families)
        masks = shapley.coalitions(count) if "families" in parts else np.zeros((1, count), np.float32)
        inputs = self.classifier.inputs(frames, adaptation)
        return perturbation.of_families(bundle, inputs, masks, self.classifier.statistics(adaptation))

    def _explanation(
        self,
        prediction: Prediction,
        coalitions: Floats,
        baseline: str,
        parts: Collection[Part],
        against: str | None,
        begin: float,
    ) -> Explanation:
        """The explanation, given the logits of the coalitions."""
        if prediction.label == against:
            raise ExplanationError(f"The prediction is {against} itself: ask against another label")
        values = value_function(self.classifier.bundle.labels, prediction.label, against)
        value, of_coalitions = float(values(prediction.logits[None])[0]), values(coalitions)
        found: dict[str, object] = {}
        evaluations = len(of_coalitions)
        if "families" in parts:
            found |= self._shared_out(of_coalitions, value)
        if "features" in parts:
            effects = value - values(self._without_each_feature(prediction))
            bundle = self.classifier.bundle
            found["features"] = _ranked(effects, _single_names(bundle))
            evaluations += len(effects)
        if "time" in parts:
            windows = occlusion.windows(len(prediction.frames))
            effects = self.window_effects(prediction, windows.weights, values)
            found |= _over_time(windows, effects) | {"attention": self._attention(prediction)}
            evaluations += 2 * len(effects) + 2
        return Explanation(
            method="+".join(METHODS[part] for part in PARTS if part in parts),
            target=prediction.label,
            baseline=f"{baseline}, adapted to this source" if prediction.adaptation else baseline,
            base_value=float(of_coalitions[0]),
            value=value,
            evaluations=evaluations,
            milliseconds=(time.perf_counter() - begin) * 1e3,
            against=against or UNSET,
            uncertain=True if prediction.uncertain else UNSET,
            **found,  # type: ignore[arg-type]
        )

    def _without_each_feature(self, prediction: Prediction) -> Floats:
        """Logits [features, classes] with each feature in turn at its baseline; ``speech`` is one feature."""
        inputs = self.classifier.inputs(prediction.frames, prediction.adaptation)
        all_but_one = _all_but_one(self.classifier.bundle)
        statistics = self.classifier.statistics(prediction.adaptation)
        return perturbation.of_features(self.classifier.bundle, inputs, all_but_one, statistics)

    def _attention(self, prediction: Prediction) -> list[float]:
        """Where in time the network looks; empty for the profile ``pooled``, which has no time."""
        bundle = self.classifier.bundle
        if bundle.profile != "frames":
            return []
        inputs = self.classifier.inputs(prediction.frames, prediction.adaptation)
        weights = bundle.model.run(["attention"], {"frames": inputs})[0][0]
        return [round(float(weight), 6) for weight in weights]

    def _shared_out(self, of_coalitions: NDArray[np.float64], value: float) -> dict[str, object]:
        """What the values of all coalitions say of the families; ExplanationError where they miss the prediction."""
        bundle = self.classifier.bundle
        names = bundle.features.families
        shares, pairs = shapley.values(of_coalitions), shapley.interactions(of_coalitions)
        residual = float(shares.sum()) - (value - float(of_coalitions[0]))
        if not abs(residual) < TOLERANCE:
            raise ExplanationError(
                f"The families' shares miss the prediction by {residual:.2g}: "
                f"run `affectd bundle verify` on {bundle.path}"
            )
        return {
            "families": dict(zip(names, shares.tolist(), strict=True)),
            "residual": residual,
            "interactions": {
                f"{names[i]}&{names[j]}": float(pairs[i, j]) for i, j in combinations(range(len(names)), 2)
            },
        }

    def _baseline(self, frames: Floats, parts: Collection[Part], against: str | None) -> str:
        """The baseline in words, or the reason why these frames have no explanation."""
        self.require_label(against)
        bundle = self.classifier.bundle
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
        mel = bundle.features.places.get("mel")  # a bundle that does not hear it cannot tell silence
        if mel and not frames[:, mel].max() > SILENCE_DB:
            raise ExplanationError(
                "The clip is digital silence, in which nothing speaks for an emotion: give one with sound"
            )
        baseline = bundle.manifest.baseline
        if baseline is None:
            raise ExplanationError(
                f"The bundle {bundle.path} names no baseline to explain against: export it again with this version"
            )
        return baseline


def _single_names(bundle: Bundle) -> list[str]:
    """What is perturbed one by one: every hand-made feature, and the family ``speech`` as a whole.

    No single number of an encoder has a name that says anything.
    """
    names = list(input_names(bundle.profile, bundle.features))
    speech = bundle.features.speech
    return [*names[:-speech], SPEECH] if speech else names


def _all_but_one(bundle: Bundle) -> Floats:
    """Masks [features, columns] that leave out each of ``_single_names``."""
    columns, speech = len(input_names(bundle.profile, bundle.features)), bundle.features.speech
    masks = 1 - np.eye(len(_single_names(bundle)), columns, dtype=np.float32)
    if speech:
        masks[-1, -speech:] = 0
    return masks


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
