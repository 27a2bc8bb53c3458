"""The state machine that turns speech probabilities into utterances: values in, values out, counted in blocks."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

_CLOSURE = 4  # blocks


@dataclass(frozen=True, slots=True)
class SegmenterSettings:
    """What the state machine decides by; all lengths in blocks, ``loud`` in the unit of the levels."""

    open_probability: float
    close_probability: float
    confirm: int
    hangover: int
    lead_in: int
    loud: float
    pre_roll: int
    tail: int
    shortest: int
    longest: int

    def __post_init__(self) -> None:
        if not 0 < self.close_probability <= self.open_probability <= 1:
            raise ValueError("the closing probability lies above 0 and not above the opening one")
        if not 0 <= self.tail <= self.hangover or min(self.confirm, self.hangover, self.shortest) < 1:
            raise ValueError("the tail is part of the hangover, and confirmation takes at least one block")
        if self.longest < 2 * (self.pre_roll + self.lead_in + self.confirm + self.shortest + self.hangover):
            raise ValueError("the maximum length is less than twice that of everything else")


@dataclass(frozen=True, slots=True)
class Opened:
    """Speech is confirmed; ``onset`` is its first block."""

    onset: int


@dataclass(frozen=True, slots=True)
class Span:
    """An utterance: blocks ``start`` (pre-roll included) to ``stop`` (tail included, exclusive).

    Speech proper runs from ``onset`` to ``offset`` (exclusive).
    """

    start: int
    onset: int
    offset: int
    stop: int


@dataclass(frozen=True, slots=True)
class Closed:
    """Speech is over; ``offset`` is the block behind its last one."""

    offset: int


Decision = Opened | Span | Closed


class Segmenter:
    """Hysteresis, confirmation, hangover, pre-roll, minimum and maximum length over one value pair per block.

    Where speech is recognised late, in the middle of a cry or a long vowel, its onset is taken back over the loud
    blocks that lead into it, at most ``lead_in`` of them.
    """

    def __init__(self, settings: SegmenterSettings) -> None:
        self._settings = settings
        self._position = 0  # the block that comes next
        self._free = 0  # the first block that no utterance holds yet
        self._levels: deque[float] = deque(maxlen=settings.longest)
        self._onset: int | None = None
        self._confirmed = False
        self._continued = False
        self._certain = 0
        self._start = 0
        self._offset = 0

    @property
    def position(self) -> int:
        """The index of the block that the next ``push`` describes."""
        return self._position

    @property
    def idle(self) -> bool:
        """Whether no speech is open or suspected, so that blocks may be skipped."""
        return self._onset is None

    def skip_to(self, position: int, levels: Iterable[float]) -> None:
        """Take the blocks up to ``position`` as no speech, only while idle; ``levels`` are the last ones of theirs."""
        if not self.idle or position < self._position:
            raise ValueError("blocks are skipped forwards, and only between utterances")
        self._position = position
        self._levels.extend(levels)

    def push(self, probability: float, level: float) -> list[Decision]:
        """Take the next block's speech probability (0..1) and level (any unit that grows with loudness)."""
        settings = self._settings
        block = self._position
        self._position += 1
        self._levels.append(level)
        if self._onset is None:
            if probability < settings.open_probability:
                return []
            self._onset = self._lead_in(block)
            self._start = max(self._onset - settings.pre_roll, self._free)
            self._certain = block
        if probability >= settings.close_probability:
            self._offset = self._position
        if not self._confirmed:
            return self._confirm()
        if self._position - self._offset >= settings.hangover:
            return self._close()
        if self._position - self._start >= settings.longest:
            return self._cut()
        return []

    def finish(self) -> list[Decision]:
        """End the stream here: the utterance in hand, if there is one."""
        if self._confirmed:
            return self._close()
        self._onset = None
        return []

    def begin(self, position: int) -> None:
        """Take block ``position`` as the first of another stream, only while idle: nothing reaches back before it."""
        if not self.idle or position < self._position:
            raise ValueError("another stream begins behind the last one, and only between utterances")
        self._position = self._free = position
        self._levels.clear()

    def _lead_in(self, block: int) -> int:
        """The first of the loud blocks that lead into ``block``, gaps as short as a plosive's closure included."""
        onset = block
        earliest = max(block - self._settings.lead_in, self._free, self._position - len(self._levels))
        for earlier in range(block - 1, earliest - 1, -1):
            if self._levels[earlier - self._position] >= self._settings.loud:
                onset = earlier
            elif onset - earlier > _CLOSURE:
                break
        return onset

    def _confirm(self) -> list[Decision]:
        """Wait until speech has lasted without a gap; a click never gets there."""
        if self._offset < self._position or self._onset is None:
            self._onset = None
        elif self._position - self._certain >= self._settings.confirm:
            self._confirmed = True
            return [Opened(self._onset)]
        return []

    def _close(self) -> list[Decision]:
        onset = self._onset
        assert onset is not None  # noqa: S101 - confirmed speech has an onset
        decisions: list[Decision] = [Closed(self._offset)]
        # What remains of a cut utterance is kept however short its speech: nothing is lost at a cut.
        if self._continued or self._offset - onset >= self._settings.shortest:
            stop = min(self._offset + self._settings.tail, self._position)
            decisions.insert(0, Span(self._start, onset, self._offset, stop))
            self._free = stop
        self._onset, self._confirmed, self._continued = None, False, False
        return decisions

    def _cut(self) -> list[Decision]:
        """End the utterance at its quietest block of the later half; the rest goes on as the next one."""
        settings = self._settings
        onset = self._onset
        assert onset is not None  # noqa: S101 - confirmed speech has an onset
        first = self._start + settings.longest // 2
        last = self._position - settings.shortest
        cut = min(range(last, first - 1, -1), key=self._loudness)
        if cut >= self._offset:  # the pause before the hangover ran out
            return self._close()
        span = Span(self._start, onset, cut, cut)
        self._start = self._onset = self._free = cut
        self._continued = True
        return [span]

    def _loudness(self, block: int) -> float:
        """The level around ``block``, its neighbours included, so that a pause beats a plosive's closure."""
        index = block - self._position
        return self._levels[index - 1] + self._levels[index] + self._levels[min(index + 1, -1)]
