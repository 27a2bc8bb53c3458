"""The blueprints and the dashboard in a real Home Assistant, with what a node publishes."""

import contextlib
import json
import os
import re
import shutil
import sqlite3
import time
from pathlib import Path

import playwright.sync_api as web
import pytest
import yaml
from msgspec import UNSET, UnsetType

from edge.events.event import Event, EventExplanation, stamp
from edge.model.bundle import Bundle
from edge.mqtt.discovery import discovery
from edge.mqtt.topics import Message, Topics
from tests.conftest import ROOT, until
from tests.faults.parts import NODE, Broker, Recorder
from tests.homeassistant.house import House

pytestmark = [pytest.mark.homeassistant, pytest.mark.timeout(900)]

SOURCES = ROOT / "homeassistant"
BLUEPRINTS = sorted((SOURCES / "blueprints" / "automation" / "affectd").glob("*.yaml"))
PICTURES = os.environ.get("AFFECTD_PICTURES")  # a folder for the screenshots of the guide
TOPICS = Topics("affectd", NODE)
LABELS = Bundle.load().labels
EVENT, EMOTION = f"event.affectd_{NODE}_emotion_event", f"sensor.affectd_{NODE}_emotion"
LAMP = {"name": "lamp", "unique_id": "lamp", "command_topic": "lamp/set", "schema": "json", "brightness": True,
        "supported_color_modes": ["color_temp"], "color_temp_kelvin": True}  # fmt: skip
OF_2025_4 = rf"\b(sensor|binary_sensor|switch|event)\.{NODE}_"  # later releases take default_entity_id


def use(name: str, **inputs: object) -> dict[str, object]:
    return {"alias": name, "use_blueprint": {"path": f"affectd/{name}.yaml", "input": inputs}}


def turned_on(switch: str) -> list[dict[str, object]]:
    return [{"action": "input_boolean.turn_on", "target": {"entity_id": f"input_boolean.{switch}"}}]


AUTOMATIONS = [
    use("warm_light", emotion_event=EVENT, light={"entity_id": "light.lamp"}, transition=0),
    use("quiet_word", emotion=EMOTION, lasting={"seconds": 2}, word=turned_on("word")),
    use("day_log", emotion_event=EVENT),
    use(
        "cry_for_help",
        emotion_event=EVENT,
        second_condition=[{"condition": "state", "entity_id": "input_boolean.alone", "state": "on"}],
        call=turned_on("call"),
    ),
]


def by_hand() -> dict[str, object]:
    """The automation that the guide shows, with its condition for the intensity in place of its own."""
    blocks = re.findall(r"^```yaml\n(.*?)^```", (ROOT / "docs" / "guide.md").read_text(), re.DOTALL | re.MULTILINE)
    (automation,) = (yaml.safe_load(block) for block in blocks if "Warm light when" in block)
    (condition,) = (yaml.safe_load(block) for block in blocks if "payload_json.intensity" in block)
    assert automation["triggers"][0]["topic"] == f"affectd/{NODE}/event"
    return {**automation, **condition, "alias": "by_hand", "actions": turned_on("strong")}


MORE = """
frontend:
recorder: {commit_interval: 0}
history:
logbook:
input_boolean: {word: {}, alone: {}, call: {}, strong: {}}
automation: !include automations.yaml
lovelace:
  dashboards:
    how-it-sounds: {mode: yaml, title: How it sounds, filename: dashboard.yaml}
"""


class Room:
    """A node as Home Assistant sees it: its topics, and nothing behind them."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self.broker = Broker(folder / "broker").start()
        stack.callback(self.broker.stop)
        self.recorder = Recorder(self.broker.port)
        stack.callback(self.recorder.close)
        self.house = House(self.broker.port, MORE)
        stack.callback(self.house.close)
        shutil.copytree(SOURCES / "blueprints", self.house.folder / "blueprints")
        (self.house.folder / "automations.yaml").write_text(yaml.safe_dump([*AUTOMATIONS, by_hand()]))
        cards = re.sub(OF_2025_4, rf"\1.affectd_{NODE}_", (SOURCES / "dashboard.yaml").read_text())
        (self.house.folder / "dashboard.yaml").write_text(cards)
        self._seq = 0
        self.recorder.publish("homeassistant/light/lamp/config", json.dumps(LAMP), retain=True)
        self.announce(intensity=True)
        diagnostics = {"inference_p95_ms": 21.0, "real_time_factor": 0.02, "memory_mb": 104.0, "adapted_on": 212,
                       "cpu_temperature_c": 51.0}  # fmt: skip
        self._send(TOPICS.diagnostics(json.dumps(diagnostics).encode()))
        for topic, payload in (("microphone", "online"), ("speech", "OFF"), ("state", "none"), ("listening", "ON")):
            self._send(TOPICS.present(topic, payload))
        self._send(TOPICS.online())
        self.house.start()
        until(lambda: self.house.states().get(EMOTION) == "none", 120)

    def announce(self, *, intensity: bool) -> None:
        self._send(discovery(TOPICS, LABELS, "homeassistant", intensity=intensity, voices=False))

    def says(self, emotion: str, confidence: float = 0.87, intensity: float | UnsetType = 0.55) -> None:
        """One utterance, as the daemon publishes it."""
        self._seq += 1
        rest = (1 - confidence) / (len(LABELS) - 1)
        families = {
            "speech": 0.4,
            "mfcc": 1.1,
            "mel": 0.8,
            "chroma": -0.1,
            "contrast": 0.3,
            "tonnetz": 0.0,
            "prosody": 1.9,
        }
        why = EventExplanation(
            method="shapley-families", target=emotion, families=families, base_value=-1.2, value=2.8, residual=0.0
        )
        event = Event(
            node=NODE, boot="7c1e", event_type=emotion, emotion=emotion, confidence=confidence,
            probabilities={label: confidence if label == emotion else rest for label in LABELS},
            start=stamp(time.time() - 3), end=stamp(time.time()), duration_s=3.0, snr_db=14.2, explanation=why,
            model="sha256:9f31c2", clock="synced",
            intensity=intensity,
        )  # fmt: skip
        self._send(TOPICS.event(event.numbered(self._seq)))
        self._send(TOPICS.present("state", emotion))

    def is_on(self, switch: str) -> bool:
        return self.house.states()[f"input_boolean.{switch}"] == "on"

    def switch(self, switch: str, *, on: bool) -> None:
        self.house.call(f"input_boolean/turn_{'on' if on else 'off'}", f"input_boolean.{switch}")

    def heard(self) -> int:
        """How many utterances Home Assistant has got."""
        return int(self.house.attributes(EVENT).get("seq", 0))

    def _send(self, message: Message) -> None:
        self.recorder.publish(message.topic, message.payload, message.retain)


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory, stack: contextlib.ExitStack) -> Room:
    return Room(tmp_path_factory.mktemp("room"), stack)


def test_home_assistant_takes_every_blueprint(room: Room) -> None:
    assert {path.stem for path in BLUEPRINTS} == {automation["alias"] for automation in AUTOMATIONS}
    states = room.house.states()
    assert all(states[f"automation.{path.stem}"] == "on" for path in BLUEPRINTS)
    complaints = [line for line in room.house.log().splitlines() if "lueprint" in line or "automation" in line]
    assert not complaints


def test_a_sad_utterance_makes_the_light_warm_and_an_unclear_one_does_not(room: Room) -> None:
    def asked() -> list[dict[str, object]]:
        return [message.json for message in room.recorder.received if message.topic == "lamp/set"]

    room.says("sad", 0.45)
    room.says("happy")
    until(lambda: room.heard() == 2, 60)
    assert not asked()
    room.says("sad", 0.7)
    room.recorder.wait(asked)
    (order,) = asked()
    assert (order["state"], order["color_temp"], order["brightness"]) == ("ON", 2400, 102)


def test_the_word_comes_when_anger_stays_and_only_then(room: Room) -> None:
    room.says("anger")
    room.says("neutral")
    until(lambda: room.house.states()[EMOTION] == "neutral", 60)
    assert not room.is_on("word")
    room.says("anger")
    until(lambda: room.is_on("word"), 60)


def test_the_call_needs_the_second_condition(room: Room) -> None:
    before = room.heard()
    room.says("fear")
    until(lambda: room.heard() == before + 1, 60)
    room.switch("alone", on=True)
    assert not room.is_on("call")
    room.says("fear", 0.5)
    until(lambda: room.heard() == before + 2, 60)
    assert not room.is_on("call")
    room.says("fear", 0.9)
    until(lambda: room.is_on("call"), 60)


def test_the_days_log_says_what_was_heard_and_why(room: Room) -> None:
    room.says("surprise", 0.81)

    def logged() -> list[object]:
        return [entry.get("message") for entry in room.house.activity() if entry.get("name") == NODE]

    until(lambda: "sounded like surprise (81 %, by prosody)" in logged(), 60)
    assert not any("45 %" in str(message) for message in logged())


def test_a_node_that_comes_back_calls_nobody(room: Room) -> None:
    """Its entity shows the last event again, which is old by then."""
    before = len([message for message in room.recorder.received if message.topic == "lamp/set"])
    room.says("sad", 0.9)
    room.recorder.wait(
        lambda: len([message for message in room.recorder.received if message.topic == "lamp/set"]) == before + 1
    )
    for status in ("offline", "online"):
        room.recorder.publish(TOPICS.name("status"), status, retain=True)
        until(lambda status=status: (room.house.states()[EVENT] == "unavailable") == (status == "offline"), 60)
    room.says("happy", 0.9)
    until(lambda: room.house.attributes(EVENT).get("event_type") == "happy", 60)
    assert len([message for message in room.recorder.received if message.topic == "lamp/set"]) == before + 1


def test_the_guides_automation_asks_for_strong_anger(room: Room) -> None:
    before = room.heard()
    room.says("anger", intensity=0.5)
    room.says("anger", intensity=UNSET)
    room.says("happy", intensity=0.9)
    until(lambda: room.heard() == before + 3, 60)
    assert not room.is_on("strong")
    room.says("anger", intensity=0.7)
    until(lambda: room.is_on("strong"), 60)


def a_day(folder: Path) -> None:
    """Spread what was recorded within minutes over the day before, oldest first."""
    with contextlib.closing(sqlite3.connect(folder / "home-assistant_v2.db")) as database, database:
        for name in ("emotion", "confidence", "intensity"):
            rows = database.execute(
                "SELECT state_id FROM states JOIN states_meta AS m USING (metadata_id) WHERE m.entity_id = ?"
                " ORDER BY state_id",
                (f"sensor.affectd_{NODE}_{name}",),
            ).fetchall()
            for place, (row,) in enumerate(rows):
                moment = time.time() - 86_000 * (1 - place / len(rows))
                database.execute("UPDATE states SET last_updated_ts = ?, last_changed_ts = NULL WHERE state_id = ?",
                                 (moment, row))  # fmt: skip


def test_the_dashboard_shows_the_room(room: Room, tmp_path: Path) -> None:
    words = ("neutral", "happy", "neutral", "sad", "surprise", "neutral", "anger", "happy", "uncertain", "neutral")
    for place, emotion in enumerate(words):
        room.says(emotion, 0.5 + 0.04 * (place * 7 % 11), 0.3 + 0.05 * (place * 5 % 8))
        until(lambda emotion=emotion: room.house.states()[EMOTION] == emotion, 60)
    room.house.stop()
    a_day(room.house.folder)
    room.house.start()
    until(lambda: room.house.states().get(EMOTION) == "neutral", 60)  # the last word is retained, the event is not
    room.says("happy", 0.87)
    until(lambda: room.house.attributes(EMOTION).get("target") == "happy", 60)
    tokens = room.house.settle()
    with web.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 1250})
        page.set_default_timeout(120_000)
        web.expect.set_options(timeout=120_000)
        page.goto(f"{tokens['hassUrl']}/manifest.json")
        page.evaluate("tokens => localStorage.setItem('hassTokens', JSON.stringify(tokens))", tokens)
        page.goto(f"{tokens['hassUrl']}/how-it-sounds/kitchen")
        web.expect(page.get_by_role("cell", name="prosody")).to_be_visible()
        web.expect(page.locator("state-history-charts canvas, state-history-charts svg").first).to_be_visible()
        web.expect(page.get_by_text("Spoke for happy")).to_be_visible()
        web.expect(page.locator("hui-error-card, hui-warning")).to_have_count(0)
        page.screenshot(path=tmp_path / "dashboard.png")
        page.goto(f"{tokens['hassUrl']}/config/devices/dashboard")
        page.get_by_text(f"affectd {NODE}").first.click()
        web.expect(page.get_by_text("Emotion event").first).to_be_visible()
        web.expect(page.get_by_text("sounded like happy").first).to_be_visible()
        page.screenshot(path=tmp_path / "device.png")
        page.goto(f"{tokens['hassUrl']}/config/integrations/integration/mqtt")
        web.expect(page.get_by_text("1 device").first).to_be_visible()
        page.screenshot(path=tmp_path / "mqtt.png", clip={"x": 0, "y": 0, "width": 1280, "height": 440})
        browser.close()
    if PICTURES:
        for picture in tmp_path.glob("*.png"):
            shutil.copy(picture, Path(PICTURES) / f"homeassistant-{picture.name}")


def test_the_intensity_goes_with_a_bundle_that_does_not_say_it_and_comes_back(room: Room) -> None:
    sensor = f"sensor.affectd_{NODE}_intensity"
    room.announce(intensity=False)
    until(lambda: sensor not in room.house.states(), 60)
    assert EMOTION in room.house.states()
    room.announce(intensity=True)
    until(lambda: sensor in room.house.states(), 60)
