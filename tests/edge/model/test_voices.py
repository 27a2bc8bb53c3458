"""Clustering of voices on sequences with known answers."""

import numpy as np
import pytest

from edge.errors import UsageError
from edge.model.adapter import Adapter
from edge.model.voices import FAINTEST, MOST, WAITING, Voice, Voices, VoiceThresholds

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
    names = [voices.hear(said(person, take)).id for take, person in enumerate(turns)]
    assert names == [None, "v1", None, "v1", "v2", "v2", "v1", "v2", "v1", "v2"]


def test_one_outburst_founds_no_voice() -> None:
    voices = Voices(THRESHOLDS)
    names = [voices.hear(said(person, take)).id for take, person in enumerate([0, 0, 5, 0, 0])]
    assert names == [None, "v1", None, "v1", "v1"]
    assert [voice.id for voice in voices.kept] == ["v1"]


def test_too_short_an_utterance_is_nobodys_and_teaches_nothing() -> None:
    voices = Voices(THRESHOLDS)
    assert [voices.hear(said(0, take), 0.3).id for take in range(4)] == [None] * 4
    assert not voices.kept
    assert not voices.waiting
    voices.hear(said(0, 5))
    voices.hear(said(0, 6))
    assert voices.nearest(said(0, 7), 2.0).id == "v1"
    assert voices.nearest(said(0, 7), 0.3).id is None


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
    voices.kept.append(Voice("v2", middle, 2))
    turns = [voices.hear(between) for _ in range(60)]
    (merging,) = [turn for turn in turns if turn.merged]
    assert (merging.id, merging.merged) == ("v1", "v2")
    assert [voice.id for voice in voices.kept] == ["v1"]
    assert voices.kept[0].utterances > 6


def test_the_least_heard_goes_when_there_are_too_many_and_its_name_does_not_return() -> None:
    voices = Voices(THRESHOLDS)
    for person in range(MOST):
        for take in range(2 if person == 3 else 3):
            voices.hear(said(person, take))
    for take in range(2):
        voices.hear(said(MOST, take))
    names = [voice.id for voice in voices.kept]
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


def test_too_faint_an_utterance_is_nobodys_and_an_unknown_level_is_none() -> None:
    voices = Voices(THRESHOLDS)
    assert [voices.hear(said(0, take), 2.0, FAINTEST - 1).id for take in range(3)] == [None] * 3
    assert not voices.waiting
    assert [voices.hear(said(0, take), 2.0, np.nan).id for take in range(3)] == [None, "v1", "v1"]
    assert voices.hear(said(0, 3), 2.0, FAINTEST - 1).id is None
    assert voices.kept[0].utterances == 3


def test_two_people_at_once_are_nobody_and_found_none() -> None:
    voices = Voices(VoiceThresholds(join=0.6, found=0.6, merge=0.9, between=0.2))
    for person in (0, 0, 1, 1):
        voices.hear(said(person, 0, 0.02))
    before = [voice.utterances for voice in voices.kept]
    both = said(0, 1, 0.02) + said(1, 1, 0.02)
    both /= np.linalg.norm(both)
    turns = [voices.hear(both) for _ in range(4)]
    assert [turn.id for turn in turns] == [None] * 4
    assert all(turn.score > 0.6 for turn in turns)
    assert [voice.utterances for voice in voices.kept] == before
    assert not voices.waiting


def test_one_person_who_got_two_voices_does_not_stay_nobody_between_them() -> None:
    voices = Voices(VoiceThresholds(join=0.6, found=0.7, merge=0.9, between=0.05))
    for axis in (0, 1):  # what founded them was calm and angry; most is in between
        for take in range(3):
            voices.hear(said(axis, take, 0.02))
    generator, turns = np.random.default_rng(1), []
    for _ in range(80):
        way = generator.uniform(0.4, 0.6)
        between = way * said(0, 0, 0.02) + (1 - way) * said(1, 0, 0.02)
        turns.append(voices.hear((between / np.linalg.norm(between)).astype(np.float32)).id)
    assert len(set(turns[20:])) == 1
    assert turns[-1] is not None


def test_histories_of_voices_that_turn_out_one_become_one() -> None:
    one, other, both = Adapter(2, 1), Adapter(2, 1), Adapter(2, 1)
    said = [(np.full((3, 2), value, np.float32), np.full(1, -value, np.float32)) for value in (1.0, 2.0, 6.0)]
    for adapter, learnt in ((one, said[:1]), (other, said[1:]), (both, said)):
        for utterance in learnt:
            adapter.observe(*utterance)
    one.absorb(other)
    assert one.mean == pytest.approx(both.mean)
    assert one.square == pytest.approx(both.square)
    assert (one.weight, one.utterances) == (3, 3)
    one.absorb(Adapter(2, 1))
    assert one.mean == pytest.approx(both.mean)


def test_what_is_forgotten_is_overwritten() -> None:
    voices = Voices(THRESHOLDS, lambda: Adapter(2))
    for person in (0, 0, 1):
        voices.hear(said(person, 0))
    history = voices.kept[0].history
    assert history is not None
    history.observe(np.ones((3, 2), np.float32))
    held = [voices.kept[0].direction, voices.waiting[0], history.mean]
    assert all(numbers.any() for numbers in held)
    voices.forget()
    assert not any(numbers.any() for numbers in held)
    assert (history.utterances, voices.founded) == (0, 1)


def crowd(count: int) -> Voices:
    """So many people, each of whom has said two things."""
    voices = Voices(THRESHOLDS)
    for person in range(count):
        for take in range(2):
            voices.hear(said(person, take))
    return voices


def test_whom_somebody_named_or_ignored_makes_no_room_for_others() -> None:
    voices = crowd(MOST)
    voices.name(voices.kept[0], "Anna")
    voices.kept[1].ignored = True
    for take in range(2):
        voices.hear(said(MOST, take))
    assert [one.id for one in voices.kept] == ["v1", "v2", *(f"v{number}" for number in range(4, MOST + 2))]


def test_where_all_are_named_nobody_is_founded() -> None:
    voices = crowd(MOST)
    for voice in voices.kept:
        voices.name(voice, f"{voice.id} of us")
    assert [voices.hear(said(MOST, take)).id for take in range(3)] == [None] * 3
    assert len(voices.kept) == MOST


def test_a_name_stays_when_voices_turn_out_one_and_two_names_stay_two() -> None:
    voices = Voices(VoiceThresholds(join=0.8, found=0.8, merge=0.85))
    for person, takes in ((0, 6), (1, 2)):
        for take in range(takes):
            voices.hear(said(person, take, 0.05))
    frequent, rare = voices.kept
    rare.direction[:] = frequent.direction
    voices.name(rare, "Anna")
    heard = frequent.utterances + rare.utterances + 1
    turn = voices.hear(said(0, 9, 0.05))
    assert (turn.id, turn.merged) == ("v2", "v1")
    assert [(one.id, one.name, one.utterances) for one in voices.kept] == [("v2", "Anna", heard)]
    for take in range(2):
        voices.hear(said(1, 20 + take, 0.05))
    voices.kept[1].direction[:] = voices.kept[0].direction
    voices.name(voices.kept[1], "Ben")
    assert voices.hear(said(0, 10, 0.05)).merged is None
    assert [one.name for one in voices.kept] == ["Anna", "Ben"]


@pytest.mark.parametrize("name", ["v2", "V17", "last", "Nobody", "a" * 41, "a\nb", "\x1b[31m", "a\u202eb", "\0"])
def test_what_is_no_name_is_refused(name: str) -> None:
    voices = crowd(1)
    with pytest.raises(UsageError, match="cannot be a name"):
        voices.name(voices.kept[0], name)
    assert not voices.kept[0].name


def test_a_name_is_of_one_voice_and_finds_it_whatever_the_case() -> None:
    voices = crowd(2)
    voices.name(voices.kept[0], "  Anna   Lind ")
    assert voices.find("anna lind") is voices.kept[0]
    assert voices.find("V2") is voices.kept[1]
    with pytest.raises(UsageError, match="v1 is called 'Anna Lind'"):
        voices.name(voices.kept[1], "ANNA LIND")
    voices.name(voices.kept[0], "Anna Lind")
    voices.name(voices.kept[0], "")
    with pytest.raises(UsageError, match="known are v1, v2"):
        voices.find("Anna Lind")
    with pytest.raises(UsageError, match="no voice is called ''"):
        voices.find("")


def test_who_was_heard_last_is_known_until_forgotten() -> None:
    voices = crowd(2)
    assert voices.last is voices.kept[1]
    voices.hear(said(0, 7))
    assert voices.last is voices.kept[0]
    voices.kept[1].ignored = True
    voices.hear(said(1, 7))
    assert voices.last is voices.kept[0]
    voices.join(voices.kept[0], voices.kept[1])
    assert voices.last is not None
    assert voices.last.id == "v2"
    voices.remove(voices.kept[0])
    assert voices.last is None
