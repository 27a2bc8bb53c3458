"""The contract of every topic: golden payloads, quality of service, retention, lifetime."""

import json
from pathlib import Path

import msgspec
import pytest

from edge.daemon.diagnostics import Diagnostics
from edge.events.event import Event
from edge.journal.journal import Journal
from edge.mqtt.commands import Body, parse
from edge.mqtt.discovery import discovery, every_topic
from edge.mqtt.topics import Incoming, Info, Message, Response, Topics
from tests.edge.events import draft, event

GOLDEN = Path(__file__).parents[2] / "golden"
TOPICS = Topics("affectd", "kitchen")
LABELS = ["anger", "disgust", "fear", "happy", "neutral", "sad", "surprise"]

DIAGNOSTICS = Diagnostics(
    started="2026-11-22T05:00:00.000Z", uptime_s=3288.1, clock="synced", seq=184, events=12, inference_p95_ms=41.2,
    real_time_factor=0.0312, memory_mb=98.4, cpu_temperature_c=51.3, journal="ok", journal_depth=0, dropped_events=0,
    expired_events=0, dropped_audio_s=0.0, queued_audio_s=0.03, microphone_losses=0, connections=1,
    refused_commands=0, adapted_on=212,
)  # fmt: skip


def journalled(tmp_path: Path) -> list[Message]:
    """An event, and a gap, as the journal has them published."""
    kept = Journal(tmp_path, "kitchen")
    kept.accept(draft())
    gap = Journal(tmp_path / "other", "kitchen")
    gap.accept(draft())
    gap.close()
    for path in (tmp_path / "other").glob("journal.db*"):
        path.write_bytes(b"nonsense" * 1000)
    found = kept.pending(0, 1) + Journal(tmp_path / "other", "kitchen").pending(0, 1)
    return [TOPICS.journal(delivery) for delivery in found]


def messages(tmp_path: Path) -> dict[str, Message]:
    request = Incoming("affectd/kitchen/request/ping", b"{}")
    info = Info(node="kitchen", boot="7c1e", version="1.0.0", bundle="default", model="sha256:9f31c2", labels=LABELS)
    kept, gap = journalled(tmp_path)
    return {
        "status-online": TOPICS.online(),
        "status-offline": TOPICS.will(),
        "microphone": TOPICS.present("microphone", "online"),
        "state": TOPICS.present("state", "anger"),
        "speech": TOPICS.present("speech", "ON"),
        "event": TOPICS.event(event(184)),
        "journal-event": kept,
        "journal-gap": gap,
        "info": TOPICS.info(info),
        "diagnostics": TOPICS.diagnostics(msgspec.json.encode(DIAGNOSTICS)),
        "listening": TOPICS.listening(True),
        "threshold": TOPICS.threshold(0.5),
        "response": TOPICS.response(Response(verb="ping", transaction="1", ok=True), request),
        "response-refused": TOPICS.response(
            Response(verb="explain", transaction=None, ok=False, error="explain needs the `id` of an event"), request
        ),
        "discovery": discovery(TOPICS, LABELS, "homeassistant", intensity=True, voices=True),
    }


def described(message: Message) -> dict[str, object]:
    """A message as the golden files have it."""
    text = message.payload.decode()
    payload = json.loads(text) if text.startswith("{") else text
    if message.topic.endswith("/config"):
        payload["device"]["sw_version"] = payload["origin"]["sw_version"] = "1.0.0"
    return {
        "topic": message.topic, "qos": message.qos, "retain": message.retain, "max_age_s": message.max_age_s,
        "expiry_s": message.expiry_s, "user_properties": dict(message.user_properties), "payload": payload,
    }  # fmt: skip


@pytest.mark.parametrize("name", sorted(path.stem for path in GOLDEN.glob("*.json")))
def test_payloads_are_the_golden_ones(tmp_path: Path, name: str) -> None:
    assert described(messages(tmp_path)[name]) == json.loads((GOLDEN / f"{name}.json").read_text())


def test_every_message_has_a_golden_file(tmp_path: Path) -> None:
    assert sorted(messages(tmp_path)) == sorted(path.stem for path in GOLDEN.glob("*.json"))


def test_an_event_can_be_read_back() -> None:
    assert msgspec.json.decode(TOPICS.event(event(1)).payload, type=Event) == event(1)


def test_an_answer_goes_where_the_question_wants_it() -> None:
    question = Incoming("affectd/kitchen/request/ping", b"{}", response_topic="my/answers", correlation=b"\x01")
    answer = TOPICS.response(Response(verb="ping", transaction=None, ok=True), question)
    assert (answer.topic, answer.correlation) == ("my/answers", b"\x01")


@pytest.mark.parametrize(
    ("topic", "payload", "expected"),
    [
        ("listening/set", b"ON", "SetListening(on=True)"),
        ("listening/set", b"OFF", "SetListening(on=False)"),
        ("threshold/set", b"0.45", "SetThreshold(value=0.45)"),
        ("threshold/set", b"1.00", "SetThreshold(value=1.0)"),
        ("listening/set", b"on", "Refusal(reason=\"'on' is neither ON nor OFF\", verb=None)"),
        ("threshold/set", b"1.01", "Refusal(reason=\"'1.01' is no number from 0.00 to 1.00\", verb=None)"),
        ("threshold/set", b"nan", "Refusal(reason=\"'nan' is no number from 0.00 to 1.00\", verb=None)"),
        ("threshold/set", "٠".encode(), "Refusal(reason=\"'٠' is no number from 0.00 to 1.00\", verb=None)"),
        ("request/explain", b"{}", "Refusal(reason='explain needs the `id` of an event', verb='explain')"),
        ("request/reboot", b"", "Refusal(reason=\"there is no request 'reboot': allowed are ping, restart, explain, "
         "forget, voices\", verb=None)"),
        ("request/ping", b"", f"Request(verb='ping', body={Body()!r})"),
        ("request/ping", b'{"transaction":"7"}', f"Request(verb='ping', body={Body(transaction='7')!r})"),
        ("request/voices", b"", f"Request(verb='voices', body={Body()!r})"),
        ("request/voices", b'{"do":"hear"}', f"Request(verb='voices', body={Body(do='hear')!r})"),
        ("request/voices", b'{"do":"name","id":"last","name":"Anna"}',
         f"Request(verb='voices', body={Body(do='name', id='last', name='Anna')!r})"),
        ("request/voices", b'{"do":"name","id":"v2"}',
         "Refusal(reason='name needs `name`: of a voice, `id` is its id, its name, or last', verb='voices')"),
        ("request/voices", b'{"do":"merge","into":"v2"}',
         "Refusal(reason='merge needs `id`: of a voice, `id` is its id, its name, or last', verb='voices')"),
    ],
)  # fmt: skip
def test_commands_are_understood_or_refused(topic: str, payload: bytes, expected: str) -> None:
    assert repr(parse(Incoming(f"affectd/kitchen/{topic}", payload), TOPICS, "homeassistant")) == expected


def test_aspects_cannot_be_asked_for_later_since_the_sound_is_not_kept() -> None:
    question = Incoming("affectd/kitchen/request/explain", b'{"id": "kitchen-1-000001", "part": "aspects"}')
    refusal = repr(parse(question, TOPICS, "homeassistant"))
    assert refusal.startswith("Refusal(")
    assert "`explain: aspects`" in refusal


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "#",
        "a/+/b",
        "affectd/#",
        "$SYS/a",
        "a\0b",
        "a\x7fb",
        "x" * 257,
        "affectd/kitchen/state",
        "affectd/kitchen/info",
    ],
)
def test_an_answer_that_can_go_nowhere_is_refused(topic: str) -> None:
    question = Incoming("affectd/kitchen/request/ping", b"{}", response_topic=topic)
    assert "response topic" in repr(parse(question, TOPICS, "homeassistant"))


@pytest.mark.parametrize("topic", ["a", "affectd/answers/7", "affectd/kitchen/response/7", "küche/antwort", "x" * 256])
def test_an_answer_may_go_anywhere_else(topic: str) -> None:
    question = Incoming("affectd/kitchen/request/ping", b"{}", response_topic=topic, correlation=b"\0\xff" * 128)
    assert repr(parse(question, TOPICS, "homeassistant")).startswith("Request(")


def test_correlation_data_that_are_too_long_are_refused() -> None:
    question = Incoming("affectd/kitchen/request/ping", b"{}", correlation=b"1" * 257)
    assert "correlation data" in repr(parse(question, TOPICS, "homeassistant"))


def test_what_was_announced_elsewhere_is_ours_only_where_it_says_so() -> None:
    topic = "homeassistant/device/kitchen/config"
    for payload in (b"", b"{}", b"\xff", b"[" * 100_000, b'{"origin":{"name":"kettle"}}'):
        assert parse(Incoming(topic, payload, retained=True), TOPICS, "homeassistant") is None
    ours = discovery(TOPICS, LABELS, "homeassistant", intensity=True, voices=True).payload
    assert repr(parse(Incoming(topic, ours, retained=True), TOPICS, "homeassistant")) == "FormerDiscovery()"


@pytest.mark.parametrize(
    ("absent", "removed"),
    [
        ("intensity", {"intensity": "sensor"}),
        ("voices", {"voice": "sensor", "voice_name": "text", "voice_ignore": "button", "voices_hear": "button"}),
    ],
)
def test_what_the_node_does_not_say_is_taken_back(absent: str, removed: dict[str, str]) -> None:
    """A component that has nothing but its platform is removed."""
    everything = _components(intensity=True, voices=True)
    without = _components(**{"intensity": True, "voices": True, absent: False})
    assert everything | {key: {"platform": platform} for key, platform in removed.items()} == without


def _components(*, intensity: bool, voices: bool) -> dict[str, dict[str, object]]:
    announced: dict[str, dict[str, dict[str, object]]] = json.loads(
        discovery(TOPICS, LABELS, "homeassistant", intensity=intensity, voices=voices).payload
    )
    return announced["components"]


def test_every_topic_that_is_published_is_listed(tmp_path: Path) -> None:
    listed = every_topic(TOPICS, "homeassistant", announced=True)
    assert {message.topic for message in messages(tmp_path).values()} <= set(listed.published)
    assert len(set(listed.published)) == len(listed.published)
    assert "homeassistant/status" in listed.subscribed
    unannounced = every_topic(TOPICS, "homeassistant", announced=False)
    assert not [topic for topic in unannounced.published + unannounced.subscribed if topic.endswith("/config")]


def test_a_retained_command_is_of_the_past() -> None:
    message = Incoming("affectd/kitchen/listening/set", b"OFF", retained=True)
    assert "retained" in repr(parse(message, TOPICS, "homeassistant"))


def test_the_birth_message_counts_only_when_it_is_new() -> None:
    assert repr(parse(Incoming("homeassistant/status", b"online"), TOPICS, "homeassistant")) == "Birth()"
    assert parse(Incoming("homeassistant/status", b"online", retained=True), TOPICS, "homeassistant") is None
    assert parse(Incoming("homeassistant/status", b"offline"), TOPICS, "homeassistant") is None
