"""The doctor: its verdicts on values, and its probes on real parts."""

import getpass
import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from paho.mqtt.publish import single

from edge.audio import BLOCK_SAMPLES
from edge.cli import configuration, main
from edge.cli.doctor import broker as roundtrip
from edge.cli.doctor import checks
from edge.cli.doctor import findings as verdicts
from edge.cli.doctor import report as doctor
from edge.cli.doctor.findings import Finding, Sound
from edge.cli.doctor.sound import Listening, decibels, hear, meter
from edge.config import Config, GateSettings, MqttSettings, SourceSettings, TlsSettings
from edge.errors import AffectdError, UsageError
from edge.mqtt.client import Client
from edge.mqtt.topics import Topics
from edge.sources.conversion import into_blocks, read_audio
from tests.conftest import DEMO, answers, free_port, until

PI4 = frozenset({"fp", "asimd", "evtstrm", "crc32", "cpuid"})
PI5 = PI4 | {"asimddp", "fphp", "asimdhp"}
SPOKEN = Sound(seconds=5, peak_db=-12, mean_db=-30, zeros=0.01, clipped=0, speech=0.6, utterances=2)


def sound(**changes: object) -> Sound:
    values = {field: getattr(SPOKEN, field) for field in SPOKEN.__struct_fields__}
    return Sound(**{**values, **changes})


@pytest.mark.parametrize(
    ("finding", "verdict", "says"),
    [
        (verdicts.runtime(0, "Python 3.11.2, numpy 2.4"), "ok", "numpy 2.4"),
        (verdicts.runtime(-4, ""), "fail", "SIGILL"),
        (verdicts.runtime(-9, ""), "fail", "SIGKILL"),
        (verdicts.runtime(1, "Traceback\nModuleNotFoundError: No module named 'soxr'"), "fail", "'soxr'"),
        (verdicts.processor("aarch64", PI4, "Raspberry Pi 4 Model B", 51.0, low_voltage=False), "ok", "51 °C"),
        (verdicts.processor("aarch64", PI5, "Raspberry Pi 5", None, low_voltage=False), "ok", "asimddp"),
        (verdicts.processor("aarch64", PI4, "Raspberry Pi 4", 50.0, low_voltage=True), "fail", "under-voltage"),
        (verdicts.processor("aarch64", PI4, "Raspberry Pi 4", 84.0, low_voltage=False), "warn", "84 °C"),
        (verdicts.processor("aarch64", frozenset(), "", None, low_voltage=False), "fail", "asimd is missing"),
        (verdicts.speed(3.0, 0.3), "ok", "0.100"),
        (verdicts.speed(3.0, 1.5), "warn", "0.500"),
        (verdicts.speed(3.0, 3.1), "fail", "1.033"),
        (verdicts.level(SPOKEN), "ok", "-12 dBFS"),
        (verdicts.level(sound(seconds=0)), "fail", "no sound arrived"),
        (verdicts.level(sound(zeros=1.0, peak_db=-96)), "fail", "every sample is zero"),
        (verdicts.level(sound(peak_db=-80)), "warn", "-80 dBFS"),
        (verdicts.level(sound(problem="hum", advice="mend it", usable=False)), "fail", "hum: peak"),
        (verdicts.level(sound(problem="narrow-band", advice="mend it", usable=True)), "warn", "narrow-band: peak"),
        (verdicts.level(sound(peak_db=0, clipped=0.02)), "warn", "2.0% of the samples clipped"),
        (verdicts.gate(SPOKEN), "ok", "2 utterances"),
        (verdicts.gate(sound(speech=0.0, utterances=0)), "ok", "0 utterances"),
        (verdicts.gate(sound(speech=0.99)), "warn", "99%"),
        (verdicts.gate(sound(seconds=0)), "skip", "no sound"),
        (verdicts.clock("synced"), "ok", "synchronised"),
        (verdicts.clock("unsynced"), "warn", "not synchronised"),
        (verdicts.disk("/var/lib/affectd", 4 << 30, writable=True), "ok", "4096 MB"),
        (verdicts.disk("/var/lib/affectd", 100 << 20, writable=True), "warn", "100 MB"),
        (verdicts.disk("/var/lib/affectd", 1 << 20, writable=True), "fail", "1 MB"),
        (verdicts.disk("/var/lib/affectd", 4 << 30, writable=False), "fail", "read-only"),
        (verdicts.unit("affectd.service", {"LoadState": "not-found"}), "skip", "not installed"),
        (
            verdicts.unit("a.service", {"LoadState": "loaded", "ActiveState": "active", "NRestarts": "0"}),
            "ok",
            "a.service is active",
        ),
        (
            verdicts.unit("a.service", {"LoadState": "loaded", "ActiveState": "active", "NRestarts": "9"}),
            "warn",
            "restarted 9 times",
        ),
        (
            verdicts.unit("a.service", {"LoadState": "loaded", "ActiveState": "failed", "Result": "watchdog"}),
            "fail",
            "watchdog",
        ),
        (verdicts.unit("a.service", {"LoadState": "loaded", "ActiveState": "inactive"}), "warn", "inactive"),
    ],
)
def test_verdicts(finding: Finding, verdict: str, says: str) -> None:
    assert finding.verdict == verdict
    assert says in finding.found
    assert bool(finding.todo) == (verdict in {"warn", "fail"}), "what is wrong comes with what to do, and only that"


def test_an_illegal_instruction_in_a_library_is_a_finding_and_not_a_crash() -> None:
    code, output = checks.run_apart([sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGILL)"])
    finding = verdicts.runtime(code, output)
    assert finding.verdict == "fail"
    assert "pinned wheels" in finding.todo


def test_the_doctor_lives_where_onnx_runtime_cannot_be_imported(tmp_path: Path) -> None:
    """A package that dies of SIGILL on import stands in for one built for another processor."""
    (tmp_path / "onnxruntime.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGILL)\n")
    done = subprocess.run(
        [sys.executable, "-m", "edge", "doctor", "--json", "--only", "runtime,bundle,speed"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    findings = {one["stage"]: one for one in json.loads(done.stdout)["findings"]}
    assert "SIGILL" in findings["runtime"]["found"]
    assert findings["bundle"] == {"stage": "bundle", "verdict": "skip", "found": "needs runtime", "todo": ""}


def test_the_shipped_bundle_passes_and_its_speed_is_measured() -> None:
    findings = list(doctor.examine(Config(), "affectd.service", ["runtime", "bundle", "speed"], print))
    assert [one.stage for one in findings] == ["runtime", "bundle", "speed"]
    assert findings[1].verdict == "ok"
    assert "real-time factor" in findings[2].found


def test_a_bundle_that_is_not_there_says_so() -> None:
    config = Config(model=type(Config().model)(bundle="/nowhere"))
    (bundle,) = doctor.examine(config, "affectd.service", ["bundle"], print)
    assert bundle.verdict == "fail"
    assert "/nowhere" in bundle.found


def test_an_unknown_stage_is_bad_usage_that_names_the_known_ones() -> None:
    with pytest.raises(UsageError, match="no stage borker; there are runtime, bundle"):
        list(doctor.examine(Config(), "affectd.service", ["borker"], print))


def test_speech_is_heard_measured_and_gated() -> None:
    heard = hear(list(into_blocks([read_audio(DEMO)])), GateSettings())
    assert heard.utterances >= 2
    assert 0.2 < heard.speech <= 1
    assert -40 < heard.peak_db <= 0


def test_silence_is_heard_as_silence() -> None:
    heard = hear([np.zeros(BLOCK_SAMPLES, dtype=np.int16)] * 100, GateSettings())
    assert heard.zeros == 1.0
    assert heard.peak_db == pytest.approx(-96)
    assert hear([], GateSettings()).seconds == 0


TIME = np.arange(160 * BLOCK_SAMPLES) / 16_000


@pytest.mark.parametrize(
    ("samples", "problem"),
    [
        (np.full(len(TIME), 1234.0), "no signal"),
        (np.arange(len(TIME)) % 2 - 1.0, "no signal"),
        (12_000 * np.sin(2 * np.pi * 50 * TIME), "hum"),
        (9000 + 300 * np.random.default_rng(0).standard_normal(len(TIME)), "offset"),
        (90_000 * np.sin(2 * np.pi * 431 * TIME), "clipping"),
    ],
)
def test_a_bad_microphone_is_called_by_its_fault(samples: NDArray[np.float64], problem: str) -> None:
    listening = Listening(live=False)
    for number, block in enumerate(samples.clip(-32768, 32767).astype(np.int16).reshape(-1, BLOCK_SAMPLES)):
        listening.push(block, 0.032 * number)
    finding = verdicts.level(hear(listening.blocks, GateSettings(), listening.problem))
    assert finding.verdict == "fail"
    assert finding.found.startswith(f"{problem}: ")
    assert finding.todo


def test_a_microphone_at_another_rate_is_told_by_the_clock() -> None:
    listening = Listening(live=True)
    noise = np.random.default_rng(0).integers(-500, 500, BLOCK_SAMPLES).astype(np.int16)
    for number in range(160):
        listening.push(noise, 0.032 * number / 3)
    assert listening.problem is not None
    assert listening.problem.name == "too fast"


@pytest.mark.parametrize(("amplitude", "level"), [(32768, 0.0), (16384, -6.02), (0, -96.0)])
def test_levels(amplitude: float, level: float) -> None:
    assert decibels(amplitude) == pytest.approx(level, abs=0.01)


def test_the_meter_replaces_itself_on_one_line() -> None:
    loud: NDArray[np.int16] = np.full(BLOCK_SAMPLES, 32767, dtype=np.int16)
    assert meter(loud).startswith("\r" + "#" * 30)
    assert "#" not in meter(np.zeros(BLOCK_SAMPLES, dtype=np.int16))
    assert len(meter(loud)) == len(meter(np.zeros(BLOCK_SAMPLES, dtype=np.int16)))


def test_a_source_that_fails_is_a_finding() -> None:
    config = Config(source=SourceSettings(kind="file", path="/nowhere.wav"))
    level, gate = doctor.examine(config, "affectd.service", ["sound"], print)
    assert level.verdict == "fail"
    assert "/nowhere.wav" in level.found
    assert gate.verdict == "skip"


@pytest.mark.parametrize(
    ("source", "found", "todo"),
    [
        ({"kind": "wyoming", "url": "tcp://127.0.0.1:1"}, "cannot be reached: Connection refused", "source.listen"),
        ({"kind": "rtsp", "url": "rtsp://127.0.0.1:1/x"}, "Connection refused", "source.credentials_file"),
    ],
)
def test_a_source_in_the_network_that_is_not_there_is_a_finding(source: dict[str, str], found: str, todo: str) -> None:
    level, _ = doctor.examine(Config(source=SourceSettings(**source)), "affectd.service", ["sound"], print)
    assert level.verdict == "fail"
    assert found in level.found
    assert todo in level.todo


@pytest.mark.parametrize(
    ("value", "pause_s", "said"), [("1234", 0.032, "no signal"), ("i * 7919 % 2000 - 1000", 0.0107, "too fast")]
)
def test_a_microphone_that_is_dead_or_not_what_it_is_taken_for_is_named(value: str, pause_s: float, said: str) -> None:
    program = (
        "import array, itertools, sys, time\n"
        f"block = array.array('h', [{value} for i in range(512)]).tobytes()\n"
        f"while sys.stdout.buffer.write(block): sys.stdout.buffer.flush(); time.sleep({pause_s})"
    )
    config = Config(source=SourceSettings(kind="command", command=[sys.executable, "-c", program]))
    level, _ = doctor.examine(config, "affectd.service", ["sound"], print)
    assert level.verdict == "fail"
    assert level.found.startswith(said)
    assert level.todo


def stages(settings: MqttSettings) -> dict[str, Finding]:
    return {
        finding.stage: finding for finding in roundtrip.examine(settings, Topics("affectd", "test"), "homeassistant")
    }


def test_a_broker_that_works_passes_every_stage(broker: int) -> None:
    found = stages(MqttSettings(host="127.0.0.1", port=broker))
    assert [finding.verdict for finding in found.values()] == ["ok", "ok", "skip", "ok", "ok", "ok"]
    assert tuple(found) == roundtrip.STAGES


def test_a_name_that_does_not_resolve_stops_at_dns() -> None:
    found = stages(MqttSettings(host="no-such-broker.invalid"))
    assert found["broker.dns"].verdict == "fail"
    assert all(finding.verdict == "skip" for stage, finding in found.items() if stage != "broker.dns")


def test_a_closed_port_stops_at_tcp() -> None:
    found = stages(MqttSettings(host="127.0.0.1", port=free_port()))
    assert (found["broker.dns"].verdict, found["broker.tcp"].verdict) == ("ok", "fail")
    assert found["broker.publish"].found == "needs broker.tcp"


def test_a_plain_port_where_tls_is_asked_for_stops_at_tls(broker: int) -> None:
    found = stages(MqttSettings(host="127.0.0.1", port=broker, tls=TlsSettings()))
    assert found["broker.tls"].verdict == "fail"
    assert "8883" in found["broker.tls"].todo


@pytest.fixture
def encrypted_broker(tmp_path: Path) -> Iterator[int]:
    """A mosquitto that speaks TLS with a certificate for localhost, signed by itself: ``certificate.pem``."""
    certificate, key, settings = (tmp_path / name for name in ("certificate.pem", "key.pem", "mosquitto.conf"))
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    port = free_port()
    settings.write_text(
        f"listener {port} 127.0.0.1\ncertfile {certificate}\nkeyfile {key}\nallow_anonymous true\n"
        f"user {getpass.getuser()}\n"
    )
    process = subprocess.Popen(["mosquitto", "-c", str(settings)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(lambda: answers(port))
    yield port
    process.terminate()
    process.wait()


def test_tls_with_the_right_authority_passes_every_stage(encrypted_broker: int, tmp_path: Path) -> None:
    tls = TlsSettings(ca_file=str(tmp_path / "certificate.pem"))
    found = stages(MqttSettings(host="localhost", port=encrypted_broker, tls=tls))
    assert [finding.verdict for finding in found.values()] == ["ok"] * 6
    assert "TLSv1.3" in found["broker.tls"].found


def test_an_authority_that_is_not_trusted_and_a_wrong_name_stop_at_tls(encrypted_broker: int, tmp_path: Path) -> None:
    found = stages(MqttSettings(host="localhost", port=encrypted_broker, tls=TlsSettings()))
    assert found["broker.tls"].verdict == "fail"
    assert "ca_file" in found["broker.tls"].todo
    tls = TlsSettings(ca_file=str(tmp_path / "certificate.pem"))
    found = stages(MqttSettings(host="127.0.0.1", port=encrypted_broker, tls=tls))
    assert found["broker.tls"].verdict == "fail"
    assert "127.0.0.1" in found["broker.tls"].found


@pytest.fixture
def locked_broker(tmp_path: Path) -> Iterator[int]:
    """A mosquitto that wants a name and a password, and lets its user read but not write."""
    passwords, rules, settings = (tmp_path / name for name in ("passwords", "rules", "mosquitto.conf"))
    passwords.touch()
    subprocess.run(["mosquitto_passwd", "-b", str(passwords), "reader", "right"], check=True)
    rules.write_text("user reader\ntopic read affectd/#\n")
    port = free_port()
    settings.write_text(
        f"listener {port} 127.0.0.1\npassword_file {passwords}\nacl_file {rules}\n"
        f"user {getpass.getuser()}\n"  # else mosquitto, started by root, becomes one that may not read here
    )
    process = subprocess.Popen(["mosquitto", "-c", str(settings)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(lambda: answers(port))
    yield port
    process.terminate()
    process.wait()


def test_a_wrong_password_stops_at_login(locked_broker: int, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("wrong\n")
    settings = MqttSettings(
        host="127.0.0.1", port=locked_broker, username="reader", password_file=str(tmp_path / "password")
    )
    found = stages(settings)
    assert found["broker.login"].verdict == "fail"
    assert found["broker.publish"].verdict == "skip"


def test_a_user_without_the_right_to_write_stops_at_publish(
    locked_broker: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roundtrip, "_TIMEOUT_S", 1.0)  # the broker drops the message without a word
    (tmp_path / "password").write_text("right\n")
    settings = MqttSettings(
        host="127.0.0.1", port=locked_broker, username="reader", password_file=str(tmp_path / "password")
    )
    found = stages(settings)
    assert found["broker.login"].verdict == "ok"
    assert found["broker.publish"].verdict == "fail"
    assert "ACL" in found["broker.publish"].todo


@pytest.fixture(params=[True, False], ids=["MQTT 5", "MQTT 3.1.1"])
def five(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the broker speaks MQTT 5."""
    logged_in = roundtrip._logged_in

    def refusing(settings: MqttSettings, *, five: bool) -> Client:
        if five:
            raise AffectdError("the broker does not speak this version of MQTT")
        return logged_in(settings, five=five)

    if not request.param:
        monkeypatch.setattr(roundtrip, "_logged_in", refusing)
    return bool(request.param)


@pytest.fixture
def choosy_broker(tmp_path: Path) -> Iterator[int]:
    """A mosquitto that refuses some topics of the node ``test`` to everybody."""
    rules, settings, port = tmp_path / "rules", tmp_path / "mosquitto.conf", free_port()
    rules.write_text("topic readwrite affectd/test/#\ntopic deny affectd/test/journal\n")
    settings.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nacl_file {rules}\nuser {getpass.getuser()}\n"
    )
    process = subprocess.Popen(["mosquitto", "-c", str(settings)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(lambda: answers(port))
    yield port
    process.terminate()
    process.wait()


def test_every_topic_that_the_broker_refuses_is_named(choosy_broker: int, five: bool) -> None:
    found = stages(MqttSettings(host="127.0.0.1", port=choosy_broker))
    assert found["broker.login"].found.endswith("MQTT 5" if five else "MQTT 3.1.1")
    assert found["broker.publish"].verdict == "ok"
    assert found["broker.topics"].verdict == "fail"
    assert "affectd/test/journal" in found["broker.topics"].found
    assert "affectd/test/event" not in found["broker.topics"].found
    if five:
        assert "homeassistant/device/affectd/test/config" in found["broker.topics"].found


def test_asking_for_every_topic_changes_nothing_for_subscribers(broker: int, five: bool) -> None:
    kept = {
        "affectd/test/status": b"online",
        "affectd/test/info": b"{}",
        "homeassistant/device/affectd/test/config": b"{}",
    }
    for topic, payload in kept.items():
        single(topic, payload, qos=1, retain=True, hostname="127.0.0.1", port=broker)
    settings = MqttSettings(host="127.0.0.1", port=broker)
    with Client(settings, "test") as subscriber:
        subscriber.retained("affectd/test/#", "homeassistant/#", marker="affectd/test/doctor")
        assert [finding.verdict for finding in stages(settings).values()].count("ok") == 5
        seen = subscriber.arrived("affectd/test/doctor")
    for message in seen:
        if message.topic != "affectd/test/doctor":
            assert message.payload == kept.get(message.topic, b"")
    with Client(settings, "test") as subscriber:
        assert subscriber.retained("affectd/#", "homeassistant/#", marker="affectd/test/doctor") == kept


def test_a_node_that_was_never_announced_does_not_make_home_assistant_forget_another(broker: int) -> None:
    settings = MqttSettings(host="127.0.0.1", port=broker)
    with Client(settings, "test") as subscriber:
        subscriber.subscribe("homeassistant/#", "affectd/test/doctor")
        stages(settings)
        announced = [one for one in subscriber.arrived("affectd/test/doctor") if one.topic.startswith("homeassistant")]
    assert announced
    assert all(one.payload and not one.retained for one in announced), "an empty one would remove a device"


def test_a_port_for_tls_or_http_is_told_apart(encrypted_broker: int, broker: int, tmp_path: Path) -> None:
    with pytest.raises(AffectdError, match=r"wants TLS: set mqtt\.tls"):
        Client(MqttSettings(host="localhost", port=encrypted_broker), "test").open()
    with pytest.raises(AffectdError, match="does not speak TLS"):
        Client(MqttSettings(host="localhost", port=broker, tls=TlsSettings()), "test").open()
    with pytest.raises(AffectdError, match=r"certificate .* is refused"):
        Client(MqttSettings(host="localhost", port=encrypted_broker, tls=TlsSettings()), "test").open()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with pytest.raises(AffectdError, match=r"speaks HTTP.*websockets"):
        Client(MqttSettings(host="127.0.0.1", port=server.server_port), "test").open()
    server.shutdown()
    server.server_close()


def test_a_person_is_given_the_password_that_the_unit_gets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    credential = tmp_path / "affectd.mqtt-password"
    monkeypatch.setattr(configuration, "CREDENTIAL", credential)
    named = MqttSettings(username="me")
    assert configuration.broker(named).password_file is None, "it does not exist"
    credential.write_text("secret\n")
    assert configuration.broker(named).password_file == str(credential)
    assert configuration.broker(MqttSettings()).password_file is None, "nobody logs in"
    own = MqttSettings(username="me", password_file="/elsewhere")
    assert configuration.broker(own).password_file == "/elsewhere"


@pytest.mark.parametrize(("command", "asks"), [("watch", "edge.cli.watch.watch"), ("forget", "edge.cli.forget.forget")])
def test_commands_log_in_with_the_password_that_the_unit_gets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, asks: str
) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    credential, config = tmp_path / "affectd.mqtt-password", tmp_path / "affectd.yaml"
    credential.write_text("secret\n")
    config.write_text("mqtt: {username: me}\n")
    monkeypatch.setattr(configuration, "CREDENTIAL", credential)
    asked: list[MqttSettings] = []

    def ask(settings: Config | MqttSettings, *_: object, **__: object) -> None:
        asked.append(settings.mqtt if isinstance(settings, Config) else settings)
        raise AffectdError("the broker is not needed to know")

    monkeypatch.setattr(asks, ask)
    assert main([command, "--config", str(config)]) == 1
    assert [settings.password_file for settings in asked] == [str(credential)]


def test_the_terminal_shows_what_to_do_below_what_was_found() -> None:
    shown = doctor.line(verdicts.warn("clock", "not synchronised", "set it"), colour=False)
    assert shown.splitlines()[0].split() == ["warn", "clock", "not", "synchronised"]
    assert shown.splitlines()[1].strip() == "-> set it"
    assert "\x1b" not in shown
    assert "\x1b[31m" in doctor.line(verdicts.fail("clock", "broken", "mend it"), colour=True)


def test_the_exit_code_tells_sick_from_healthy(capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.report(Config(), "affectd.service", ["disk"], as_json=True) == 0
    assert json.loads(capsys.readouterr().out)["healthy"] is True
    config = Config(model=type(Config().model)(bundle="/nowhere"))
    assert doctor.report(config, "affectd.service", ["bundle"], as_json=True) == 1
    assert json.loads(capsys.readouterr().out)["healthy"] is False
