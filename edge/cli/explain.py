"""``affectd explain``: why a file sounds as it does, in words, as a picture, and as what the verdict rests on."""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.audio import SAMPLE_RATE
from edge.cli import output, sounds
from edge.daemon.pipeline import with_aspects
from edge.errors import UsageError
from edge.explain import listening, picture, texts
from edge.explain.by_aspects import AspectEffects
from edge.explain.explainer import Explainer, Explanation
from edge.explain.sentence import sentence
from edge.features import log_mel
from edge.model import encoder
from edge.model.bundle import Bundle
from edge.model.choice import bundle_folder
from edge.model.classifier import Classifier, Prediction
from edge.sources.conversion import read_audio
from edge.sources.highpass import high_passed

_NAME_WIDTH = max(map(len, texts.ASPECT_NAMES.values()))


def run(options: argparse.Namespace) -> int:
    """Say it, and draw the picture. Raises AffectdError where it cannot be heard or explained, or nothing written."""
    if options.listen:
        sounds.require_apart(options.listen, options.file)
    classifier = Classifier(Bundle.load(bundle_folder(options.bundle)[0]))
    explainer = Explainer(classifier)
    explainer.require_label(options.against)
    samples = _stretch(high_passed(read_audio(options.file)), options)
    prediction, explanation = _explained(samples, explainer, options.against)
    heard = listening.listen(classifier, samples, prediction) if options.listen else None
    name = output.file_name(options.file)
    if options.png:
        picture.save(picture.draw(samples, prediction, explanation, Path(name).name), options.png)
        output.line(f"{output.file_name(options.png)} shows why {name} sounds like {prediction.label}")
    if heard:
        sounds.write(heard, prediction.label, options.listen)
    output.line(sentence(explanation))
    if explanation.aspects:
        for line in _aspects(explanation.aspects, explanation.target):
            output.line(line)
    elif explanation.unheard:
        output.line(explanation.unheard)
    return 0


def _explained(samples: NDArray[np.int16], explainer: Explainer, against: str | None) -> tuple[Prediction, Explanation]:
    """The prediction for one utterance and all of its explanation."""
    classifier = explainer.classifier
    with encoder.cleaned(samples) as quiet:
        spectrum = log_mel.log_mel(quiet) if classifier.bundle.encoder else None
        prediction = classifier.predict(encoder.columns(quiet, classifier.bundle, spectrum))
        explanation = explainer.explain(prediction, against=against)
        return prediction, with_aspects(explanation, quiet, prediction, classifier, against)


def _aspects(found: AspectEffects, target: str) -> Iterator[str]:
    """What people hear, an aspect a line, the one that says most first."""
    yield f"What each aspect of the voice adds to the log-odds of {target}, against the usual voice:"
    for name, effect in sorted(found.effects.items(), key=lambda item: -abs(item[1].effect)):
        yield (
            f"  {texts.ASPECT_NAMES[name]:<{_NAME_WIDTH}} {effect.effect:+6.2f}  {effect.words}: "
            f"{effect.own:.3g} {effect.unit}, usually {effect.usual:.3g}"
        )
    for name, reason in found.absent.items():
        yield f"  {texts.ASPECT_NAMES[name]:<{_NAME_WIDTH}}      –  {reason}"


def _stretch(samples: NDArray[np.int16], options: argparse.Namespace) -> NDArray[np.int16]:
    """The part of a file from ``--start`` to ``--end``."""
    length = len(samples) / SAMPLE_RATE
    end = length if options.end is None else options.end
    if not 0 <= options.start < min(end, length):
        raise UsageError(
            f"From {options.start:g} s to {end:g} s there is nothing of {options.file}, which lasts {length:.2f} s: "
            "choose --start and --end within it"
        )
    return samples[round(options.start * SAMPLE_RATE) : round(end * SAMPLE_RATE)]
