"""Events as the daemon makes them, for tests that need no audio."""

import msgspec

from edge.events.event import Event, EventExplanation


def draft(node: str = "kitchen", *, text: str = "") -> Event:
    """An event that has no number yet."""
    return msgspec.structs.replace(event(0, node, text=text), id="", seq=0)


def event(seq: int, node: str = "kitchen", *, text: str = "") -> Event:
    """An event with an explanation; ``text`` makes it larger."""
    explanation = EventExplanation(
        method="shapley-families",
        target="anger",
        families={"mfcc": 1.9, "mel": 0.8, "chroma": -0.1, "contrast": 0.3, "tonnetz": 0.0, "prosody": 0.0},
        base_value=-1.2,
        value=1.7,
        residual=0.0,
    )
    return Event(
        id=f"{node}-7c1e-{seq:06d}",
        node=node,
        boot="7c1e",
        seq=seq,
        event_type="anger",
        emotion="anger",
        confidence=0.87,
        probabilities={"anger": 0.87, "neutral": 0.13},
        start="2026-11-22T05:54:48.120Z",
        end="2026-11-22T05:54:51.120Z",
        duration_s=3.0,
        snr_db=14.2,
        explanation=explanation,
        adapted_on=212,
        model="sha256:9f31c2" + text,
        clock="synced",
    )
