"""Evaluation as the device hears: clips one after another, each behind what its adapter has learnt so far."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from edge.errors import UsageError
from edge.model.adapter import SETTINGS, Adaptation, Adapter, AdapterSettings, Kind
from edge.model.calibration import MEASURES, measures
from train.corpora import Clip

Floats = NDArray[np.float32]
PROTOCOLS = ("none", "source", "speaker")
HISTORIES = ("recorded", "life")
"""What an adapter learns from between two clips: the clips themselves, or mostly neutral ones, as life has it."""
CALM = 0.8
"""Of what is heard in life: the share that is neutral."""


@dataclass(frozen=True)
class AdaptiveModel:
    """A model around its adapter."""

    scale: Callable[[Floats], Floats]
    """Frames [time, features] -> scaled features [time, features]; one row when pooled."""
    predict: Callable[[Floats, Adaptation], tuple[Floats, Floats | None]]
    """Scaled features, and what is usual of their source -> logits [classes] and embedding."""
    embedding: int = 0
    """How wide the embedding is; 0 where there is none."""
    levels: slice | None = None
    """Where the log-mel is among the columns of raw frames, for what the confidence depends on; None: unknown."""
    adapters: Mapping[Kind, AdapterSettings] = field(default_factory=SETTINGS.copy)
    """How fast a history of each kind is learnt; one that is absent, as ``AdapterSettings`` has it."""


@dataclass(frozen=True)
class Heard:
    """Logits [clips, classes] in the order of the clips, how many utterances the adapter had heard before each, and
    what the confidence depends on [clips, measures] (train.calibration).
    """

    logits: Floats
    before: NDArray[np.int64]
    measured: Floats


def kind_of(protocol: str) -> Kind:
    """Whose speech an adapter hears under a protocol."""
    return "voice" if protocol == "speaker" else "source"


def source_of(clip: Clip, protocol: str) -> str:
    """Whose voice an adapter follows: everyone at a microphone (here, the corpus), or one speaker."""
    if protocol not in PROTOCOLS:
        raise UsageError(f"No adaptation is called {protocol}; choose one of {', '.join(PROTOCOLS)}.")
    return clip.corpus if protocol == "source" else clip.who


def listen(
    clips: Sequence[Clip],
    frames: Sequence[Floats],
    model: AdaptiveModel,
    protocol: str = "none",
    settings: AdapterSettings | None = None,
    seed: int = 1,
    history: str = "recorded",
) -> Heard:
    """Hears every source's clips in a seeded random order, never a clip before its turn.

    In the history ``life`` the adapter learns, in four turns of five, from a neutral clip of the same source whose turn
    has been, in place of the clip itself; what is judged, and after how many utterances, stays the same.
    """
    settings = settings or model.adapters.get(kind_of(protocol), AdapterSettings())
    queues: dict[str, list[int]] = defaultdict(list)
    generator = np.random.default_rng(seed)
    for index in generator.permutation(len(clips)):
        queues[source_of(clips[index], protocol)].append(int(index))
    logits: list[Floats] = [np.empty(0, np.float32)] * len(clips)
    before, measured = np.zeros(len(clips), np.int64), np.zeros((len(clips), len(MEASURES)), np.float32)
    bar = tqdm(total=len(clips), desc=f"evaluate ({protocol})", unit="clip", leave=False)
    for queue in queues.values():
        adapter: Adapter | None = None
        neutral: list[tuple[Floats, Floats | None]] = []
        for index in queue:
            scaled = model.scale(frames[index])
            adapter = adapter or Adapter(scaled.shape[1], model.embedding, settings)
            before[index] = adapter.utterances
            logits[index], embedding = model.predict(scaled, adapter.snapshot())
            if model.levels:
                levels = frames[index][:, model.levels]
                measured[index] = measures(levels, embedding, adapter.weight)
            learnt = (scaled, embedding)
            neutral += [learnt] if clips[index].emotion == "neutral" else []
            if history == "life" and neutral and generator.random() < CALM:
                learnt = neutral[generator.integers(len(neutral))]
            if protocol != "none":
                adapter.observe(*learnt)
            bar.update()
    bar.close()
    return Heard(np.stack(logits), before, measured)
