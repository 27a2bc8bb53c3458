"""Writes every event of every affectd on a broker to SQLite: an example of a consumer that loses and doubles nothing.

    pip install paho-mqtt
    python recorder.py --broker localhost --database events.db

Start as many as the load asks for: they share the work (`$share/loggers/...`). Each message is acknowledged only after
it has been committed, and `(node, seq)` is the primary key, so that a message that comes twice is stored once.
"""

import argparse
import json
import signal
import sqlite3
import sys

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

SUBSCRIPTION = "$share/loggers/affectd/+/journal"
SCHEMA = """
CREATE TABLE IF NOT EXISTS events(
    node TEXT, seq INTEGER, id TEXT, emotion TEXT, confidence REAL, start TEXT, end TEXT, replayed INTEGER, event TEXT,
    PRIMARY KEY (node, seq)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS gaps(
    node TEXT, from_seq INTEGER, to_seq INTEGER, reason TEXT, PRIMARY KEY (node, from_seq, to_seq)
) WITHOUT ROWID;
"""
EVENT = "INSERT OR IGNORE INTO events VALUES (:node, :seq, :id, :emotion, :confidence, :start, :end, :replayed, :event)"
GAP = "INSERT OR IGNORE INTO gaps VALUES (:node, :from_seq, :to_seq, :reason)"


def record(database: sqlite3.Connection, payload: bytes) -> None:
    """Store one message of a topic `journal`; what is not one is said, and passed over."""
    try:
        found = json.loads(payload)
        statement = GAP if found["event_type"] == "gap" else EVENT
        with database:
            database.execute(statement, {**found, "event": payload.decode()})
    except (ValueError, KeyError, TypeError, sqlite3.ProgrammingError) as error:
        print(f"not an event of affectd ({error}): {payload[:100]!r}", file=sys.stderr)


def main() -> None:
    """Record until a signal arrives."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--broker", default="localhost")
    parser.add_argument("--port", type=int, default=1883)
    parser.add_argument("--database", default="events.db")
    parser.add_argument(
        "--name", default="recorder-1", help="the same at every start: the broker keeps messages for it"
    )
    options = parser.parse_args()

    database = sqlite3.connect(options.database, timeout=30)
    database.execute("PRAGMA journal_mode=WAL")
    database.executescript(SCHEMA)

    client = paho.Client(CallbackAPIVersion.VERSION2, options.name, protocol=paho.MQTTv5, manual_ack=True)

    def on_message(client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        record(database, message.payload)
        client.ack(message.mid, message.qos)

    client.on_connect = lambda client, *_: client.subscribe(SUBSCRIPTION, qos=1)
    client.on_message = on_message
    properties = Properties(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = 7 * 86_400
    client.connect(options.broker, options.port, clean_start=False, properties=properties)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: client.disconnect())
    client.loop_forever(retry_first_connection=True)


if __name__ == "__main__":
    main()
