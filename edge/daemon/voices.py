"""What the owner asks of the voices over MQTT: to list, name, merge, forget, ignore and hear them again."""

import msgspec

from edge.errors import UsageError
from edge.events.event import SCHEMA
from edge.model.voice_store import VoiceStore
from edge.model.voices import LAST, Voice, Voices
from edge.mqtt.commands import Body


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """One voice as the owner sees it."""

    id: str
    name: str
    utterances: int
    ignored: bool


class KnownVoices(msgspec.Struct, frozen=True, kw_only=True):
    """The result of ``request/voices``: everybody, the most heard first, and who was heard last."""

    schema: int = SCHEMA
    voices: list[Known]
    last: str | None


def edited(store: VoiceStore | None, asked: Body) -> KnownVoices:
    """Does what is asked, on disk at once, and says who is known then. UsageError where that cannot be."""
    if store is None or not store.published:
        raise UsageError(
            "voices are not published here: set `voices.mode: publish`, with a model bundle that tells voices apart"
        )
    voices = store.voices
    match asked.do:
        case "name":
            voices.name(_meant(voices, asked.id), asked.name or "")
        case "merge":
            goes, stays = _meant(voices, asked.id), _meant(voices, asked.into)
            if goes is stays:
                raise UsageError(f"{goes.id} cannot be merged with itself: name two voices")
            voices.join(goes, stays)
        case "forget":
            voices.remove(_meant(voices, asked.id))
        case "ignore":
            _meant(voices, asked.id).ignored = True
        case "hear":
            for voice in voices.kept if asked.id is None else [_meant(voices, asked.id)]:
                voice.ignored = False
        case _:
            pass
    store.save()
    known = [Known(id=one.id, name=one.name, utterances=one.utterances, ignored=one.ignored) for one in voices.kept]
    last = voices.last
    return KnownVoices(
        voices=sorted(known, key=lambda one: -one.utterances),
        last=last.id if last else None,
    )


def _meant(voices: Voices, reference: str | None) -> Voice:
    """The voice of an id or a name, or the one heard last; UsageError where there is none."""
    if reference != LAST:
        return voices.find(reference or "")
    if voices.last is None:
        raise UsageError("nobody who is known was heard since the start: let them speak, or give an id")
    return voices.last
