"""Settings and requests, from a subscriber's side."""

import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import paho.mqtt.client as paho
import psutil
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.conftest import free_port, until
from tests.faults.parts import NODE, Broker, Daemon, Recorder, Systemd, speech

Daemons = Callable[..., Daemon]


def test_muting_closes_the_microphone_and_survives_a_restart(
    tmp_path: Path, broker: Broker, recorder: Recorder, daemons: Daemons
) -> None:
    mode = tmp_path / "mode"
    mode.write_text("speech")
    source = {"kind": "command", "command": [sys.executable, "-m", "tests.faults.player", str(mode), "1"]}
    daemon = daemons(broker.port, source=source)
    children = psutil.Process(daemon.process.pid).children
    recorder.wait(lambda: recorder.on("speech") and recorder.on("speech")[-1].payload == b"ON")
    recorder.publish(f"affectd/{NODE}/listening/set", "OFF")
    until(lambda: not children())
    recorder.wait(lambda: recorder.on("listening")[-1].payload == b"OFF")
    assert recorder.on("speech")[-1].payload == b"OFF"
    assert recorder.on("microphone")[-1].payload == b"online"
    assert daemon.stop() == 0
    again = daemons(broker.port, source=source)
    again.wait(lambda: again.logged(" connected "))
    assert not psutil.Process(again.process.pid).children()
    recorder.publish(f"affectd/{NODE}/listening/set", "ON")
    again.wait(lambda: again.accepted)


def test_a_damaged_settings_file_means_muted_until_somebody_says_otherwise(
    broker: Broker, recorder: Recorder, daemons: Daemons
) -> None:
    daemon = daemons(broker.port)
    recorder.wait(lambda: recorder.on("status"))
    assert daemon.stop() == 0
    settings = daemon.state / "settings.json"
    settings.write_bytes(b"\0" * 40)
    muted = daemons(broker.port)
    recorder.wait(lambda: recorder.on("listening")[-1].payload == b"OFF")
    muted.wait(lambda: muted.logged(" connected "))
    (sentence,) = muted.logged("settings.json")
    assert "muted" in sentence
    assert not muted.logged("source state=open")
    recorder.publish(f"affectd/{NODE}/listening/set", "ON")
    recorder.wait(lambda: recorder.on("listening")[-1].payload == b"ON")
    until(lambda: muted.hear(speech()) or muted.accepted)  # what waits in the pipe at first may be from before
    assert muted.stop() == 0
    assert settings.read_bytes().startswith(b'{"listening":true')


def test_the_threshold_is_kept_and_applied(broker: Broker, recorder: Recorder, daemons: Daemons) -> None:
    daemon = daemons(broker.port)
    recorder.wait(lambda: recorder.on("status"))
    recorder.publish(f"affectd/{NODE}/threshold/set", "1.00")
    recorder.wait(lambda: recorder.on("threshold")[-1].payload == b"1.00")
    daemon.say()
    recorder.wait(lambda: recorder.on("event"))
    assert recorder.on("event")[-1].json["emotion"] == "uncertain"
    daemon.stop()
    daemons(broker.port)
    recorder.wait(lambda: len(recorder.on("status")) >= 3)
    assert recorder.on("threshold")[-1].payload == b"1.00"


def test_a_restart_is_answered_and_keeps_the_process(
    tmp_path: Path, broker: Broker, recorder: Recorder, daemons: Daemons
) -> None:
    systemd = Systemd(tmp_path)
    daemon = daemons(broker.port, environment=systemd.environment(20))
    recorder.wait(lambda: recorder.on("status"))
    systemd.next("READY=1")
    recorder.publish(f"affectd/{NODE}/request/restart", '{"transaction":"r"}')
    recorder.wait(lambda: recorder.on("response/restart"))
    systemd.next("READY=1")
    daemon.wait(lambda: len(daemon.logged(" connected ")) == 2)
    assert daemon.process.poll() is None


def test_a_past_event_is_explained_where_the_question_wants_the_answer(
    broker: Broker, recorder: Recorder, daemons: Daemons
) -> None:
    daemon = daemons(broker.port)
    daemon.say()
    recorder.wait(lambda: recorder.on("event"))
    properties = Properties(PacketTypes.PUBLISH)
    properties.ResponseTopic, properties.CorrelationData = "affectd/answers/response", b"42"
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    body = f'{{"transaction":"t","id":"{recorder.on("event")[0].json["id"]}"}}'
    client.publish(f"affectd/{NODE}/request/explain", body, qos=1, properties=properties).wait_for_publish(10)
    recorder.wait(lambda: recorder.on("response", node="answers"))
    client.disconnect()
    client.loop_stop()
    answer = recorder.on("response", node="answers")[0].json
    assert (answer["ok"], answer["transaction"]) == (True, "t")
    assert len(answer["result"]["features"]) == 9  # the top eight, and the rest
    assert answer["result"]["time"]


def test_prometheus_reads_what_the_diagnostics_say(broker: Broker, recorder: Recorder, daemons: Daemons) -> None:
    port = free_port()
    daemon = daemons(broker.port, health={"prometheus_port": port})
    daemon.say()
    recorder.wait(lambda: recorder.on("event"))
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        page = answer.read().decode()
    assert 'affectd_events_total{node="kitchen"} 1\n' in page
    assert 'affectd_journal_degraded{node="kitchen"} 0\n' in page
