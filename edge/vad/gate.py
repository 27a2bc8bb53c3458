"""The gate: from blocks of sound to utterances, at next to no cost while nobody speaks."""

from dataclasses import dataclass
from math import ceil, log10

import numpy as np
from numpy.typing import NDArray

from edge.audio import BLOCK_SAMPLES, BLOCK_SECONDS
from edge.config import GateSettings
from edge.vad.detectors import FULL_SCALE, CheapDetector, NeuralDetector
from edge.vad.segmenter import Closed, Decision, Opened, Segmenter, SegmenterSettings, Span

_QUIETEST_DB = -90.0  # dBFS: the floor of int16 audio, and of the noise estimate
_QUIETEST_POWER = 10 ** (_QUIETEST_DB / 10)
_NOISE_BLOCKS = 32  # that the noise estimate looks back: about one second
_NOISE_STEP_DB = 12.0  # a slammed door moves the estimate no further than this much louder noise
_RISEN_BLOCKS = 16  # in a row that are louder than that: half a second is no door, the noise has risen
_LEAST_SNR = 1e-2  # -20 dB: no estimate of speech buried deeper means anything
_LOUD_DB = 4.0  # above the noise: what may lead into speech
_NO_SPEECH = 0.1  # below this probability a block teaches the noise estimate, however loud it is
_WARM_UP = 12  # blocks that the neural detector hears before the one that woke it
_VIGIL = 8  # blocks that it goes on listening after the last suspicion


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """Somebody speaks, since ``start_sample`` of the stream."""

    start_sample: int


@dataclass(frozen=True, slots=True, eq=False)
class Utterance:
    """Speech from sample ``start`` of the stream to ``end``: ``samples`` int16 [end - start], 16 kHz.

    ``snr_db`` is the level of its speech over that of the noise around it.
    """

    start: int
    samples: NDArray[np.int16]
    snr_db: float

    @property
    def end(self) -> int:
        """The sample behind the last one."""
        return self.start + len(self.samples)


@dataclass(frozen=True, slots=True)
class SpeechEnded:
    """Nobody speaks any more, since ``end_sample`` of the stream."""

    end_sample: int


GateItem = SpeechStarted | Utterance | SpeechEnded


class Gate:
    """Cuts utterances out of a stream of blocks; depends on the samples alone, never on a clock.

    Diagnostics: ``blocks`` heard, ``neural_blocks`` among them that the neural detector was asked about, and
    ``noise_db``, the estimated noise in dBFS.
    """

    def __init__(self, settings: GateSettings) -> None:
        self._trigger_db = settings.trigger_db
        segmenting = _in_blocks(settings)
        self._segmenter = Segmenter(segmenting)
        self._lead_in = segmenting.lead_in
        self._aggressiveness = settings.aggressiveness
        self._cheap = CheapDetector(settings.aggressiveness)
        self._neural = NeuralDetector()
        capacity = segmenting.longest + segmenting.lead_in + _WARM_UP + 1
        self._ring = np.zeros((capacity, BLOCK_SAMPLES), dtype=np.float32)
        self._levels = [_QUIETEST_DB] * capacity  # of each block in the ring, dBFS
        self._listen_until = 0  # the block at which the neural detector may sleep again
        self._lessons = 1
        self._louder: list[float] = []  # levels of the latest blocks, all too loud for a step, dBFS
        self._ahead, self._ahead_from = np.empty((0, BLOCK_SAMPLES), np.int16), 0
        self._encoded, self._encoded_from = np.empty((0, 0), np.float32), 0
        self.noise_db = _QUIETEST_DB
        self.blocks = 0
        self.neural_blocks = 0

    def push(self, block: NDArray[np.int16]) -> list[GateItem]:
        """Take the next block, int16 [512]; return what it brings to light."""
        if block.shape != (BLOCK_SAMPLES,) or block.dtype != np.int16:
            raise ValueError(f"a block is int16 [{BLOCK_SAMPLES}], not {block.dtype} {list(block.shape)}")
        index = self.blocks
        self.blocks += 1
        slot = index % len(self._levels)
        row = self._ring[slot]
        row[:] = block
        power = float(row.dot(row)) / (BLOCK_SAMPLES * FULL_SCALE**2)  # the high-pass has taken any offset away
        level = 10 * log10(power) if power > _QUIETEST_POWER else _QUIETEST_DB
        self._levels[slot] = level
        excess = level - self.noise_db
        if excess > self._trigger_db and self._cheap.is_speech(block):
            self._listen_until = index + _VIGIL
        if index >= self._listen_until and self._segmenter.idle:
            self._learn_noise(excess)
            return []
        return self._listen(excess)

    @property
    def asleep(self) -> bool:
        """Whether nobody is known or suspected to speak."""
        return self._segmenter.idle and self.blocks >= self._listen_until

    def prefetch(self, blocks: NDArray[np.int16]) -> None:
        """Say which blocks, int16 [n, 512], will be pushed next: where somebody speaks, they then cost half."""
        self._ahead, self._ahead_from = blocks, self.blocks

    def finish(self) -> list[GateItem]:
        """End the stream: the utterance in hand, if there is one. What is pushed next is the beginning of another.

        What is known of the noise is kept, as a first guess.
        """
        items = [self._item(decision) for decision in self._segmenter.finish()]
        self._begin()
        return items

    def wipe(self) -> None:
        """End the stream without the utterance in hand, and overwrite all sound that is held.

        What is known of the noise is kept, as a first guess.
        """
        self._segmenter.finish()
        self._begin()
        self._cheap = CheapDetector(self._aggressiveness)
        self._ring.fill(0)
        self._encoded.fill(0)
        self._ahead, self._encoded = np.empty((0, BLOCK_SAMPLES), np.int16), np.empty((0, 0), np.float32)

    def _begin(self) -> None:
        """Take what comes next as the beginning of a stream."""
        self._segmenter.begin(self.blocks)
        self._neural.reset()
        self._listen_until = self.blocks
        self._lessons = 1
        self._louder.clear()

    def _listen(self, excess: float) -> list[GateItem]:
        """Ask the neural detector about the newest block, after those before it that it has not heard."""
        segmenter = self._segmenter
        first = self.blocks - 1 - _WARM_UP
        if segmenter.position < first:
            self._neural.reset()
            unheard = range(max(segmenter.position, first - self._lead_in), first)
            segmenter.skip_to(first, [self._excess(index) for index in unheard])
        items: list[GateItem] = []
        probability = 0.0
        for index in range(segmenter.position, self.blocks):
            probability = self._neural.probability(self._ring[index % len(self._levels)], self._prefetched(index))
            self.neural_blocks += 1
            items += [self._item(decision) for decision in segmenter.push(probability, self._excess(index))]
        if excess < 0 or probability < _NO_SPEECH:
            self._learn_noise(excess)
        return items

    def _prefetched(self, index: int) -> NDArray[np.float32] | None:
        """The neural detector's encoding of block ``index``, made together with those of all that was prefetched."""
        if not self._encoded_from <= index < self._encoded_from + len(self._encoded):
            if not self._ahead_from <= index < self._ahead_from + len(self._ahead):
                return None
            before = self._ring[(index - 1) % len(self._levels)]
            self._encoded = self._neural.encode(self._ahead[index - self._ahead_from :], before)
            self._encoded_from = index
        encoded: NDArray[np.float32] = self._encoded[index - self._encoded_from]
        return encoded

    def _excess(self, index: int) -> float:
        """How far block ``index`` lies above the noise, in dB."""
        return self._levels[index % len(self._levels)] - self.noise_db

    def _learn_noise(self, excess: float) -> None:
        """Move the noise estimate towards a block ``excess`` dB above it: an average at first, then a running one."""
        if self._lessons < _NOISE_BLOCKS:
            self._lessons += 1
        if excess <= _NOISE_STEP_DB:
            self._louder.clear()
            self.noise_db += excess / self._lessons
            return
        self._louder.append(self.noise_db + excess)
        if len(self._louder) < _RISEN_BLOCKS:
            self.noise_db += _NOISE_STEP_DB / self._lessons
            return
        self.noise_db = min(self._louder)
        self._louder.clear()

    def _item(self, decision: Decision) -> GateItem:
        match decision:
            case Opened(onset):
                return SpeechStarted(onset * BLOCK_SAMPLES)
            case Closed(offset):
                return SpeechEnded(offset * BLOCK_SAMPLES)
            case Span():
                return self._utterance(decision)

    def _utterance(self, span: Span) -> Utterance:
        """Copy an utterance out of the ring."""
        slots = np.arange(span.start, span.stop) % len(self._levels)
        samples = self._ring[slots].astype(np.int16).reshape(-1)
        excesses = [10 ** (self._excess(index) / 10) for index in range(span.onset, span.offset)]
        snr = max(sum(excesses) / len(excesses) - 1, _LEAST_SNR)  # without the noise that speech comes on top of
        return Utterance(span.start * BLOCK_SAMPLES, samples, 10 * log10(snr))


def _in_blocks(settings: GateSettings) -> SegmenterSettings:
    """Every length rounded so that it is at least what was asked for; the maximum so that it is at most that."""

    def at_least(seconds: float) -> int:
        return max(ceil(seconds / BLOCK_SECONDS - 1e-9), 1)

    return SegmenterSettings(
        open_probability=settings.open_probability,
        close_probability=settings.close_probability,
        confirm=at_least(settings.confirm_s),
        hangover=at_least(settings.hangover_s),
        lead_in=int(settings.lead_in_s / BLOCK_SECONDS),
        loud=_LOUD_DB,
        pre_roll=at_least(settings.pre_roll_s),
        tail=min(int(settings.tail_s / BLOCK_SECONDS), at_least(settings.hangover_s)),
        shortest=at_least(settings.min_utterance_s),
        longest=int(settings.max_utterance_s / BLOCK_SECONDS + 1e-9),
    )
