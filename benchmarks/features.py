"""The cost of features for three seconds of speech, beside librosa and openSMILE, and their difference from librosa.

python -m benchmarks.features [--audio FILE] [--runs N] [--data FOLDER] [--clips N] [--json FILE]
"""

import argparse
import functools
import importlib.metadata
import json
import os
import platform
import random
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from unittest import mock

import librosa
import numpy as np
import soundfile

from benchmarks import measure, recipe
from edge import features
from edge.audio import SAMPLE_RATE
from edge.features import families, prosody, spectrum
from edge.features.families import Spectrum

SECONDS = 3
MEASURED_SECONDS = 0.25  # of CPU time in each run, so that the resolution of the clock does not matter
STFT = {"n_fft": features.WINDOW_SAMPLES, "hop_length": features.HOP_SAMPLES, "pad_mode": "constant"}


def librosa_shared(samples: np.ndarray) -> np.ndarray:
    """The five families from librosa with one shared STFT: the reference for ours."""
    magnitude = np.abs(librosa.stft(samples, **STFT))
    power = magnitude**2
    mel = librosa.power_to_db(librosa.feature.melspectrogram(S=power, sr=SAMPLE_RATE, n_mels=40), top_db=None)
    chroma = librosa.feature.chroma_stft(S=power, sr=SAMPLE_RATE, n_fft=features.WINDOW_SAMPLES, tuning=0.0)
    contrast = librosa.feature.spectral_contrast(S=magnitude, sr=SAMPLE_RATE)
    tonnetz = librosa.feature.tonnetz(chroma=chroma, sr=SAMPLE_RATE)
    return np.concatenate([librosa.feature.mfcc(S=mel, n_mfcc=40), mel, chroma, contrast, tonnetz]).T


def against_reference(clips: dict[str, np.ndarray]) -> dict[str, tuple[float, str]]:
    """The largest difference in each family, and the clip in which it occurs."""
    worst = dict.fromkeys(features.FAMILIES, (0.0, ""))
    with mock.patch("librosa.feature.spectral.power_to_db", functools.partial(librosa.power_to_db, top_db=None)):
        for name, clip in clips.items():
            difference = np.abs(features.frames(clip) - librosa_shared(clip))
            for family, columns in features.FAMILIES.items():
                worst[family] = max(worst[family], (float(difference[:, columns].max()), name))
    return worst


def synthetic_clips() -> dict[str, np.ndarray]:
    time_s = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    noise = np.random.default_rng(0).standard_normal(len(time_s))
    clips = {
        "silence": np.zeros(len(time_s)),
        "direct current": np.ones(len(time_s)),
        "white noise": 0.1 * noise,
        "noise of one bit": np.rint(noise) / 32768,
        "clipped tone": np.clip(8 * np.sin(2 * np.pi * 220 * time_s), -1, 1),
        "chirp": np.sin(2 * np.pi * (50 * time_s + 1975 * time_s**2)),
    }
    return {name: clip.astype(np.float32) for name, clip in clips.items()}


def real_clips(folder: Path, count: int) -> dict[str, np.ndarray]:
    paths = sorted(folder.glob("*/*.opus"))
    chosen = random.Random(0).sample(paths, min(count, len(paths)))
    return {path.name: soundfile.read(path, dtype="float32")[0] for path in chosen}


def contenders(samples: np.ndarray) -> dict[str, Callable[[], object] | None]:
    """The contenders by name; None for one that is not installed."""
    floats = (samples / np.float32(32768)).astype(np.float32)
    try:
        import opensmile
    except ImportError:
        egemaps = None
    else:
        smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)
        egemaps = lambda: smile.process_signal(floats, SAMPLE_RATE)  # noqa: E731
    return {
        "affectd, 105 features": lambda: features.frames(samples),
        "affectd, with prosody": lambda: features.frames(samples, features.SIX),
        "affectd, in blocks of 32 ms": lambda: streamed(samples),
        "librosa, one shared STFT": lambda: librosa_shared(floats),
        "librosa, one call per feature": lambda: recipe.frames(floats),
        "openSMILE, eGeMAPSv02": egemaps,
    }


def streamed(samples: np.ndarray) -> None:
    stream = features.FrameStream()
    for start in range(0, len(samples), 512):
        stream.push(samples[start : start + 512])
    stream.finish()


def stages(samples: np.ndarray) -> dict[str, Callable[[], object]]:
    """The parts of our computation, each over the whole clip."""
    count = 1 + len(samples) // features.HOP_SAMPLES
    spectra = [Spectrum(power.copy()) for power in spectrum.power_spectra(samples, 0, count)]
    windows = [np.random.default_rng(0).standard_normal((len(each.power), features.WINDOW_SAMPLES)) for each in spectra]
    bins = np.empty((spectrum.BLOCK_FRAMES, spectrum.BINS), np.complex128)

    def over(function: Callable[[Spectrum], object]) -> Callable[[], object]:
        return lambda: [function(each) for each in spectra]

    return {
        "window, FFT, power": lambda: [None for _ in spectrum.power_spectra(samples, 0, count)],
        "  of it the FFT": lambda: [np.fft.rfft(each, axis=1, out=bins[: len(each)]) for each in windows],
        "mel": over(lambda each: Spectrum(each.power).log_mel),
        "mfcc, from mel": over(families.mfcc),
        "chroma": over(lambda each: Spectrum(each.power).chroma),
        "contrast": over(families.contrast),
        "tonnetz, from chroma": over(families.tonnetz),
        "prosody": over(lambda each: prosody.prosody(each.power)),
    }


def cpu_seconds(function: Callable[[], object]) -> float:
    """CPU time of one call, all threads together."""
    calls, begin = 0, time.process_time()
    while (spent := time.process_time() - begin) < MEASURED_SECONDS or calls == 0:
        function()
        calls += 1
    return spent / calls


def measured(functions: dict[str, Callable[[], object] | None], runs: int) -> dict[str, list[float] | None]:
    """CPU milliseconds of each run. The contenders take turns, so that other work slows all of them equally."""
    for function in functions.values():
        if function:
            function()  # compiles, caches, fills its buffers
    times: dict[str, list[float] | None] = {name: [] if function else None for name, function in functions.items()}
    for _ in range(runs):
        for name, function in functions.items():
            if function:
                times[name].append(1000 * cpu_seconds(function))
    return times


def table(times: dict[str, list[float] | None], *, per_clip: bool) -> None:
    reference = statistics.median(next(iter(times.values())))
    last = "times ours" if per_clip else "share"
    print(f"\n| | CPU ms, median | least to most | {last} |\n|---|---|---|---|")
    for name, values in times.items():
        if values is None:
            print(f"| {name} | not installed | | |")
            continue
        median = statistics.median(values)
        ratio = f"{median / reference:.1f}" if per_clip else f"{median / reference:.0%}"
        print(f"| {name} | {median:.2f} | {min(values):.2f} to {max(values):.2f} | {ratio} |")


def row(times: dict[str, list[float] | None]) -> measure.Row:
    """Row B of the table of costs."""
    spreads = {name: measure.Spread(values, "ms") for name, values in times.items() if values}
    ours, *_ = spreads
    goals = {"librosa, one shared STFT": 2, "librosa, one call per feature": 100, "openSMILE, eGeMAPSv02": 50}
    ratios = {name: ratio for name, ratio in measure.ratios(spreads, ours).items() if name in goals}
    return measure.Row(
        "B",
        f"the {features.COUNT} features of {SECONDS} s, CPU",
        f"{spreads[ours]}; with prosody {spreads['affectd, with prosody']}",
        "; ".join(f"{name}: {measure.plain(spreads[name].median)} ms, {ratios[name]:.1f} x" for name in ratios),
        [measure.Goal(f"≥ {goals[name]} x", ratios[name], goals[name], least=True) for name in ratios],
        ratios,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--audio", type=Path, default=Path(__file__).parents[1] / "edge" / "demo.opus")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("AFFECTD_DATA", "../shared/data")))
    parser.add_argument("--clips", type=int, default=300, help="how many of the data folder's to compare")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")

    samples, rate = soundfile.read(arguments.audio, dtype="int16", frames=SECONDS * SAMPLE_RATE)
    if rate != SAMPLE_RATE or samples.ndim != 1 or len(samples) < SECONDS * SAMPLE_RATE:
        parser.error(f"{arguments.audio} must hold {SECONDS} s of mono audio at {SAMPLE_RATE} Hz")
    times = measured(contenders(samples), arguments.runs)
    parts = measured({"all": lambda: features.frames(samples, features.SIX), **stages(samples)}, arguments.runs)

    installed = {name: importlib.metadata.version(name) for name in ("numpy", "librosa", "scipy")}
    print(
        f"{SECONDS} s of speech, one thread, {arguments.runs} runs, {measure.processor()}, "
        f"Python {platform.python_version()},"
    )
    print(", ".join(f"{name} {version}" for name, version in installed.items()))
    table(times, per_clip=True)
    table(parts, per_clip=False)
    kinds = {"synthetic": synthetic_clips(), "real": real_clips(arguments.data, arguments.clips)}
    differences = {f"{len(clips)} {kind} clips": against_reference(clips) for kind, clips in kinds.items()}
    print(f"\n| largest difference | {' | '.join(differences)} |\n|---|{'---|' * len(differences)}")
    for family in features.FAMILIES:
        print(f"| {family} | {' | '.join(f'{worst[family][0]:.1e}' for worst in differences.values())} |")
    if arguments.json:
        report = {
            "machine": measure.machine(),
            "rows": [asdict(row(times))],
            "details": {"cpu_ms": times, "stages_cpu_ms": parts, "largest_differences": differences},
        }
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
