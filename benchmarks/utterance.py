"""Row A: three seconds of speech to an explained event, beside the same work as it is usually written.

python -m benchmarks.utterance [--runs N] [--json FILE]
"""

import msgspec

from benchmarks import measure
from benchmarks.recipe import Recipe
from edge.audio import SAMPLE_RATE
from edge.daemon.pipeline import AnalysisSettings, analyse
from edge.daemon.reporting import Origin, event_of
from edge.model.bundle import Bundle
from edge.model.classifier import Classifier
from edge.sources.conversion import read_audio
from edge.vad.gate import Utterance

SECONDS = 3
OURS, THEIRS = "affectd", "librosa, torch, one perturbation at a time"


def main() -> None:
    options = measure.parser(__doc__).parse_args()
    samples = read_audio(measure.DEMO)[: SECONDS * SAMPLE_RATE]
    classifier = Classifier(Bundle.load())
    recipe = Recipe()
    utterance = Utterance(0, samples, 20.0)

    def event() -> bytes:
        analysis = analyse(utterance, classifier, AnalysisSettings())
        return msgspec.json.encode(event_of(analysis, Origin("n", "b", "m"), 0.0).numbered(1))

    cpu, wall = measure.interleaved({OURS: event, THEIRS: lambda: recipe.analyse(samples)}, options.runs)
    ratio = measure.ratios(cpu, OURS)
    parameters = sum(each.numel() for each in recipe.network.parameters())
    row = measure.Row(
        "A",
        f"{SECONDS} s of speech to an event with its explanation, CPU",
        str(cpu[OURS]),
        f"librosa per feature, torch, 180 perturbations one by one: {cpu[THEIRS]}, {ratio[THEIRS]:.0f} x",
        [measure.Goal("≥ 70 x less", ratio[THEIRS], 70, least=True)],
        ratio,
    )
    measure.report([row], {"cpu": cpu, "wall": wall, "recipe_parameters": parameters}, options.json)


if __name__ == "__main__":
    main()
