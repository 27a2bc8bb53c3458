"""An event as a person would like to read it: emotion, confidence, and the families that spoke for and against it."""

import datetime

from msgspec import UNSET

from edge.cli.output import printable
from edge.events.event import Event, EventExplanation

BAR_CELLS = 20  # width of the confidence bar, characters
SHARE_CELLS = 8  # width of the longest family bar to either side of its zero, characters

_EIGHTHS = " ▏▎▍▌▋▊▉█"
_COLOURS = {  # ANSI 256; hues that stay apart for colour-blind readers (Okabe and Ito, 2008)
    "anger": 166,
    "disgust": 142,
    "fear": 175,
    "happy": 220,
    "neutral": 246,
    "sad": 74,
    "sarcastic": 180,
    "surprise": 36,
}
_FOR, _AGAINST, _DIM = 36, 166, 244


def event(event: Event, *, colour: bool) -> str:
    """Lines of text, without a newline at the end; ANSI colours only when asked for."""
    local = datetime.datetime.fromisoformat(event.start).astimezone()
    hue = _COLOURS.get(event.emotion, _DIM)
    others = sorted(((value, label) for label, value in event.probabilities.items()), reverse=True)
    head = (
        f"{local:%H:%M:%S}  {_paint(f'{event.emotion:<10}', hue, colour)}"
        f"{_paint(_bar(event.confidence), hue, colour)} {event.confidence:4.0%}  "
        + _paint(f"{event.duration_s:4.1f} s  {event.snr_db:3.0f} dB", _DIM, colour)
    )
    rest = ", ".join(f"{label} {value:.0%}" for value, label in others if label != event.emotion and value >= 0.005)
    lines = [head]
    if rest:
        lines.append(" " * 10 + _paint(("or " if event.emotion != "uncertain" else "perhaps ") + rest, _DIM, colour))
    if event.intensity is not UNSET:
        lines.append(
            " " * 10 + _paint(f"{'intensity':<10}{_bar(event.intensity)} {event.intensity:4.0%}", _DIM, colour)
        )
    if event.voice is not UNSET:
        named = event.voice.id if event.voice.name is UNSET else f"{event.voice.name} ({event.voice.id})"
        lines.append(" " * 10 + _paint(f"voice     {printable(named)}, {event.voice.score:.2f} near", _DIM, colour))
    if event.explanation is not None:
        lines.append(" " * 10 + _families(event.explanation, colour))
        if event.explanation.sentence is not UNSET:
            lines.append(" " * 10 + event.explanation.sentence)
    return "\n".join(lines)


def change(topic: str, payload: str, *, colour: bool) -> str:
    """One line for a retained topic that changed."""
    return " " * 10 + _paint(f"{topic}: {payload}", _DIM, colour)


def _families(explanation: EventExplanation, colour: bool) -> str:
    largest = max((abs(value) for value in explanation.families.values()), default=0.0) or 1.0
    shares = []
    for family, value in explanation.families.items():
        cells = max(1, round(SHARE_CELLS * abs(value) / largest)) if value else 0
        bar = ("+" if value >= 0 else "−") * cells
        shares.append(f"{family} {value:+.1f} {_paint(bar, _FOR if value >= 0 else _AGAINST, colour)}")
    return f"why {explanation.target}: " + "  ".join(shares)


def _bar(fraction: float) -> str:
    eighths = round(max(0.0, min(1.0, fraction)) * BAR_CELLS * 8)
    full, part = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[part] if part else "")).ljust(BAR_CELLS, "░")


def _paint(text: str, hue: int, colour: bool) -> str:
    return f"\x1b[38;5;{hue}m{text}\x1b[0m" if colour else text
