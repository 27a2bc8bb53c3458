"""The daemon, hearing a real recording, in a real Home Assistant."""

import contextlib
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest

from edge.model.bundle import Bundle
from tests.conftest import until
from tests.faults.parts import NODE, Broker, Daemon, Recorder
from tests.homeassistant.house import House

pytestmark = [pytest.mark.homeassistant, pytest.mark.timeout(900)]

ENTITIES = {
    "sensor": {
        "emotion", "confidence", "intensity", "inference_p95", "real_time_factor", "memory", "cpu_temperature",
        "journal_depth", "dropped_events", "dropped_audio", "started", "adapted_on", "voice",
    },
    "event": {"event"},
    "binary_sensor": {"speech", "microphone", "connection"},
    "switch": {"listening"},
    "number": {"threshold"},
    "text": {"voice_name"},
    "button": {"restart", "forget", "voice_ignore", "voices_hear"},
}  # fmt: skip
DISABLED = {"journal_depth", "dropped_events", "dropped_audio", "started"}
HEARING = ("emotion", "confidence", "event", "speech")


class Setting:
    """The parts, and how the entities of the node are called."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self.broker = Broker(folder / "broker").start()
        stack.callback(self.broker.stop)
        self.recorder = Recorder(self.broker.port)
        stack.callback(self.recorder.close)
        self.mode = folder / "mode"
        self.mode.write_text("room")
        command = [sys.executable, "-m", "tests.faults.player", str(self.mode), "1"]
        self.daemon = Daemon(
            folder,
            self.broker.port,
            source={"kind": "command", "command": command, "silence_s": 5},
            mqtt={"hold_s": 5},
            health={"diagnostics_s": 2},
            voices={"mode": "publish"},
        )
        stack.callback(self.daemon.kill)
        self.house = House(self.broker.port)
        stack.callback(self.house.close)
        self.house.start()

    def names(self) -> dict[str, str]:
        """Entity ids by the key under which the node announces them."""
        prefix = f"affectd_{NODE}_"
        return {
            str(entity["unique_id"]).removeprefix(prefix): str(entity["entity_id"]) for entity in self.house.registry()
        }

    def state(self, key: str) -> str:
        return self.house.states()[self.names()[key]]

    def microphone_is_open(self) -> bool:
        return bool(psutil.Process(self.daemon.process.pid).children())


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory, stack: contextlib.ExitStack) -> Setting:
    return Setting(tmp_path_factory.mktemp("house"), stack)


def available(setting: Setting) -> None:
    """Every enabled entity of the node is there; buttons and events know no state until they are used."""
    names = {entity for key, entity in setting.names().items() if key not in DISABLED}

    def there() -> bool:
        states = setting.house.states()
        return all(states.get(name) not in (None, "unavailable") for name in names)

    until(there, 120)


def test_every_entity_is_registered(setting: Setting) -> None:
    expected = {f"{platform}.{key}" for platform, keys in ENTITIES.items() for key in keys}

    def found() -> set[str]:
        return {f"{entity.partition('.')[0]}.{key}" for key, entity in setting.names().items()}

    until(lambda: found() == expected, 60)
    disabled = {str(entity["unique_id"]).removeprefix(f"affectd_{NODE}_") for entity in setting.house.registry()
                if entity["disabled_by"] == "integration"}  # fmt: skip
    assert disabled == DISABLED
    available(setting)


def test_speech_changes_emotion_confidence_and_speech_and_fires_the_event(setting: Setting) -> None:
    assert setting.state("emotion") == "none"
    assert setting.state("speech") == "off"
    before = setting.state("event")
    setting.mode.write_text("speech")
    until(lambda: setting.state("speech") == "on", 60)
    until(lambda: setting.state("emotion") != "none", 60)
    until(lambda: setting.state("event") != before, 60)
    assert 0 < float(setting.state("confidence")) <= 100
    assert 0 <= float(setting.state("intensity")) <= 100
    names = setting.names()
    fired = setting.house.attributes(names["event"])
    assert fired["event_type"] in setting.house.attributes(names["emotion"])["options"]
    assert set(setting.house.attributes(names["emotion"])["families"]) == set(Bundle.load().features.families)
    setting.mode.write_text("room")
    until(lambda: setting.state("speech") == "off" and setting.state("emotion") == "none", 60)


def test_a_voice_is_named_and_ignored_from_home_assistant(setting: Setting) -> None:
    names = setting.names()
    setting.mode.write_text("speech")
    until(lambda: setting.state("voice") == "v1", 120)  # two utterances that are alike found it
    setting.house.call("text/set_value", names["voice_name"], value='Anna "A" Lind')
    until(lambda: setting.state("voice") == 'Anna "A" Lind', 60)
    assert setting.house.attributes(names["voice"])["id"] == "v1"
    setting.house.call("button/press", names["voice_ignore"])
    setting.recorder.wait(lambda: len(setting.recorder.on("response/voices")) == 2)
    heard = len(setting.recorder.on("event"))
    spoke = len(setting.recorder.on("speech"))
    until(lambda: len(setting.recorder.on("speech")) >= spoke + 4, 60)  # somebody speaks, twice
    assert len(setting.recorder.on("event")) <= heard + 1  # of what was just being said
    setting.house.call("button/press", names["voices_hear"])
    until(lambda: len(setting.recorder.on("event")) > heard + 1, 60)
    setting.mode.write_text("room")
    until(lambda: setting.state("speech") == "off" and setting.state("emotion") == "none", 60)


def test_switching_listening_off_closes_the_microphone(setting: Setting) -> None:
    assert setting.microphone_is_open()
    switch = setting.names()["listening"]
    setting.house.call("switch/turn_off", switch)
    until(lambda: not setting.microphone_is_open(), 30)
    until(lambda: setting.state("listening") == "off", 30)
    assert setting.state("microphone") == "off"  # no problem: it is closed because somebody wants it so
    setting.house.call("switch/turn_on", switch)
    until(setting.microphone_is_open, 30)
    until(lambda: setting.state("listening") == "on", 30)


def test_the_threshold_can_be_set(setting: Setting) -> None:
    setting.house.call("number/set_value", setting.names()["threshold"], value=0.77)
    until(lambda: setting.state("threshold") == "0.77", 30)
    setting.house.call("number/set_value", setting.names()["threshold"], value=0.3)


def test_a_killed_broker_leaves_everything_available_again(setting: Setting) -> None:
    setting.broker.stop(signal.SIGKILL)
    until(lambda: setting.state("emotion") == "unavailable", 60)
    setting.broker.start()
    available(setting)


def test_a_restart_of_home_assistant_leaves_everything_available_again(setting: Setting) -> None:
    setting.house.stop()
    setting.house.start()
    available(setting)
    setting.mode.write_text("speech")
    until(lambda: setting.state("emotion") not in ("none", "unknown"), 60)
    setting.mode.write_text("room")


def test_restarting_the_daemon_from_home_assistant(setting: Setting) -> None:
    started = setting.recorder.on("diagnostics")[-1].json["started"]
    time.sleep(1.1)  # it is given to the second
    setting.house.call("button/press", setting.names()["restart"])
    setting.recorder.wait(lambda: setting.recorder.on("diagnostics")[-1].json["started"] != started)
    available(setting)
    setting.house.call("button/press", setting.names()["forget"])
    setting.recorder.wait(lambda: setting.recorder.on("response/forget"))


def test_home_assistant_has_nothing_to_say_about_our_payloads(setting: Setting) -> None:
    ours = [line for line in setting.house.log().splitlines() if "affectd" in line or NODE in line]
    assert setting.house.log()
    assert not ours
    about_mqtt = [
        line
        for line in setting.house.log().splitlines()
        if "components.mqtt" in line and "[homeassistant.components.mqtt.client]" not in line  # the broker was killed
    ]
    assert not about_mqtt
