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
from edge.model.voices import Voices
from train.corpora import Clip

Floats = NDArray[np.float32]
Said = tuple[Floats, float]
"""A clip's voice [width], of unit length, and how long it is, s."""
PROTOCOLS = ("none", "source", "speaker")
"""Whose history an adapter has: nobody's, everybody's at a microphone, a speaker's."""
ADAPTATIONS = (*PROTOCOLS, "voice")
"""The same, and a voice's, as the bundle tells voices apart."""
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
    voices: Callable[[Callable[[], Adapter]], Voices] | None = None
    """What tells voices apart at a fresh microphone, from what makes the history of a new one; the protocol ``voice``
    needs it."""


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
    return "voice" if protocol in ("voice", "speaker") else "source"


def source_of(clip: Clip, protocol: str) -> str:
    """Whose voice an adapter follows: everyone at a microphone (here, the corpus), or one speaker."""
    if protocol not in ADAPTATIONS:
        raise UsageError(f"No adaptation is called {protocol}; choose one of {', '.join(ADAPTATIONS)}.")
    return clip.corpus if protocol in ("source", "voice") else clip.who


def listen(
    clips: Sequence[Clip],
    frames: Sequence[Floats],
    model: AdaptiveModel,
    protocol: str = "none",
    settings: AdapterSettings | None = None,
    seed: int = 1,
    history: str = "recorded",
    said: Sequence[Said] | None = None,
) -> Heard:
    """Hears every source's clips in a seeded random order, never a clip before its turn.

    Under the protocol ``voice`` a source tells voices apart by what each clip ``said``, and each voice has a history of
    its own; what is nobody's is judged by the history of the source.

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
        histories = _histories(model, protocol, settings, said, model.scale(frames[queue[0]]).shape[1])
        neutral: dict[str, list[tuple[int, Floats, Floats | None]]] = defaultdict(list)
        for index in queue:
            scaled = model.scale(frames[index])
            adapter = histories.of(index)
            before[index] = adapter.utterances
            logits[index], embedding = model.predict(scaled, adapter.snapshot())
            if model.levels:
                levels = frames[index][:, model.levels]
                measured[index] = measures(levels, embedding, adapter.weight)
            learnt = (index, scaled, embedding)
            calm = neutral[clips[index].who if protocol == "voice" else ""]
            if clips[index].emotion == "neutral":
                calm.append(learnt)
            if history == "life" and calm and generator.random() < CALM:
                learnt = calm[generator.integers(len(calm))]
            if protocol != "none":
                histories.learn(*learnt)
            bar.update()
    bar.close()
    return Heard(np.stack(logits), before, measured)


class _Histories:
    """The adapters at one microphone: the source's, and one for each voice where voices are told apart."""

    def __init__(self, source: Adapter, voices: Voices | None = None, said: Sequence[Said] = ()) -> None:
        self.source, self.voices, self.said = source, voices, said

    def of(self, index: int) -> Adapter:
        """The history that a clip is judged by."""
        voice = self.voices.nearest(*self.said[index]).voice if self.voices else None
        return voice.history if voice and voice.history else self.source

    def learn(self, index: int, scaled: Floats, embedding: Floats | None) -> None:
        """Learns from a clip: the history of the microphone, and that of its voice."""
        self.source.observe(scaled, embedding)
        voice = self.voices.hear(*self.said[index]).voice if self.voices else None
        if voice and voice.history:
            voice.history.observe(scaled, embedding)


def _histories(
    model: AdaptiveModel, protocol: str, settings: AdapterSettings, said: Sequence[Said] | None, features: int
) -> _Histories:
    def fresh(kind: Kind) -> Adapter:
        return Adapter(features, model.embedding, model.adapters.get(kind, AdapterSettings()))

    if protocol != "voice":
        return _Histories(Adapter(features, model.embedding, settings))
    if model.voices is None or said is None:
        raise UsageError("The bundle tells no voices apart; take one with voice.onnx, or adapt by source or speaker.")
    return _Histories(fresh("source"), model.voices(lambda: fresh("voice")), said)
