"""LMAC on what people hear: each aspect of a voice put back to usual, alone and together, and what the verdict loses.

Every aspect is put back by itself, in the spectra, and heard by the whole network. What several do together is the sum
of what each does to the network's input: 2**n coalitions would otherwise be encoded one by one. The Shapley values of
these coalitions are exact; how far the sum is right, and how far spectra say what sound would: docs/explanations.md.
"""

from collections.abc import Mapping
from itertools import compress

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType
from numpy.typing import NDArray

from edge import features
from edge.errors import ExplanationError
from edge.explain import aspects, occlusion, perturbation, shapley, texts
from edge.explain.aspects import ASPECTS, Change
from edge.explain.spectra import Spectra, stretched
from edge.explain.values import value_function
from edge.features.spectrum import Samples
from edge.model.classifier import Classifier, Prediction

Floats = NDArray[np.float32]

METHOD = "shapley-aspects"
LONGEST_SECONDS = 20  # a copy of its spectra is 5 MB


class AspectEffect(msgspec.Struct, frozen=True, kw_only=True):
    """One aspect: how it is, how it usually is, and what it adds to the log-odds of the target."""

    words: str
    """What is heard: "the pitch is high"."""
    own: float
    usual: float
    unit: str
    effect: float
    """Its Shapley value; 0 where it is as usual."""


class Counterfactual(msgspec.Struct, frozen=True, kw_only=True):
    """The fewest aspects that, put back to usual, change the verdict; of several such sets the one of least effect."""

    aspects: list[str]
    label: str


class AspectEffects(msgspec.Struct, frozen=True, kw_only=True):
    """What the aspects of a voice add to the log-odds of the verdict, shared out without rest."""

    method: str = METHOD
    base_value: float
    """The target's log-odds with every aspect as usual."""
    value: float
    effects: dict[str, AspectEffect]
    absent: dict[str, str] = {}
    """Aspects that this utterance has not, and why."""
    residual: float = 0.0
    counterfactual: Counterfactual | UnsetType = UNSET
    """Absent where no set of aspects changes the verdict."""
    evaluations: int


def explain(
    samples: Samples,
    prediction: Prediction,
    classifier: Classifier,
    against: str | None = None,
    normal: Mapping[str, float] | None = None,
) -> AspectEffects:
    """Why a prediction of this classifier is what it is, by what people hear.

    ``samples`` are those of ``encoder.cleaned`` that the prediction's frames were made from; ``normal`` is what counts
    as usual, where it is not what ``aspects.usual`` says. Raises ExplanationError for an utterance that is too short or
    too long, and for a bundle without prosody.
    """
    _check(prediction, classifier)
    bundle = classifier.bundle
    own = aspects.measures(prediction.frames, bundle.features)
    normal = normal or aspects.usual(bundle, prediction.adaptation)
    apart = aspects.differences(own, normal)
    absent = aspects.absent(apart)
    players = [name for name in apart if name not in absent and abs(apart[name]) >= ASPECTS[name].least]
    changes = {name: aspects.change(name, apart[name]) for name in players}
    logits = _coalitions(samples, prediction, classifier, changes)
    values = value_function(bundle.labels, prediction.label, against)
    worths = values(logits)
    shares = dict(zip(players, shapley.values(worths).tolist(), strict=True))
    value = float(worths[-1])
    return AspectEffects(
        base_value=float(worths[0]),
        value=value,
        effects={
            name: AspectEffect(
                words=texts.ASPECTS[name][apart[name] > 0] if name in shares else texts.AS_USUAL,
                own=round(own[name], 3),
                usual=round(normal[name], 3),
                unit=ASPECTS[name].unit,
                effect=shares.get(name, 0.0),
            )
            for name in ASPECTS
            if name not in absent
        },
        absent=absent,
        residual=sum(shares.values()) - (value - float(worths[0])),
        counterfactual=counterfactual(logits, bundle.labels, prediction.label, shares),
        evaluations=len(logits),
    )


def _coalitions(samples: Samples, prediction: Prediction, classifier: Classifier, changes: dict[str, Change]) -> Floats:
    """Logits [2**n, classes] with each aspect as it is (1) or as usual (0), in the order of ``shapley.coalitions``."""

    def prepare(frames: Floats) -> Floats:
        prepared: Floats = classifier.inputs(frames, prediction.adaptation)[0]
        return prepared

    here = prepare(prediction.frames)
    masks = shapley.coalitions(len(changes))
    spectra = Spectra(samples, classifier.bundle)
    try:
        heard = {name: prepare(spectra.frames(changed)) for name, changed in changes.items()}
    finally:
        spectra.wipe()
    timed = {name for name, changed in changes.items() if changed.rate != 1}  # at most one
    moves = [np.zeros_like(here) if name in timed else inputs - here for name, inputs in heard.items()]
    gone = 1 - masks
    other_tempo = gone @ np.array([name in timed for name in changes], np.float32) > 0
    logits = np.empty((len(masks), len(classifier.bundle.labels)), np.float32)
    logits[~other_tempo] = _run(classifier, prediction, here, np.array(moves), gone[~other_tempo])
    for name in timed:
        slower, places = heard[name], stretched(len(here), changes[name].rate)
        length = min(len(places), len(slower))  # rounding may leave a frame over
        moved = np.array(moves)[:, places[:length]]
        logits[other_tempo] = _run(classifier, prediction, slower[:length], moved, gone[other_tempo])
    for values in (here, *heard.values(), *moves):
        values.fill(0)  # freed memory is not cleared
    return logits


def _run(classifier: Classifier, prediction: Prediction, start: Floats, moves: Floats, gone: Floats) -> Floats:
    """Logits [rows, classes] of ``start`` [time, columns] with the ``moves`` [n, time, columns] that each row adds."""

    def run(rows: slice) -> list[Floats]:
        copies = start + np.tensordot(gone[rows], moves, axes=1) if len(moves) else start[None]
        statistics = classifier.statistics(prediction.adaptation)
        return classifier.bundle.model.run(["logits"], {"frames": copies.astype(np.float32), **statistics})

    return perturbation.in_batches(len(gone), len(start), perturbation.FRAMES_OF_COPIES, run)[0]


def counterfactual(
    logits: Floats, labels: tuple[str, ...], label: str, shares: dict[str, float]
) -> Counterfactual | UnsetType:
    """The smallest set of aspects whose return to usual changes the verdict."""
    names = list(shares)
    gone = shapley.coalitions(len(names)) == 0
    best = logits.argmax(axis=1)
    other = np.flatnonzero(best != labels.index(label))
    if not len(other):
        return UNSET
    sizes = [(gone[row].sum(), sum(map(abs, compress(shares.values(), gone[row]))), row) for row in other]
    row = min(sizes)[-1]
    return Counterfactual(aspects=list(compress(names, gone[row])), label=labels[best[row]])


def _check(prediction: Prediction, classifier: Classifier) -> None:
    """ExplanationError where there are no aspects to be had."""
    bundle, frames = classifier.bundle, prediction.frames
    if not {"prosody", "mel"} <= set(bundle.features.families) or bundle.profile != "frames":
        raise ExplanationError(texts.NO_PROSODY.format(bundle.path))
    if len(frames) < occlusion.WINDOW_FRAMES:
        raise ExplanationError(texts.TOO_SHORT.format(f"{occlusion.WINDOW_SECONDS:g}"))
    if len(frames) > LONGEST_SECONDS * features.FRAME_RATE:
        raise ExplanationError(texts.TOO_LONG.format(LONGEST_SECONDS))
