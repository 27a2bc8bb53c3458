"""Clustering of voices on sequences with known answers."""

import numpy as np

from edge.model.voices import MOST, WAITING, Voices, VoiceThresholds

THRESHOLDS = VoiceThresholds(join=0.6, found=0.6, merge=0.9)
WIDTH = 32


def said(person: int, take: int, spread: float = 0.1) -> np.ndarray:
    """An utterance of a person, near to an axis of its own."""
    generator = np.random.default_rng([person, take])
    voice = np.eye(WIDTH)[person] + spread * generator.normal(size=WIDTH)
    return (voice / np.linalg.norm(voice)).astype(np.float32)


def test_two_people_become_two_voices_whatever_their_order() -> None:
    voices = Voices(THRESHOLDS)
    turns = [0, 0, 1, 0, 1, 1, 0, 1, 0, 1]
    names = [voices.hear(said(person, take)) for take, person in enumerate(turns)]
    assert names == [None, "v1", None, "v1", "v2", "v2", "v1", "v2", "v1", "v2"]


def test_one_outburst_founds_no_voice() -> None:
    voices = Voices(THRESHOLDS)
    names = [voices.hear(said(person, take)) for take, person in enumerate([0, 0, 5, 0, 0])]
    assert names == [None, "v1", None, "v1", "v1"]
    assert [voice.name for voice in voices.kept] == ["v1"]


def test_too_short_an_utterance_is_nobodys_and_teaches_nothing() -> None:
    voices = Voices(THRESHOLDS)
    assert [voices.hear(said(0, take), 0.3) for take in range(4)] == [None] * 4
    assert not voices.kept
    assert not voices.waiting
    voices.hear(said(0, 5))
    voices.hear(said(0, 6))
    assert voices.nearest(said(0, 7), 2.0)[0] == "v1"
    assert voices.nearest(said(0, 7), 0.3)[0] is None


def test_looking_learns_nothing() -> None:
    voices = Voices(THRESHOLDS)
    for take in range(3):
        voices.hear(said(0, take))
    before = voices.kept[0].direction.copy(), voices.kept[0].utterances
    voices.nearest(said(0, 9))
    assert np.array_equal(voices.kept[0].direction, before[0])
    assert voices.kept[0].utterances == before[1]


def test_voices_that_turn_out_one_become_the_one_that_is_heard_more() -> None:
    voices = Voices(VoiceThresholds(join=0.8, found=0.8, merge=0.85))
    middle = (said(0, 0, 0) + said(1, 0, 0)) / np.sqrt(2).astype(np.float32)
    for _ in range(4):
        voices.hear(said(0, 0, 0))
    between = (3 * said(0, 0, 0) + 2.6 * middle).astype(np.float32)
    between /= np.linalg.norm(between)
    voices.kept.append(type(voices.kept[0])("v2", middle, 2))
    for _ in range(60):
        voices.hear(between)
        if len(voices.kept) == 1:
            break
    assert [voice.name for voice in voices.kept] == ["v1"]
    assert voices.kept[0].utterances > 6


def test_the_least_heard_goes_when_there_are_too_many_and_its_name_does_not_return() -> None:
    voices = Voices(THRESHOLDS)
    for person in range(MOST):
        for take in range(2 if person == 3 else 3):
            voices.hear(said(person, take))
    for take in range(2):
        voices.hear(said(MOST, take))
    names = [voice.name for voice in voices.kept]
    assert len(names) == MOST
    assert "v4" not in names
    assert names[-1] == f"v{MOST + 1}"


def test_few_wait_to_found_a_voice_and_forgetting_leaves_nothing() -> None:
    voices = Voices(THRESHOLDS)
    for person in range(WAITING + 3):
        voices.hear(said(person, 0))
    assert len(voices.waiting) == WAITING
    voices.hear(said(WAITING + 2, 1))
    assert voices.kept
    voices.forget()
    assert not voices.kept
    assert not voices.waiting
