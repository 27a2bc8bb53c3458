"""What is usual of the aspects that no history of features tells: means over recordings of each corpus."""

import csv

import numpy as np

from benchmarks.explanations.clips import DATA, trimmed
from edge import features
from edge.explain import aspects
from edge.explain.aspects import USUAL_MOVEMENT
from edge.model.bundle import Bundle
from edge.sources.conversion import read_audio

RECORDINGS = 60  # of each corpus


def table(_bundle: Bundle) -> str:
    with (DATA / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    order = np.random.default_rng(0).permutation(len(rows))
    lines = ["| corpus | " + " | ".join(name.replace("_", " ") for name in USUAL_MOVEMENT) + " |", "|---|--:|--:|--:|"]
    means = []
    for corpus in sorted({row["corpus"] for row in rows}):
        paths = [rows[index]["path"] for index in order if rows[index]["corpus"] == corpus][:RECORDINGS]
        found = [measured(path) for path in paths]
        means.append([float(np.nanmean([one[name] for one in found])) for name in USUAL_MOVEMENT])
        lines.append(f"| {corpus} | " + " | ".join(f"{value:.1f}" for value in means[-1]) + " |")
    lines.append("| mean | " + " | ".join(f"{value:.1f}" for value in np.mean(means, axis=0)) + " |")
    lines.append("| taken as usual | " + " | ".join(f"{value:.1f}" for value in USUAL_MOVEMENT.values()) + " |")
    return "\n".join([*lines, "", f"{RECORDINGS} recordings of each corpus, in semitones, dB and Hz."])


def measured(path: str) -> dict[str, float]:
    frames = features.frames(trimmed(read_audio(DATA / path)), features.SIX)
    return aspects.measures(frames, features.SIX)
