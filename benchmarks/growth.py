"""How cost grows: with the length of the utterance, with the rows of an explanation, with the number of nodes.

python -m benchmarks.growth [--runs N] [--json FILE] [--plot FILE]
"""

import contextlib
import time
from pathlib import Path

import matplotlib as mpl
import numpy as np

from benchmarks import measure, scenes
from benchmarks.daemon import broker, daemon, play_paced
from edge import features
from edge.audio import SAMPLE_RATE
from edge.explain import perturbation
from edge.explain.explainer import Explainer
from edge.explain.perturbation import membership
from edge.model.bundle import Bundle
from edge.model.classifier import Classifier

LENGTHS_S = (1, 2, 3, 5, 8, 12, 20, 30)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128)
NODES = (1, 2, 4, 8)
ROWS_S = 3  # of speech
HEARD_S, WARM_UP_S = 20.0, 4.0


def by_length(explainer: Explainer, classifier: Classifier, runs: int) -> dict[str, list[float]]:
    """CPU milliseconds of the stages for each of LENGTHS_S."""
    speech, chosen = np.concatenate(scenes.sentences()), classifier.bundle.features
    found: dict[str, list[float]] = {"features": [], "prediction": [], "explanation": []}
    for seconds in LENGTHS_S:
        samples = np.resize(speech, seconds * SAMPLE_RATE)
        frames = features.frames(samples, chosen)
        prediction = classifier.predict(frames)
        calls = {
            "features": lambda samples=samples: features.frames(samples, chosen),
            "prediction": lambda frames=frames: classifier.predict(frames),
            "explanation": lambda prediction=prediction: explainer.families(prediction),
        }
        for name, spread in measure.interleaved(calls, runs, least_s=0.05)[0].items():
            found[name].append(spread.median)
    return found


def by_rows(classifier: Classifier, runs: int) -> dict[str, list[float]]:
    """CPU milliseconds for each of ROWS coalitions, over a shared first layer and as a plain batch."""
    samples, chosen = np.concatenate(scenes.sentences())[: ROWS_S * SAMPLE_RATE], classifier.bundle.features
    inputs, groups = classifier.inputs(features.frames(samples, chosen)), membership("frames", chosen)
    generator = np.random.default_rng(0)
    found: dict[str, list[float]] = {"first layer shared": [], "plain batch": []}
    for count in ROWS:
        masks = generator.integers(0, 2, (count, len(groups))).astype(np.float32)
        calls = {
            "first layer shared": lambda masks=masks: perturbation.of_families(classifier.bundle, inputs, masks),
            "plain batch": lambda masks=masks: perturbation.of_features(classifier.bundle, inputs, masks @ groups),
        }
        for name, spread in measure.interleaved(calls, runs, least_s=0.05)[0].items():
            found[name].append(spread.median)
    return found


def by_nodes() -> dict[str, list[float]]:
    """Percent of a core for each of NODES daemons that hear speech without end, and that hear a quiet room."""
    found: dict[str, list[float]] = {"speech without end": [], "a quiet room": []}
    audio = {"speech without end": scenes.talk(HEARD_S + WARM_UP_S), "a quiet room": scenes.room(HEARD_S + WARM_UP_S)}
    with broker() as port:
        for count in NODES:
            for name, samples in audio.items():
                with contextlib.ExitStack() as stack:
                    daemons = [stack.enter_context(daemon(port, f"n{index}")) for index in range(count)]
                    warm = round(WARM_UP_S * SAMPLE_RATE)
                    play_paced(dict.fromkeys(daemons, samples[:warm]), WARM_UP_S)
                    before, began = sum(each.cpu_s for each in daemons), time.monotonic()
                    play_paced(dict.fromkeys(daemons, samples[warm:]), HEARD_S)
                    spent = sum(each.cpu_s for each in daemons) - before
                    found[name].append(100 * spent / (time.monotonic() - began))
    return found


def draw(details: dict, file: Path) -> None:
    """Three panels, one for each kind of growth."""
    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "affectd"  # the same figures give the same file
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, 3, figsize=(12, 3.6), layout="constrained")
    titles = (
        ("length", LENGTHS_S, "length of the utterance, s", "CPU, ms"),
        ("rows", ROWS, f"coalitions of {ROWS_S} s", "CPU, ms"),
        ("nodes", NODES, "daemons on one machine", "of a core, %"),
    )
    for panel, (key, axis, across, up) in zip(panels, titles, strict=True):
        for name, values in details[key].items():
            panel.plot(axis, values, marker="o", markersize=3, label=name)
        panel.set(xlabel=across, ylabel=up, xlim=0, ylim=0)
        panel.grid(alpha=0.3)
        panel.legend(frameon=False)
    figure.savefig(file, metadata={"Date": None})


def main() -> None:
    parser = measure.parser(__doc__)
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw it there (SVG)")
    options = parser.parse_args()
    classifier = Classifier(Bundle.load())
    explainer = Explainer(classifier)
    details = {
        "length": by_length(explainer, classifier, options.runs),
        "rows": by_rows(classifier, options.runs),
        "nodes": by_nodes(),
    }
    for key, axis in (("length", LENGTHS_S), ("rows", ROWS), ("nodes", NODES)):
        print(f"\n| {key} | {' | '.join(map(str, axis))} |\n|---|{'---|' * len(axis)}")
        for name, values in details[key].items():
            print(f"| {name} | {' | '.join(measure.plain(value) for value in values)} |")
    if options.json:
        measure.write([], {"axes": {"length_s": LENGTHS_S, "rows": ROWS, "nodes": NODES}, **details}, options.json)
    if options.plot:
        draw(details, options.plot)


if __name__ == "__main__":
    main()
