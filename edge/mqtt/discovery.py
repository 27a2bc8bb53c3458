"""How Home Assistant finds a node: one retained message with the device and all of its entities.

https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from edge import __version__
from edge.events.event import NO_EMOTION, UNCERTAIN
from edge.model.voices import LAST, LONGEST_NAME, NOBODY
from edge.mqtt.topics import Message, Topics

Entity = dict[str, object]

VOICES = ("voice", "voice_name", "voice_ignore", "voices_hear")
"""The entities of a node that says whose voice it is."""


def discovery(topics: Topics, labels: Sequence[str], prefix: str, *, intensity: bool, voices: bool) -> Message:
    """The message that makes a device of the node, with every entity, in Home Assistant.

    ``intensity``: the bundle says how strongly. ``voices``: events say whose voice it is. Without, the entities are
    named by their platforms alone, which takes back what was announced before, and is nothing to a Home Assistant that
    never heard of them.
    """
    node = topics.node
    entities = _entities(topics, labels)
    absent = [*(() if intensity else ("intensity",)), *(() if voices else VOICES)]
    withdrawn = {key: {"platform": entities.pop(key)["platform"]} for key in absent}
    payload = {
        "device": {
            "identifiers": [f"affectd-{node}"],
            "name": f"affectd {node}",
            "manufacturer": "affectd",
            "model": "Speech emotion sensor",
            "sw_version": __version__,
        },
        "origin": {"name": "affectd", "sw_version": __version__},
        "components": {
            key: {"unique_id": f"affectd_{node}_{key}", "default_entity_id": f"{entity['platform']}.{node}_{key}"}
            | entity
            for key, entity in entities.items()
        }
        | withdrawn,
    }
    return Message(discovery_topic(node, prefix), msgspec.json.encode(payload))


def discovery_topic(node: str, prefix: str) -> str:
    """Where Home Assistant looks for the device; the name says whose it is, and access lists can name the node."""
    return f"{prefix}/device/affectd/{node}/config"


def former_discovery_topic(node: str, prefix: str) -> str:
    """Where earlier versions announced the device: a name that another program may use as well."""
    return f"{prefix}/device/{node}/config"


def withdrawal(former_topic: str) -> list[Message]:
    """What takes a former announcement back, so that entities keep their names once the device is announced again.

    https://www.home-assistant.io/integrations/mqtt/#migration-from-single-component-to-device-based-discovery
    """
    return [Message(former_topic, b'{"migrate_discovery":true}', retain=False), Message(former_topic, b"")]


def is_ours(discovery_payload: bytes) -> bool:
    """Whether what lies on a discovery topic was announced by affectd."""
    try:
        return msgspec.json.decode(discovery_payload, type=_Announced).origin.name == "affectd"
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False


def birth_topic(prefix: str) -> str:
    """Where Home Assistant says that it has started."""
    return f"{prefix}/status"


@dataclass(frozen=True)
class TopicList:
    """Every topic that a daemon uses, for those who look after the broker's access list."""

    published: tuple[str, ...]
    subscribed: tuple[str, ...]


def every_topic(topics: Topics, prefix: str, *, announced: bool) -> TopicList:
    """All that the daemon publishes and subscribes to; ``announced``: it tells Home Assistant of its entities."""
    discovery_topics = (discovery_topic(topics.node, prefix),) if announced else ()
    former = (former_discovery_topic(topics.node, prefix),) if announced else ()
    return TopicList(
        published=(*topics.publications(), *discovery_topics),
        subscribed=(*former, *topics.subscriptions(), birth_topic(prefix)),
    )


class _Origin(msgspec.Struct):
    name: str


class _Announced(msgspec.Struct):
    origin: _Origin


def _entities(topics: Topics, labels: Sequence[str]) -> dict[str, Entity]:
    name = topics.name
    status = {"topic": name("status")}
    node_up: Entity = {"availability": [status]}
    hearing: Entity = {"availability": [status, {"topic": name("microphone")}], "availability_mode": "all"}
    measured = node_up | {"state_topic": name("diagnostics"), "entity_category": "diagnostic"}
    rare = measured | {"enabled_by_default": False}
    said = [*labels, UNCERTAIN]

    def sensor(title: str, field: str, **more: object) -> Entity:
        return {"platform": "sensor", "name": title, "value_template": f"{{{{ value_json.{field} }}}}", **more}

    return {
        "emotion": hearing
        | {
            "platform": "sensor",
            "name": "Emotion",
            "device_class": "enum",
            "options": [NO_EMOTION, *said],
            "state_topic": name("state"),
            "json_attributes_topic": name("event"),
            "json_attributes_template": "{{ (value_json.explanation or {}) | tojson }}",
            "icon": "mdi:emoticon-outline",
        },
        "confidence": hearing
        | {
            "platform": "sensor",
            "name": "Confidence",
            "state_topic": name("event"),
            "value_template": "{{ (value_json.confidence * 100) | round(1) }}",
            "unit_of_measurement": "%",
            "state_class": "measurement",
            "icon": "mdi:percent-outline",
        },
        "intensity": hearing
        | {
            "platform": "sensor",
            "name": "Intensity",
            "state_topic": name("event"),
            "value_template": "{{ (value_json.intensity * 100) | round(1) if 'intensity' in value_json else None }}",
            "unit_of_measurement": "%",
            "state_class": "measurement",
            "icon": "mdi:gauge",
        },
        "event": hearing
        | {
            "platform": "event",
            "name": "Emotion event",
            "state_topic": name("event"),
            "event_types": said,
            "icon": "mdi:account-voice",
        },
        "speech": hearing
        | {"platform": "binary_sensor", "name": "Speech", "device_class": "sound", "state_topic": name("speech")},
        "listening": node_up
        | {
            "platform": "switch",
            "name": "Listening",
            "state_topic": name("listening"),
            "command_topic": name("listening/set"),
            "icon": "mdi:microphone",
        },
        "threshold": node_up
        | {
            "platform": "number",
            "name": "Threshold",
            "state_topic": name("threshold"),
            "command_topic": name("threshold/set"),
            "min": 0.30,
            "max": 0.99,
            "step": 0.01,
            "mode": "box",
            "entity_category": "config",
        },
        "microphone": node_up
        | {
            "platform": "binary_sensor",
            "name": "Microphone",
            "device_class": "problem",
            "state_topic": name("microphone"),
            "payload_on": "offline",
            "payload_off": "online",
            "entity_category": "diagnostic",
        },
        "connection": {
            "platform": "binary_sensor",
            "name": "Connection",
            "device_class": "connectivity",
            "state_topic": name("status"),
            "payload_on": "online",
            "payload_off": "offline",
            "entity_category": "diagnostic",
        },
        "inference_p95": measured
        | sensor("Inference p95", "inference_p95_ms", unit_of_measurement="ms", state_class="measurement"),
        "real_time_factor": measured | sensor("Real-time factor", "real_time_factor", state_class="measurement"),
        "memory": measured
        | sensor("Memory", "memory_mb", unit_of_measurement="MB", device_class="data_size", state_class="measurement"),
        "cpu_temperature": measured
        | sensor(
            "CPU temperature",
            "cpu_temperature_c",
            unit_of_measurement="°C",
            device_class="temperature",
            state_class="measurement",
        ),
        "journal_depth": rare | sensor("Journal depth", "journal_depth", state_class="measurement"),
        "dropped_events": rare | sensor("Dropped events", "dropped_events", state_class="total_increasing"),
        "dropped_audio": rare
        | sensor(
            "Dropped audio",
            "dropped_audio_s",
            unit_of_measurement="s",
            device_class="duration",
            state_class="total_increasing",
        ),
        "started": rare | sensor("Started", "started", device_class="timestamp"),
        "adapted_on": measured | sensor("Adapted on", "adapted_on", state_class="measurement"),
        "voice": hearing
        | {
            "platform": "sensor",
            "name": "Voice",
            "state_topic": name("event"),
            "value_template": "{{ (value_json.voice.name or value_json.voice.id) if 'voice' in value_json "
            f"else '{NOBODY}' }}}}",
            "json_attributes_topic": name("event"),
            "json_attributes_template": "{{ (value_json.voice or {}) | tojson }}",
            "icon": "mdi:account-voice",
        },
        "voice_name": node_up
        | {
            "platform": "text",
            "name": "Name of the last voice",
            "command_topic": name("request/voices"),
            "command_template": '{{ {"do": "name", "id": "%s", "name": value} | tojson }}' % LAST,  # noqa: UP031
            "min": 1,
            "max": LONGEST_NAME,
            "entity_category": "config",
            "icon": "mdi:account-edit",
        },
        "voice_ignore": node_up
        | _button("Ignore the last voice", name("request/voices"), do="ignore", id=LAST)
        | {"icon": "mdi:account-off"},
        "voices_hear": node_up
        | _button("Hear all voices", name("request/voices"), do="hear")
        | {"icon": "mdi:account-multiple"},
        "restart": node_up | _button("Restart", name("request/restart")) | {"device_class": "restart"},
        "forget": node_up | _button("Forget", name("request/forget")),
    }


def _button(title: str, topic: str, **asked: str) -> Entity:
    press = msgspec.json.encode({"transaction": "home-assistant", **asked}).decode()
    return {
        "platform": "button", "name": title, "command_topic": topic, "payload_press": press,
        "entity_category": "config",
    }  # fmt: skip
