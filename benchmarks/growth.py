"""How cost grows: with the utterance, the families of an explanation, the voices that are known, and the daemons.

python -m benchmarks.growth [--runs N] [--json FILE] [--plot FILE]
"""

import contextlib
import time
from pathlib import Path

import matplotlib as mpl
import numpy as np

from benchmarks import measure, scenes
from benchmarks.daemon import broker, daemon, play_paced
from edge.audio import SAMPLE_RATE
from edge.explain import perturbation, shapley
from edge.explain.explainer import Explainer
from edge.explain.perturbation import membership
from edge.features import log_mel
from edge.model import encoder, voices
from edge.model.bundle import Bundle
from edge.model.classifier import Classifier

LENGTHS_S = (1, 2, 3, 5, 8, 12, 20, 30)
FAMILIES = (1, 2, 3, 4, 5, 6, 7)
VOICES = (1, 2, 4, 8, 12)
NODES = (1, 2, 4, 8)
FAMILIES_S = 3  # of speech
HEARD_S, WARM_UP_S = 20.0, 4.0
AXES = {"length": LENGTHS_S, "families": FAMILIES, "voices": VOICES, "nodes": NODES}


def by_length(explainer: Explainer, classifier: Classifier, runs: int) -> dict[str, list[float]]:
    """CPU milliseconds of the stages for each of LENGTHS_S."""
    speech, bundle = np.concatenate(scenes.sentences()), classifier.bundle
    found: dict[str, list[float]] = {name: [] for name in ("frames", "prediction", "explanation", "voice")}
    for seconds in LENGTHS_S:
        samples = np.resize(speech, seconds * SAMPLE_RATE)
        frames, spectrum = encoder.frames(samples, bundle), log_mel.log_mel(samples)
        prediction = classifier.predict(frames)
        calls = {
            "frames": lambda samples=samples: encoder.frames(samples, bundle),
            "prediction": lambda frames=frames: classifier.predict(frames),
            "explanation": lambda prediction=prediction: explainer.families(prediction),
            "voice": lambda spectrum=spectrum: voices.heard(bundle.voice, spectrum),
        }
        for name, spread in measure.interleaved(calls, runs, least_s=0.05)[0].items():
            found[name].append(spread.median)
    return found


def by_families(classifier: Classifier, runs: int) -> dict[str, list[float]]:
    """CPU milliseconds of all coalitions of each of FAMILIES families, over a shared first layer and as a batch."""
    samples, bundle = np.concatenate(scenes.sentences())[: FAMILIES_S * SAMPLE_RATE], classifier.bundle
    inputs, groups = classifier.inputs(encoder.frames(samples, bundle)), membership("frames", bundle.features)
    found: dict[str, list[float]] = {"first layer shared": [], "plain batch": []}
    for count in FAMILIES:
        masks = shapley.coalitions(len(groups))
        masks = masks[masks[:, count:].all(axis=1)]  # the others stay
        calls = {
            "first layer shared": lambda masks=masks: perturbation.of_families(bundle, inputs, masks),
            "plain batch": lambda masks=masks: perturbation.of_features(bundle, inputs, masks @ groups),
        }
        for name, spread in measure.interleaved(calls, runs, least_s=0.05)[0].items():
            found[name].append(spread.median)
    return found


def by_voices(classifier: Classifier, runs: int) -> dict[str, list[float]]:
    """CPU milliseconds of finding whose an utterance is among each of VOICES that are known, the network left out."""
    found: dict[str, list[float]] = {"which voice": []}
    directions = np.linalg.qr(np.random.default_rng(0).standard_normal((192, max(VOICES))))[0].T.astype(np.float32)
    for count in VOICES:
        people = classifier.bundle.voices(adapt=True)
        for said in np.repeat(directions[:count], 6, axis=0):  # often enough to be taken for a voice each
            people.hear(said, 3.0, 20.0)
        if len(people.kept) != count:
            raise SystemExit(f"{len(people.kept)} voices were founded, not {count}")
        calls = {"which voice": lambda people=people: people.hear(directions[0], 3.0, 20.0)}
        found["which voice"].append(measure.interleaved(calls, runs, least_s=0.05)[0]["which voice"].median)
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
    """A panel for each kind of growth."""
    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "affectd"  # the same figures give the same file
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, 4, figsize=(14, 3.4), layout="constrained")
    titles = (
        ("length", LENGTHS_S, "length of the utterance, s", "CPU, ms"),
        ("families", FAMILIES, f"families of {FAMILIES_S} s", "CPU, ms"),
        ("voices", VOICES, "voices that are known", "CPU, ms"),
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
        "families": by_families(classifier, options.runs),
        "voices": by_voices(classifier, options.runs),
        "nodes": by_nodes(),
    }
    for key, axis in AXES.items():
        print(f"\n| {key} | {' | '.join(map(str, axis))} |\n|---|{'---|' * len(axis)}")
        for name, values in details[key].items():
            print(f"| {name} | {' | '.join(measure.plain(value) for value in values)} |")
    if options.json:
        measure.write([], {"axes": AXES, **details}, options.json)
    if options.plot:
        draw(details, options.plot)


if __name__ == "__main__":
    main()
