"""Row A: three seconds of speech to an explained event, beside the same work as it is usually written.

python -m benchmarks.utterance [--runs N] [--json FILE]
"""

from collections.abc import Callable

import msgspec

from benchmarks import measure, usual
from benchmarks.recipe import Recipe
from edge.audio import BLOCK_SAMPLES, SAMPLE_RATE
from edge.config import GateSettings
from edge.daemon.pipeline import Analysis, AnalysisSettings, Pipeline, analyse
from edge.daemon.reporting import Origin, event_of
from edge.explain.explainer import FAMILIES_ALONE
from edge.model.bundle import Bundle
from edge.model.classifier import Classifier
from edge.sources.conversion import read_audio
from edge.vad.gate import Utterance

SECONDS = 3
VOICES, ALONE, LIGHT, UNEXPLAINED = (
    "default, voices told apart",
    "default",
    "light",
    "default, explained on demand only",
)
RECIPE = "librosa, torch, one perturbation at a time"
WHISPER = "Whisper tiny's encoder on 30 s, torch, a linear head"
SVM, WAV2VEC = "eGeMAPSv02 and an SVM", "transformers' pipeline, the size of wav2vec 2.0 base"
GOALS = {VOICES: (9, {WHISPER: 60, RECIPE: 25}), LIGHT: (4, {RECIPE: 65})}


class OneUtterance(Pipeline):
    """A daemon's pipeline, given what its gate would find."""

    def event(self, utterance: Utterance) -> bytes:
        """The event, as it is published."""
        (analysis,) = self._analysed([Utterance(utterance.start, utterance.samples.copy(), utterance.snr_db)])
        assert isinstance(analysis, Analysis)
        return encoded(analysis)


def encoded(analysis: Analysis) -> bytes:
    """An event as JSON."""
    return msgspec.json.encode(event_of(analysis, Origin("n", "b", "m"), 0.0).numbered(1))


def main() -> None:
    options = measure.parser(__doc__).parse_args()
    samples = read_audio(measure.DEMO)[: SECONDS * SAMPLE_RATE // BLOCK_SAMPLES * BLOCK_SAMPLES]
    utterance = Utterance(0, samples, 20.0)
    default, light = (Classifier(Bundle.load(path)) for path in measure.BUNDLES.values())
    adapter, people = default.bundle.adapter(), default.bundle.voices(adapt=True)
    daemon = OneUtterance(GateSettings(), default, AnalysisSettings(), adapter, people)
    others = {RECIPE: Recipe(), WHISPER: usual.FrozenWhisper(), SVM: usual.Egemaps(), WAV2VEC: usual.Wav2Vec()}

    def ours(classifier: Classifier, *, explained: bool = True) -> Callable[[], bytes]:
        settings = AnalysisSettings(FAMILIES_ALONE if explained else ())
        return lambda: encoded(analyse(utterance, classifier, settings))

    calls: dict[str, Callable[[], object]] = {
        VOICES: lambda: daemon.event(utterance),
        ALONE: ours(default),
        UNEXPLAINED: ours(default, explained=False),
        LIGHT: ours(light),
    }
    calls |= {name: lambda other=other: other.analyse(samples) for name, other in others.items()}
    cpu, wall = measure.interleaved(calls, options.runs)
    rows = []
    for name, (most, wanted) in GOALS.items():
        ratio = {other: value for other, value in measure.ratios(cpu, name).items() if other in others}
        alone = f"; nobody told apart: {measure.plain(cpu[ALONE].median)} ms" if name == VOICES else ""
        alone += f", and not explained: {measure.plain(cpu[UNEXPLAINED].median)} ms" if alone else ""
        rows.append(
            measure.Row(
                "A",
                f"3 s of speech to an event with its explanation, `{name.split(',')[0]}`, CPU",
                f"{cpu[name]}{alone}",
                "; ".join(f"{other}: {measure.plain(cpu[other].median)} ms, {ratio[other]:.0f} x" for other in others),
                [
                    measure.Goal(f"≤ {most} ms", cpu[name].median, most),
                    *(measure.Goal(f"≥ {least} x ({other})", ratio[other], least, least=True)
                      for other, least in wanted.items()),
                ],
                {f"{name}: {other}": value for other, value in ratio.items()},
            )
        )  # fmt: skip
    parameters = sum(each.numel() for each in others[RECIPE].network.parameters())
    measure.report(rows, {"cpu": cpu, "wall": wall, "recipe_parameters": parameters}, options.json)


if __name__ == "__main__":
    main()
