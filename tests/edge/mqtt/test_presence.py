"""What subscribers see of the retained topics, and when."""

import pytest

from edge.mqtt.retained import Change, Presence


@pytest.fixture
def presence() -> Presence:
    presence = Presence(hold_s=20, stall_s=3)
    presence.microphone(True, 0)
    return presence


def test_only_changes_are_published(presence: Presence) -> None:
    assert presence.speech(True, 1) == [Change("speech", "ON")]
    assert presence.speech(True, 2) == []


def test_emotion_is_none_after_the_hold(presence: Presence) -> None:
    assert presence.emotion("anger", 10) == [Change("state", "anger")]
    assert presence.tick(29.9) == []
    assert presence.tick(30) == [Change("state", "none")]
    assert presence.tick(1000) == []


def test_same_emotion_again_is_held_longer(presence: Presence) -> None:
    presence.emotion("anger", 10)
    assert presence.emotion("anger", 20) == []
    assert presence.tick(39) == []
    assert presence.tick(40) == [Change("state", "none")]


def test_speech_cannot_stay_on_without_blocks(presence: Presence) -> None:
    presence.speech(True, 0)
    presence.progress(2)
    assert presence.tick(4.9) == []
    assert presence.tick(5) == [Change("speech", "OFF")]


def test_an_utterance_understood_after_the_microphone_was_lost_is_not_how_things_are(presence: Presence) -> None:
    presence.microphone(False, 0)
    assert presence.emotion("anger", 1) == []
    assert presence.speech(True, 1) == []
    presence.microphone(True, 2)
    assert presence.values() == [Change("microphone", "online"), Change("speech", "OFF"), Change("state", "none")]


def test_losing_the_microphone_ends_speech_and_emotion(presence: Presence) -> None:
    presence.emotion("fear", 0)
    presence.speech(True, 0)
    changes = presence.microphone(False, 1)
    assert changes == [Change("microphone", "offline"), Change("speech", "OFF"), Change("state", "none")]
    assert presence.values() == changes
