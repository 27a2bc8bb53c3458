"""F1-F6, F13, F14, F19, F29, F39: the broker, the network, others on it. Nothing said may be missing."""

import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.audio import SAMPLE_RATE
from edge.journal.journal import Journal
from tests.faults.parts import NODE, Broker, Daemon, Recorder, Systemd, delivered, gaps, speech
from tests.faults.proxy import Proxy

Daemons = Callable[..., Daemon]

UTTERANCE_S = len(speech()) / 2 / SAMPLE_RATE
QUICK_AND_FULL = [
    pytest.param(False, id="quick"),
    pytest.param(True, id="full", marks=[pytest.mark.faults, pytest.mark.timeout(1500)]),
]


def greeted(recorder: Recorder) -> list[str]:
    """The topics of the latest greeting, up to its ``online``."""
    topics = [
        message.topic.removeprefix(f"affectd/{NODE}/")
        for message in list(recorder.received)
        if not message.topic.endswith("/diagnostics")
    ]
    end = len(topics) - topics[::-1].index("status")
    begin = end - 1 - topics[: end - 1][::-1].index(f"homeassistant/device/affectd/{NODE}/config")
    return topics[begin - 1 : end]


@pytest.mark.parametrize("full", QUICK_AND_FULL)
def test_f1_a_broker_that_is_down_at_the_start_costs_only_waiting(
    broker: Broker, recorder: Recorder, proxy: Proxy, daemons: Daemons, full: bool
) -> None:
    proxy.refuse.set()
    daemon = daemons(proxy.port, mqtt={"reconnect_max_s": 60} if full else {})
    daemon.say(3)
    if full:
        time.sleep(30 - (time.monotonic() - proxy.accepted[0]))
        assert len(proxy.accepted) <= 6
    proxy.refuse.clear()
    delivered(daemon, recorder, 120)
    greeting = greeted(recorder)
    assert greeting[-1] == "status"
    assert greeting[1:] == ["info", "listening", "threshold", "microphone", "speech", "state", "status"]


@pytest.mark.parametrize("full", QUICK_AND_FULL)
def test_f2_a_broker_that_restarts_again_and_again_misses_nothing(
    broker: Broker, recorder: Recorder, daemons: Daemons, full: bool
) -> None:
    daemon = daemons(broker.port)
    for _ in range(20 if full else 2):
        daemon.say()
        broker.stop(signal.SIGTERM)
        daemon.say()
        announced = len(recorder.on("info"))
        broker.start()
        recorder.wait(lambda announced=announced: len(recorder.on("info")) > announced, 60)
    delivered(daemon, recorder)
    assert not gaps(recorder)


@pytest.mark.parametrize("full", QUICK_AND_FULL)
def test_f3_a_broker_killed_with_the_shipped_configuration_misses_nothing(
    broker: Broker, recorder: Recorder, daemons: Daemons, full: bool
) -> None:
    daemon = daemons(broker.port)
    for _ in range(20 if full else 2):
        daemon.say(2)
        broker.stop(signal.SIGKILL)
        broker.start()
    delivered(daemon, recorder)
    assert not gaps(recorder)


@pytest.mark.parametrize("full", QUICK_AND_FULL)
def test_f4_a_connection_reset_at_any_byte_of_a_publish_loses_nothing(
    recorder: Recorder, proxy: Proxy, daemons: Daemons, full: bool
) -> None:
    daemon = daemons(proxy.port, mqtt={"reconnect_max_s": 0.1}, model={"explain": "none"})
    daemon.say()
    recorder.wait(lambda: recorder.covers(1))
    length = proxy.publish_length
    offsets = range(length + 1) if full else [0, 1, 2, 5, 30, length // 2, length - 1, length]
    for offset in offsets:
        before = len(recorder.on("journal"))
        proxy.cut_publish_at = offset
        proxy.reset()
        recorder.wait(lambda before=before: proxy.cut_publish_at is None and len(recorder.on("journal")) > before)
        if offset % 100 == 0:
            daemon.say()
    delivered(daemon, recorder)
    assert not gaps(recorder)


def test_f5_a_black_hole_is_noticed_within_one_and_a_half_keepalives(
    recorder: Recorder, proxy: Proxy, daemons: Daemons
) -> None:
    daemon = daemons(proxy.port, mqtt={"keepalive_s": 5})
    daemon.say()
    recorder.wait(lambda: recorder.covers(1))
    proxy.swallow.set()
    fell_silent = time.monotonic()
    daemon.say(2)
    daemon.wait(lambda: daemon.logged("fallen silent"), 1.5 * 5 + 5)
    assert time.monotonic() - fell_silent < 1.5 * 5 + 2  # and a turn of the loop on a busy machine
    proxy.reset()
    recorder.wait(lambda: recorder.on("status")[-1].payload == b"offline", 30)
    proxy.swallow.clear()
    proxy.reset()
    recorder.wait(lambda: recorder.on("status")[-1].payload == b"online", 30)
    delivered(daemon, recorder)


def test_f6_lost_acknowledgements_cost_duplicates_with_the_same_id(
    recorder: Recorder, proxy: Proxy, daemons: Daemons
) -> None:
    daemon = daemons(proxy.port)
    recorder.wait(lambda: recorder.on("status"))
    proxy.drop_pubacks.set()
    daemon.say(2)
    recorder.wait(lambda: recorder.on("event"))
    proxy.reset()
    recorder.wait(lambda: len(recorder.on("status")) >= 2)
    proxy.drop_pubacks.clear()
    proxy.reset()
    recorder.wait(lambda: len(recorder.journalled()) >= 3)
    delivered(daemon, recorder)
    assert len(recorder.journalled()) > len(set(recorder.journalled())) == 2


@pytest.mark.faults
def test_f13_a_second_daemon_with_the_same_node_is_named_and_backs_off(
    recorder: Recorder, proxy: Proxy, daemons: Daemons, tmp_path: Path
) -> None:
    first = daemons(proxy.port, mqtt={"reconnect_max_s": 60})
    recorder.wait(lambda: recorder.on("status"))
    other = tmp_path / "other"
    other.mkdir()
    second = Daemon(other, proxy.port, mqtt={"reconnect_max_s": 60})
    try:
        first.wait(lambda: first.logged("another client uses the id"), 60)
        began = proxy.accepted[0]
        time.sleep(30)
        rate = len(proxy.accepted) / (time.monotonic() - began) * 60
        assert rate < 10
        for daemon in (first, second):
            assert len(daemon.logged("another client uses the id")) <= 1
    finally:
        second.kill()


def test_f13_a_second_daemon_on_the_same_state_is_refused(recorder: Recorder, broker: Broker, daemons: Daemons) -> None:
    daemons(broker.port)
    recorder.wait(lambda: recorder.on("status"))
    second = daemons(broker.port)
    assert second.ended() == 2
    assert len(second.log) == 1
    assert "another affectd runs as node kitchen" in second.log[0]


def test_f14_home_assistants_birth_message_brings_everything_again_once(
    recorder: Recorder, broker: Broker, daemons: Daemons
) -> None:
    daemons(broker.port)
    recorder.wait(lambda: recorder.on("status"))
    for _ in range(3):
        recorder.publish("homeassistant/status", "online")
    asked = time.monotonic()
    recorder.wait(lambda: len(recorder.on("status")) >= 2, 20)
    assert recorder.on("status")[-1].at - asked < 15
    time.sleep(max(0.0, 12 - (time.monotonic() - asked)))  # would a second one come, it would by now
    config = [
        message for message in recorder.received if message.topic == f"homeassistant/device/affectd/{NODE}/config"
    ]
    assert len(config) == len(recorder.on("state")) == len(recorder.on("info")) == 2


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority, and certificates by it: right, for another host, expired; and one by another authority."""
    folder = tmp_path_factory.mktemp("tls")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    for name in ("ca", "stranger"):
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.crt",
                "-days", "2", "-subj", f"/CN={name}")  # fmt: skip
    for name, authority, host, days in (
        ("server", "ca", "IP:127.0.0.1", "2"),
        ("elsewhere", "ca", "DNS:elsewhere.example", "2"),
        ("expired", "ca", "IP:127.0.0.1", "-1"),
        ("client", "ca", "DNS:client", "2"),
    ):
        openssl(
            "req",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            f"{name}.key",
            "-out",
            f"{name}.csr",
            "-subj",
            f"/CN={name}",
        )
        (folder / f"{name}.ext").write_text(f"subjectAltName={host}")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{authority}.crt", "-CAkey", f"{authority}.key",
                "-CAcreateserial", "-days", days, "-extfile", f"{name}.ext", "-out", f"{name}.crt")  # fmt: skip
    return folder


@pytest.mark.parametrize(
    ("server", "trusted", "client", "sentence"),
    [
        pytest.param("expired", "ca", "client", "expired", marks=pytest.mark.faults),
        pytest.param("server", "stranger", "client", "certificate verify failed", marks=pytest.mark.faults),
        ("elsewhere", "ca", "client", "certificate is not valid for '127.0.0.1'"),
        pytest.param("server", "ca", None, "certificate", marks=pytest.mark.faults),
    ],
    ids=["expired", "wrong-authority", "wrong-host", "no-client-certificate"],
)
def test_f19_tls_that_fails_is_never_replaced_by_plain(
    certificates: Path, tmp_path: Path, daemons: Daemons, server: str, trusted: str, client: str | None, sentence: str
) -> None:
    guarded = Broker(tmp_path / "guarded", tls_listener(certificates, server)).start()
    daemon = daemons(guarded.port, mqtt={"tls": tls_of(certificates, trusted, client)})
    daemon.wait(lambda: daemon.logged("todo="), 30)
    daemon.say(2)
    assert sentence in daemon.logged("todo=")[0]
    assert len(daemon.logged("todo=")) == 1
    assert not daemon.logged(" connected ")
    daemon.stop()
    guarded.stop()
    mended = Broker(tmp_path / "mended", tls_listener(certificates, "server")).start()
    again = daemons(mended.port, mqtt={"tls": tls_of(certificates, "ca", "client")})
    again.say()
    again.wait(lambda: again.logged(" connected "))
    assert again.stop() == 0
    mended.stop()
    kept = Journal(again.state, NODE)
    assert (kept.last, kept.depth) == (3, 0)  # the broker has acknowledged all three
    kept.close()


def tls_listener(certificates: Path, server: str) -> str:
    return (
        f"listener {{port}} 127.0.0.1\nallow_anonymous true\ncafile {certificates}/ca.crt\n"
        f"certfile {certificates}/{server}.crt\nkeyfile {certificates}/{server}.key\nrequire_certificate true"
    )


def tls_of(certificates: Path, trusted: str, client: str | None) -> dict[str, str]:
    tls = {"ca_file": f"{certificates}/{trusted}.crt"}
    if client:
        tls |= {"certificate_file": f"{certificates}/{client}.crt", "key_file": f"{certificates}/{client}.key"}
    return tls


def test_f19_a_wrong_password_is_said_once_and_loses_nothing(tmp_path: Path, daemons: Daemons) -> None:
    passwords = tmp_path / "passwords"
    passwords.touch()
    subprocess.run(["mosquitto_passwd", "-b", str(passwords), "affectd", "right"], check=True)
    broker = Broker(tmp_path / "guarded", f"listener {{port}} 127.0.0.1\npassword_file {passwords}").start()
    secret = tmp_path / "secret"
    secret.write_text("a wrong one\n")
    try:
        daemon = daemons(broker.port, mqtt={"username": "affectd", "password_file": str(secret)})
        daemon.wait(lambda: daemon.logged("todo="))
        daemon.say(2)
        assert len(daemon.logged("refused")) == 1
        secret.write_text("right\n")
        daemon.wait(lambda: daemon.logged(" connected "))
        assert daemon.stop() == 0
        assert not [line for line in daemon.log if "wrong one" in line or "right" in line.split()]
        kept = Journal(daemon.state, NODE)
        assert (kept.last, kept.depth) == (2, 0)
        kept.close()
    finally:
        broker.stop()


@pytest.mark.parametrize(
    "sound_s",
    [
        pytest.param(30, id="quick"),
        pytest.param(3600, id="hour", marks=[pytest.mark.faults, pytest.mark.timeout(1500)]),
    ],
)
def test_f29_a_broker_that_is_never_there_costs_what_is_too_old_and_nothing_else(
    tmp_path: Path, daemons: Daemons, sound_s: float
) -> None:
    """The broker is away for more than three times `max_days`, with restarts in between.

    So much sound is heard meanwhile, faster than in real time.
    """
    broker = Broker(tmp_path / "broker")
    accepted = 0
    runs = 3
    for _ in range(runs):
        daemon = daemons(broker.port, journal={"max_days": 4 / 86_400})
        began, said = time.monotonic(), 0
        while said * UTTERANCE_S < sound_s / runs or not daemon.logged("dropped_events"):
            assert time.monotonic() - began < max(100, sound_s), "what is too old stays"
            daemon.say()
            said += 1
            time.sleep(0.1)
        lasted = time.monotonic() - began
        assert daemon.accepted == list(range(accepted + 1, daemon.accepted[-1] + 1))
        accepted = daemon.accepted[-1]
        assert len(daemon.logged("dropped_events")) <= lasted / 0.2 + 2  # 0.2 s: a twentieth of the age
        asked = time.monotonic()
        assert daemon.stop() == 0
        assert time.monotonic() - asked < 10
    broker.start()
    recorder = Recorder(broker.port)
    try:
        daemon = daemons(broker.port, journal={"max_days": 4 / 86_400})
        daemon.say()
        delivered(daemon, recorder)
        assert [gap["reason"] for gap in gaps(recorder)] == ["age"]
    finally:
        recorder.close()
        broker.stop()


RESOLVER = """
import socket, sys, time
answer = socket.getaddrinfo
def slow(*arguments, **options):
    time.sleep({seconds})
    return answer(*arguments, **options)
socket.getaddrinfo = slow
from edge.cli import main
sys.exit(main())
"""


@pytest.mark.parametrize(
    "seconds",
    [7, pytest.param(60, marks=pytest.mark.faults), pytest.param(10**6, id="never", marks=pytest.mark.faults)],
)
def test_f39_a_resolver_that_hangs_starves_nothing(
    tmp_path: Path, recorder: Recorder, broker: Broker, daemons: Daemons, seconds: int
) -> None:
    systemd = Systemd(tmp_path)
    daemon = daemons(
        broker.port,
        program=RESOLVER.format(seconds=seconds),
        environment=systemd.environment(4),
        mqtt={"host": "localhost"},
    )
    systemd.next("READY=1")
    daemon.say()
    until = time.monotonic() + min(seconds, 30)
    while time.monotonic() < until:
        systemd.next("WATCHDOG=1", 4)
    if seconds > 60:
        daemon.process.terminate()
        systemd.next("STOPPING=1")
        assert daemon.ended(10) == 0
    else:
        delivered(daemon, recorder, 2 * seconds)


def test_f39_a_tls_handshake_that_stalls_starves_nothing_and_is_tried_again(
    tmp_path: Path, certificates: Path, daemons: Daemons
) -> None:
    systemd = Systemd(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        daemon = daemons(port, environment=systemd.environment(4), mqtt={"tls": tls_of(certificates, "ca", None)})
        first, _ = mute.accept()
        mute.settimeout(30)
        second, _ = mute.accept()
        first.close()
        second.close()
        fed = 0
        while not systemd.said.empty():
            fed += "WATCHDOG=1" in systemd.said.get()
        assert fed >= 5
        daemon.process.terminate()
        assert daemon.ended(10) == 0
