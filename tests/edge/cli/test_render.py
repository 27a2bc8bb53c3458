"""What a person reads about an event."""

import msgspec

from edge.cli import render
from edge.events.event import Event, EventExplanation

EVENT = Event(
    id="kitchen-7c1e-000184",
    node="kitchen",
    boot="7c1e",
    seq=184,
    event_type="anger",
    emotion="anger",
    confidence=0.87,
    probabilities={"anger": 0.87, "neutral": 0.08, "sad": 0.05},
    start="2026-11-22T05:54:48.120Z",
    end="2026-11-22T05:54:51.120Z",
    duration_s=3.0,
    snr_db=14.2,
    explanation=EventExplanation(
        method="shapley-families",
        target="anger",
        families={"mfcc": 2.0, "mel": 1.0, "chroma": -0.5, "contrast": 0.0},
        base_value=-1.2,
        value=1.3,
        residual=0.0,
    ),
    model="sha256:9f31",
    clock="synced",
)


def test_event_reads_as_emotion_confidence_and_signed_families() -> None:
    head, others, why = render.event(EVENT, colour=False).splitlines()
    assert "anger" in head
    assert "87%" in head
    assert head.count("█") == 17
    assert "or neutral 8%, sad 5%" in others
    assert why.strip() == "why anger: mfcc +2.0 ++++++++  mel +1.0 ++++  chroma -0.5 −−  contrast +0.0"


def test_colours_come_only_when_asked_for() -> None:
    assert "\x1b" not in render.event(EVENT, colour=False)
    assert "\x1b[38;5;" in render.event(EVENT, colour=True)


def test_uncertain_and_unexplained_are_said_as_they_are() -> None:
    uncertain = msgspec.structs.replace(EVENT, emotion="uncertain", event_type="uncertain", explanation=None)
    head, others = render.event(uncertain, colour=False).splitlines()
    assert "uncertain" in head
    assert "perhaps anger 87%" in others


def test_intensity_is_a_bar_of_its_own() -> None:
    lines = render.event(msgspec.structs.replace(EVENT, intensity=0.5), colour=False).splitlines()
    assert any(line.split()[:1] == ["intensity"] and line.count("█") == 10 and line.endswith("50%") for line in lines)


def test_sentence_stands_under_the_families() -> None:
    assert EVENT.explanation is not None
    told = msgspec.structs.replace(EVENT.explanation, sentence="Sounds angry.")
    lines = render.event(msgspec.structs.replace(EVENT, explanation=told), colour=False).splitlines()
    assert lines[-1].strip() == "Sounds angry."
