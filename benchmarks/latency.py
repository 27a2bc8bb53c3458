"""Row I: the time from the end of an utterance to the broker's acknowledgement of its event.

The end is the arrival of the block that completes the hangover. Everything is played in real time. A proxy between
mosquitto and the daemon records each packet.

python -m benchmarks.latency [--runs N] [--utterances N] [--json FILE]
"""

import time

import numpy as np

from benchmarks import measure, scenes
from benchmarks.daemon import broker, daemon
from benchmarks.proxy import Wire, wire
from edge.audio import BLOCK_SAMPLES, BLOCK_SECONDS, SAMPLE_RATE
from edge.config import GateSettings
from edge.sources.conversion import into_blocks
from edge.sources.highpass import HighPass
from edge.vad.gate import Gate, Utterance

PATIENCE_S = 10.0
TOPICS = ("event", "journal")
GOALS = {"default": (15, 35), "light": (10, 35)}  # ms: half of them, 99 of 100


def closing_blocks(samples: np.ndarray) -> set[int]:
    """The blocks at which the gate emits an utterance; they depend on the samples alone, as the daemon filters them."""
    gate, filtered = Gate(GateSettings()), HighPass().push(samples)
    return {
        index
        for index, block in enumerate(into_blocks([filtered]))
        if any(isinstance(item, Utterance) for item in gate.push(block))
    }


def latencies(samples: np.ndarray, bundle: str) -> dict[str, list[float]]:
    """Milliseconds from each utterance's end to the acknowledgement of its message on each topic."""
    closing = closing_blocks(samples)
    found: dict[str, list[float]] = {topic: [] for topic in TOPICS}
    with broker() as port, wire(port) as line, daemon(line.port, bundle=bundle) as listening:
        _acknowledged(line, "status", 0)
        due = time.perf_counter()
        for index, block in enumerate(into_blocks([samples])):
            due = max(due + BLOCK_SECONDS, time.perf_counter())
            time.sleep(max(0.0, due - time.perf_counter()))
            written = time.perf_counter()
            listening.hear(block)
            if index in closing:
                for topic in TOPICS:
                    moment = _acknowledged(line, topic, len(found[topic]))
                    found[topic].append(1e3 * (moment - written))
    return found


def _acknowledged(line: Wire, topic: str, index: int) -> float:
    """When the broker acknowledged message number ``index`` of a topic."""

    def moments() -> list[float]:
        return [moment for name, moment in line.acknowledged if name.endswith(f"/{topic}")]

    with line.news:
        if not line.news.wait_for(lambda: len(moments()) > index, PATIENCE_S):
            raise SystemExit(f"message {index} on {topic} was not acknowledged within {PATIENCE_S:g} s")
        return moments()[index]


def main() -> None:
    parser = measure.parser(__doc__, runs=3)
    parser.add_argument("--utterances", type=int, default=12, help="in each run (default: %(default)s)")
    options = parser.parse_args()
    said = scenes.sentences()
    mean_s = sum(map(len, said)) / len(said) / SAMPLE_RATE + scenes.PAUSE_S
    samples = scenes.talk(options.utterances * mean_s + 2)
    samples = samples[: len(samples) // BLOCK_SAMPLES * BLOCK_SAMPLES]
    rows, details = [], {}
    runs = {name: [] for name in GOALS}
    for _ in range(options.runs):
        for name in GOALS:
            runs[name].append(latencies(samples, name))
    for name, (half, most) in GOALS.items():
        medians = measure.Spread([float(np.median(run["event"])) for run in runs[name]], "ms")
        pooled = {topic: np.concatenate([run[topic] for run in runs[name]]) for topic in TOPICS}
        p50, p99 = (float(np.percentile(pooled["event"], share)) for share in (50, 99))
        rows.append(
            measure.Row(
                "I",
                f"end of utterance to PUBACK, `{name}`, by the clock",
                f"p50 {p50:.1f} ms, p99 {p99:.1f} ms of {len(pooled['event'])} utterances (medians of "
                f"{len(runs[name])} runs {min(medians.values):.1f} to {max(medians.values):.1f})",
                f"the same event on disk and on `journal`: p50 {np.median(pooled['journal']):.1f} ms",
                [measure.Goal(f"p50 ≤ {half} ms", p50, half), measure.Goal(f"p99 ≤ {most} ms", p99, most)],
                {},
            )
        )
        values = {topic: [round(value, 2) for value in found] for topic, found in pooled.items()}
        details[name] = {"milliseconds": values, "medians": medians}
    measure.report(rows, details, options.json)


if __name__ == "__main__":
    main()
