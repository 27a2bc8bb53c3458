"""``affectd explain``: a picture of why a file sounds as it does."""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.audio import SAMPLE_RATE
from edge.cli import output
from edge.errors import UsageError
from edge.explain import picture
from edge.explain.explainer import Explainer
from edge.explain.sentence import sentence
from edge.model import encoder
from edge.model.bundle import Bundle
from edge.model.choice import bundle_folder
from edge.model.classifier import Classifier
from edge.sources.conversion import read_audio
from edge.sources.highpass import high_passed


def run(options: argparse.Namespace) -> int:
    """Draw the picture. Raises AffectdError where the file cannot be heard or explained, or the picture not written."""
    classifier = Classifier(Bundle.load(bundle_folder(options.bundle)[0]))
    explainer = Explainer(classifier)
    explainer.require_label(options.against)
    samples = _stretch(high_passed(read_audio(options.file)), options)
    frames = encoder.frames(samples, classifier.bundle)
    prediction = classifier.predict(frames)
    explanation = explainer.explain(prediction, against=options.against)
    name = output.file_name(options.file)
    picture.save(picture.draw(samples, prediction, explanation, Path(name).name), options.png)
    output.line(f"{output.file_name(options.png)} shows why {name} sounds like {prediction.label}")
    output.line(sentence(explanation))
    return 0


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
