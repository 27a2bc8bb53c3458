"""F30: a journal that another version of affectd has written."""

import contextlib
import sqlite3
import zlib
from collections.abc import Callable

import pytest

from tests.faults.parts import Broker, Daemon, Recorder
from tests.faults.proxy import Proxy

Daemons = Callable[..., Daemon]

TOMORROW = b'{"schema":9,"id":"kitchen-9","emotion":{"of":"tomorrow"}}'


@pytest.mark.parametrize("body", [TOMORROW, b"no JSON", b"\xff\xfe"], ids=["schema", "text", "bytes"])
def test_f30_a_record_of_another_version_is_sent_as_it_is(
    broker: Broker, recorder: Recorder, proxy: Proxy, daemons: Daemons, body: bytes
) -> None:
    daemon = outage(proxy, daemons)
    with contextlib.closing(sqlite3.connect(daemon.state / "journal.db")) as database, database:
        checksum = zlib.crc32(body, zlib.crc32(b"2 2  "))
        database.execute("UPDATE records SET body = ?, checksum = ? WHERE seq = 2", (body, checksum))
        database.execute("DELETE FROM explanations WHERE seq = 2")
    proxy.refuse.clear()
    daemon = daemons(proxy.port)
    daemon.say()
    recorder.wait(lambda: len(recorder.on("journal")) >= 4)
    first, second, *rest = recorder.on("journal")
    assert second.payload == body
    assert [message.json["seq"] for message in (first, *rest)] == [1, 3, 4]
    assert daemon.stop() == 0


def test_f30_a_table_of_another_version_is_moved_aside_and_named_once(
    broker: Broker, recorder: Recorder, proxy: Proxy, daemons: Daemons
) -> None:
    daemon = outage(proxy, daemons)
    with contextlib.closing(sqlite3.connect(daemon.state / "journal.db")) as database, database:
        database.execute("ALTER TABLE records RENAME COLUMN body TO content")
    proxy.refuse.clear()
    for run in range(2):  # never a crash loop
        daemon = daemons(proxy.port)
        daemon.say()
        recorder.wait(lambda run=run: recorder.covers(4 + run))
        assert len(daemon.logged("state=damaged")) == (1 if run == 0 else 0)
        assert daemon.stop() == 0
    assert sorted(set(recorder.journalled())) == [(1, 3), (4, 4), (5, 5)]
    assert (daemon.state / "journal.damaged.db").exists()


def outage(proxy: Proxy, daemons: Daemons) -> Daemon:
    """A daemon that has ended with three events for a broker that is away."""
    proxy.refuse.set()
    daemon = daemons(proxy.port)
    daemon.say(3)
    assert daemon.stop() == 0
    return daemon
