"""F7, F8, F9, F10, F16, F17, F21: the daemon dies, its disk fails, its workers fail, and others wish it ill."""

import contextlib
import json
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from edge.journal.journal import Journal
from tests.conftest import ROOT, affectd
from tests.faults.parts import NODE, Broker, Daemon, Recorder, Systemd, delivered, gaps, speech
from tests.faults.proxy import Proxy
from tests.faults.test_broker import QUICK_AND_FULL

Daemons = Callable[..., Daemon]


@pytest.mark.parametrize("full", QUICK_AND_FULL)
def test_f7_a_daemon_killed_at_any_moment_of_an_outage_loses_nothing_accepted(
    broker: Broker, recorder: Recorder, proxy: Proxy, daemons: Daemons, full: bool
) -> None:
    chance = random.Random(7)
    proxy.refuse.set()
    accepted: list[int] = []
    for _ in range(200 if full else 3):
        daemon = daemons(proxy.port)
        daemon.say()
        for _ in range(chance.randrange(3)):
            daemon.hear(b"\0" * 2)  # keeps the pipe busy while it is killed
            daemon.say()
        time.sleep(chance.random() * 0.05)
        daemon.kill()
        assert not accepted or daemon.accepted[0] > accepted[-1]
        accepted += daemon.accepted
    proxy.refuse.clear()
    daemon = daemons(proxy.port)
    daemon.say()
    delivered(daemon, recorder, 120)
    received = {message.json["seq"] for message in recorder.on("journal") if message.json["event_type"] != "gap"}
    assert set(accepted) <= received


WRITER = """
import sys
from pathlib import Path
from edge.journal.journal import Journal
from tests.edge.events import draft
journal = Journal(Path(sys.argv[1]), "kitchen")
for _ in range(int(sys.argv[2])):
    accepted, durable = journal.accept(draft())
    assert durable
    (Path(sys.argv[3]) / "shadow" / f"accepted-{accepted.seq}").touch()
    if accepted.seq % 4 == 0:
        through = journal.pending(0, 2)[-1].seq
        (Path(sys.argv[3]) / "shadow" / f"acknowledged-{through}").touch()
        journal.acknowledge(through)
"""


@pytest.mark.parametrize("full", QUICK_AND_FULL)
def test_f8_a_power_cut_after_any_fsync_leaves_a_journal_that_has_everything_accepted(
    tmp_path: Path, full: bool
) -> None:
    library, snapshots, folder = tmp_path / "powercut.so", tmp_path / "snapshots", tmp_path / "journal"
    (snapshots / "shadow").mkdir(parents=True)
    source = Path(__file__).parent / "powercut.c"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    subprocess.run(
        [sys.executable, "-c", WRITER, folder, "150" if full else "12", snapshots],
        cwd=ROOT,
        env=os.environ
        | {"LD_PRELOAD": str(library), "POWERCUT_WATCH": str(folder), "POWERCUT_SNAPSHOTS": str(snapshots)},
        check=True,
    )
    cuts = sorted(path for path in snapshots.iterdir() if path.name.isdigit())
    assert len(cuts) > 20
    for cut in cuts:
        told = [path.name.split("-") for path in cut.iterdir() if "-" in path.name and path.name[0] == "a"]
        accepted = max((int(number) for word, number in told if word == "accepted"), default=0)
        acknowledged = max((int(number) for word, number in told if word == "acknowledged"), default=0)
        journal = Journal(cut, NODE)
        deliveries = journal.pending(0, 1000)
        events = {delivery.seq for delivery in deliveries if b'"gap"' not in delivery.payload}
        assert set(range(acknowledged + 1, accepted + 1)) <= events, cut
        assert journal.last >= accepted
        journal.close()


def latest(recorder: Recorder, field: str) -> object:
    found = recorder.on("diagnostics")
    return found[-1].json[field] if found else None


@pytest.mark.faults
def test_f9_a_full_disk_degrades_and_recovers_in_the_same_process(
    tmp_path: Path, broker: Broker, recorder: Recorder, proxy: Proxy, daemons: Daemons
) -> None:
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    disk = tmp_path / "state"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], check=True)
    try:
        daemon = daemons(proxy.port, health={"diagnostics_s": 1})
        daemon.say()
        recorder.wait(lambda: recorder.covers(1))
        proxy.refuse.set()
        proxy.reset()
        subprocess.run(["dd", "if=/dev/zero", f"of={disk}/filler", "bs=1024"], check=False, capture_output=True)
        while not daemon.logged("state=degraded"):
            daemon.say()
        daemon.say(2)
        proxy.refuse.clear()
        recorder.wait(lambda: latest(recorder, "journal") == "degraded")
        (disk / "filler").unlink()
        daemon.wait(lambda: daemon.logged("state=ok"), 40)
        daemon.say()
        delivered(daemon, recorder)
        assert daemon.stop() == 0
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        daemon = daemons(proxy.port)
        daemon.wait(lambda: daemon.logged("state=degraded"))
        daemon.say(2)
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        daemon.wait(lambda: daemon.logged("state=ok"), 40)
        daemon.say()
        delivered(daemon, recorder)
        assert not gaps(recorder)
        daemon.kill()
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


@pytest.mark.faults
def test_f10_an_outage_longer_than_the_bound_names_exactly_what_went(
    broker: Broker, recorder: Recorder, proxy: Proxy, daemons: Daemons
) -> None:
    proxy.refuse.set()
    daemon = daemons(proxy.port, journal={"max_mb": 1, "max_days": 12 / 86_400})
    daemon.say(2)
    time.sleep(13)  # they grow too old
    daemon.say(2)
    proxy.refuse.clear()
    delivered(daemon, recorder)
    (gap,) = gaps(recorder)
    assert (gap["from_seq"], gap["to_seq"], gap["reason"]) == (1, 2, "age")


FAULTY = """
import sys, time
import {module} as module
whole = module.{target}
count = 0
def failing(*arguments, **options):
    global count
    count += 1
    if count > {after}:
        print("fails now", file=sys.stderr, flush=True)
        raise RuntimeError("a fault of the test")
    return whole(*arguments, **options)
module.{target} = failing
from edge.cli import main
sys.exit(main())
"""


@pytest.mark.parametrize(
    ("module", "target", "after"),
    [
        ("edge.daemon.pipeline", "Pipeline.push", 50),
        ("edge.sources.stdin", "StdinSource.blocks", 0),
        ("edge.mqtt.outbox", "Outbox.take", 5),
        ("edge.mqtt.commands", "Commands.process", 0),
    ],
    ids=["listener", "capture", "connection", "commands"],
)
def test_f16_any_worker_that_fails_ends_the_process(
    broker: Broker, recorder: Recorder, daemons: Daemons, module: str, target: str, after: int
) -> None:
    daemon = daemons(broker.port, program=FAULTY.format(module=module, target=target, after=after))
    with contextlib.suppress(BrokenPipeError):
        daemon.hear(b"\1\0" * 160_000)
    daemon.wait(lambda: daemon.logged("fails now"))
    assert daemon.ended(2) == 1
    assert daemon.logged("has failed (RuntimeError: a fault of the test)")
    assert not daemon.logged("Traceback")
    if recorder.on("status"):
        recorder.wait(lambda: recorder.on("status")[-1].payload == b"offline")


FROZEN = """
import sys, threading
import edge.daemon.pipeline
edge.daemon.pipeline.Pipeline._analyse = lambda *_: threading.Event().wait()
from edge.cli import main
sys.exit(main())
"""


def test_f17_frozen_inference_starves_the_watchdog(tmp_path: Path, broker: Broker, daemons: Daemons) -> None:
    systemd = Systemd(tmp_path)
    daemon = daemons(broker.port, program=FROZEN, environment=systemd.environment(4))
    systemd.next("READY=1")
    systemd.next("WATCHDOG=1")
    daemon.hear(speech())
    assert "listener" in systemd.next("STATUS=stuck")
    time.sleep(4)
    assert not [said for said in list(systemd.said.queue) if "WATCHDOG=1" in said]
    assert daemon.process.poll() is None


@pytest.mark.parametrize(
    "full", [QUICK_AND_FULL[0], pytest.param(True, id="full", marks=[pytest.mark.faults, pytest.mark.timeout(900)])]
)
def test_f17_a_broker_that_is_down_does_not(tmp_path: Path, proxy: Proxy, daemons: Daemons, full: bool) -> None:
    systemd = Systemd(tmp_path)
    proxy.refuse.set()
    daemon = daemons(proxy.port, mqtt={"reconnect_max_s": 60}, environment=systemd.environment(4))
    systemd.next("READY=1")
    end = time.monotonic() + (600 if full else 6)
    while time.monotonic() < end:
        systemd.next("WATCHDOG=1", 4)
    assert daemon.process.poll() is None
    daemon.process.terminate()
    systemd.next("STOPPING=1")


HOSTILE = [
    b"", b"on", b"OFF ", b"\xff\xfe\x00", b"1e309", b"-1", b"NaN", b"0.5,", b'{"a":' * 500, b"[]", b"null",
    b"x" * (1 << 20), b'{"transaction":"' + b"x" * 100 + b'"}', b'{"transaction":7}', b'{"id":"../../etc/passwd"}',
    b'{"do":"name","id":"last","name":"\\u0000\\u001b[2J"}', b'{"do":"drop"}', b'{"do":"merge","id":"v1"}',
    b'{"do":"forget","id":""}', b'{"do":["name"],"id":{}}', b'{"do":"name","id":"v1","name":"' + b"x" * 401 + b'"}',
]  # fmt: skip


def test_f21_hostile_messages_change_nothing(broker: Broker, recorder: Recorder, daemons: Daemons) -> None:
    recorder.publish(f"affectd/{NODE}/listening/set", "OFF", retain=True)  # of the past: not a command any more
    daemon = daemons(broker.port)
    recorder.wait(lambda: recorder.on("status"))
    daemon.say()
    memory = psutil.Process(daemon.process.pid).memory_info().rss
    for topic in (
        "listening/set", "threshold/set", "request/explain", "request/voices", "request/nonsense", "request/",
        "request/a/b",
    ):  # fmt: skip
        for payload in HOSTILE:
            recorder.publish(f"affectd/{NODE}/{topic}", payload)
    recorder.publish("homeassistant/status", b"\xff" * 1000)
    recorder.publish(f"affectd/{NODE}/request/ping", '{"transaction":"still there"}')
    recorder.wait(lambda: [m for m in recorder.on("response/ping") if m.json["transaction"] == "still there"])
    assert {message.payload for message in recorder.on("listening")} == {b"ON"}
    assert len({message.payload for message in recorder.on("threshold")}) == 1
    assert all(
        message.json["ok"] is False for verb in ("explain", "voices") for message in recorder.on(f"response/{verb}")
    )
    assert psutil.Process(daemon.process.pid).memory_info().rss - memory < 30e6
    assert len(daemon.logged("refused")) <= 30
    daemon.say()
    delivered(daemon, recorder)


def test_f21_fuzzed_files_are_refused_in_a_sentence(tmp_path: Path) -> None:
    chance = random.Random(21)
    good = (ROOT / "configs" / "affectd.yaml").read_bytes()
    for number in range(2):
        content = bytearray(good)
        for _ in range(20):
            content[chance.randrange(len(content))] = chance.randrange(256)
        path = tmp_path / f"{number}.yaml"
        path.write_bytes(content)
        done = affectd("check-config", path)
        assert done.returncode in (0, 2)
        assert "Traceback" not in done.stderr
        sound = tmp_path / f"{number}.wav"
        sound.write_bytes(b"RIFF" + chance.randbytes(2000))
        done = affectd("analyse", sound)
        assert done.returncode == 1
        assert re.fullmatch(r"(affectd: [^\n]+\n)+", done.stderr)
        bundle = tmp_path / f"bundle{number}"
        bundle.mkdir()
        (bundle / "bundle.json").write_bytes(json.dumps({"format": chance.randrange(9)}).encode() + chance.randbytes(9))
        done = affectd("bundle", "verify", bundle)
        assert done.returncode == 1
        assert re.fullmatch(r"(affectd: [^\n]+\n)+", done.stderr)
