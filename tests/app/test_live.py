"""The live page with a real broker and a real daemon."""

import datetime
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import Page, expect

from app import nodes
from app.nodes import HISTORY, Node, heard
from edge.events.event import Event
from tests.conftest import DEMO, ROOT, Subscriber, answers, free_port, until

NOW = datetime.datetime(2026, 11, 22, 12, 0, tzinfo=datetime.UTC)

StartBroker = Callable[[], subprocess.Popen[bytes]]


def said(seq: int, ago: datetime.timedelta) -> Event:
    """An utterance that ended some time before now."""
    start, end = NOW - ago - datetime.timedelta(seconds=2), NOW - ago
    return Event(
        id=f"kitchen-00aa-{seq:06d}",
        node="kitchen",
        boot="00aa",
        seq=seq,
        event_type="sad",
        emotion="sad",
        confidence=0.8,
        probabilities={"sad": 0.8, "glad": 0.2},
        start=start.isoformat(),
        end=end.isoformat(),
        duration_s=2.0,
        snr_db=20.0,
        model="sha256:00",
        clock="synced",
    )


def told(*messages: tuple[str, bytes]) -> Node:
    known: nodes.Nodes = {}
    for topic, payload in messages:
        known = heard(known, "kitchen", topic, payload, NOW)
    return known["kitchen"]


def test_node_is_what_its_topics_say() -> None:
    info = b'{"schema":1,"node":"kitchen","bundle":"b","labels":["glad","sad"],"what comes later":1}'
    node = told(
        ("status", b"online"), ("speech", b"ON"), ("state", b"sad"), ("info", info), ("diagnostics", b'{"seq":3}')
    )
    assert (node.online, node.speech, node.state, node.labels) == (True, "ON", "sad", ("glad", "sad"))
    assert node.diagnostics == {"seq": 3}


def test_journal_repeats_no_utterance_and_brings_what_was_missed_in_order() -> None:
    late, early = said(2, datetime.timedelta(minutes=1)), said(1, datetime.timedelta(minutes=5))
    node = told(
        *(
            (topic, msgspec.json.encode(event))
            for topic, event in [("event", late), ("journal", late), ("journal", early)]
        )
    )
    assert [event.seq for event in node.events] == [1, 2]


def test_utterances_older_than_an_hour_are_forgotten() -> None:
    node = told(*(("event", msgspec.json.encode(said(1, ago))) for ago in [HISTORY + datetime.timedelta(seconds=1)]))
    assert node.events == ()


@pytest.mark.parametrize("payload", [b"3", b"not json", b"\xff", b'{"event_type":"gap","labels":3}', b"[]"])
@pytest.mark.parametrize("topic", ["event", "info", "diagnostics"])
def test_what_is_no_message_of_affectd_changes_nothing(topic: str, payload: bytes) -> None:
    before = {"kitchen": told(("status", b"online"))}
    after = heard(before, "kitchen", topic, payload, NOW)
    node = after["kitchen"]
    assert (node.events, node.info, node.online) == ((), None, True)


def test_times_that_are_none_change_nothing() -> None:
    event = msgspec.structs.replace(said(1, datetime.timedelta(0)), start="yesterday")
    assert told(("status", b"online"), ("event", msgspec.json.encode(event))).events == ()


def test_removed_node_is_forgotten() -> None:
    known = heard({}, "kitchen", "status", b"online", NOW)
    assert heard(known, "kitchen", "status", b"", NOW) == {}


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def start_broker(port: int, tmp_path: Path) -> Iterator[StartBroker]:
    """Starts a mosquitto on the same port, as often as it is stopped."""
    settings = tmp_path / "mosquitto.conf"
    settings.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen(["/usr/sbin/mosquitto", "-c", str(settings)], stderr=subprocess.DEVNULL))
        until(lambda: answers(port))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def watch(page: Page, app: str, port: int) -> None:
    page.goto(f"{app}/live")
    page.get_by_label("Broker").fill("127.0.0.1")
    page.keyboard.press("Enter")
    expect(page.get_by_text("127.0.0.1:1883").first).to_be_visible()  # two changes at once can undo each other
    page.get_by_label("Port", exact=True).fill(str(port))
    page.keyboard.press("Enter")


def test_no_broker_gets_one_sentence(page: Page, app: str, port: int) -> None:
    watch(page, app, port)
    expect(page.get_by_role("alert")).to_contain_text(f"The broker 127.0.0.1:{port} cannot be reached")


def test_what_a_daemon_hears_is_shown_also_after_the_broker_came_back(
    page: Page, app: str, port: int, start_broker: StartBroker, tmp_path: Path
) -> None:
    broker = start_broker()
    watch(page, app, port)
    expect(page.get_by_text("No node has published anything yet")).to_be_visible()
    page.evaluate("() => { window.notReloaded = true }")
    subscriber = Subscriber(port)
    config = tmp_path / "affectd.yaml"
    source = f"{{kind: file, path: {DEMO}, paced: true}}"
    config.write_text(
        f"node: kitchen\nsource: {source}\nstate_directory: {tmp_path}\nmqtt: {{host: 127.0.0.1, port: {port}}}\n"
    )
    command = [sys.executable, "-m", "edge", "run", "--config", str(config)]
    daemon = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        expect(page.get_by_text("kitchen", exact=True)).to_be_visible()
        expect(page.locator(".speaking")).to_be_visible()
        event = msgspec.json.decode(subscriber.next("event", 120).payload, type=Event)
        expect(page.locator(".verdict .emotion")).to_have_text(event.emotion)
        expect(page.locator(".verdict .confidence")).to_contain_text(f"{100 * event.confidence:.0f} %")
        assert event.explanation is not None
        expect(page.get_by_text(f"Why {event.explanation.target}")).to_be_visible()
        page.get_by_text("Diagnostics").click()
        expect(page.get_by_test_id("stDataFrame").first).to_be_visible()
        subscriber.close()

        broker.kill()
        broker.wait()
        expect(page.get_by_role("alert")).to_contain_text("Trying again")
        start_broker()
        expect(page.get_by_text(f"Connected to 127.0.0.1:{port}")).to_be_visible()
        shown = page.get_by_text("The last hour:").inner_text()
        expect(page.get_by_text("The last hour:")).not_to_have_text(shown)  # there is more to tell
        daemon.terminate()
        expect(page.get_by_text("the node is offline")).to_be_visible()
        assert page.evaluate("() => window.notReloaded")
    finally:
        daemon.terminate()
        daemon.wait(30)
