"""Evaluation as the device hears: clips one after another, each behind what its adapter has learnt so far."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from edge.adapt import Adapter, AdapterSettings
from edge.errors import UsageError
from train.corpora import Clip

Floats = NDArray[np.float32]
PROTOCOLS = ("none", "source", "speaker")


@dataclass(frozen=True)
class Ear:
    """A model on either side of its adapter."""

    scale: Callable[[Floats], Floats]
    """Frames [time, features] -> scaled features [time, features]; one row when pooled."""
    predict: Callable[[Floats], Floats]
    """Adapted features -> logits [classes]."""


@dataclass(frozen=True)
class Heard:
    """Logits [clips, classes] in the order of the clips, and how many utterances the adapter had heard before each."""

    logits: Floats
    before: NDArray[np.int64]


def source_of(clip: Clip, protocol: str) -> str:
    """Whose voice an adapter follows: everyone at a microphone (here, the corpus), or one speaker."""
    if protocol not in PROTOCOLS:
        raise UsageError(f"No adaptation is called {protocol}; choose one of {', '.join(PROTOCOLS)}.")
    return clip.corpus if protocol == "source" else clip.who


def listen(
    clips: Sequence[Clip],
    frames: Sequence[Floats],
    ear: Ear,
    protocol: str = "none",
    settings: AdapterSettings | None = None,
    seed: int = 1,
) -> Heard:
    """Hears every source's clips in a seeded random order, never a clip before its turn."""
    queues: dict[str, list[int]] = defaultdict(list)
    for index in np.random.default_rng(seed).permutation(len(clips)):
        queues[source_of(clips[index], protocol)].append(int(index))
    logits: list[Floats] = [np.empty(0, np.float32)] * len(clips)
    before = np.zeros(len(clips), np.int64)
    bar = tqdm(total=len(clips), desc=f"evaluate ({protocol})", unit="clip", leave=False)
    for queue in queues.values():
        adapter: Adapter | None = None
        for index in queue:
            scaled = ear.scale(frames[index])
            adapter = adapter or Adapter(scaled.shape[1], settings)
            logits[index], before[index] = ear.predict(adapter.apply(scaled)), adapter.utterances
            if protocol != "none":
                adapter.observe(scaled)
            bar.update()
    bar.close()
    return Heard(np.stack(logits), before)
