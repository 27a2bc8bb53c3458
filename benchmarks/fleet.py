"""A fleet on one broker: many nodes, each with a journal and an MQTT session of its own, and one consumer.

    python benchmarks/fleet.py --nodes 200 --seconds 120

The nodes are the daemon's own journal and connection, without sound. The events are synthetic, of realistic size, one
every three seconds for each node. Prints whether every journal is complete at the consumer, and the cost of a node.
"""

import argparse
import getpass
import json
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from edge import features  # noqa: E402
from edge.config import MqttSettings  # noqa: E402
from edge.events.event import Event, EventExplanation, stamp  # noqa: E402
from edge.journal.journal import Journal  # noqa: E402
from edge.mqtt.connection import Connection  # noqa: E402
from edge.mqtt.session import Conversation  # noqa: E402
from edge.mqtt.topics import Info, Topics  # noqa: E402

LABELS = ["anger", "disgust", "fear", "happy", "neutral", "sad", "surprise"]
EVERY_S = 3.0
PROCESS = 50  # nodes in one process


class Node:
    """A daemon without sound: journal and connection."""

    def __init__(self, number: int, port: int, folder: Path) -> None:
        topics = Topics("affectd", f"node-{number:03d}")
        self.topics = topics
        self.journal = Journal(folder / topics.node, topics.node)
        info = Info(node=topics.node, boot="0000", bundle="none", model="sha256:0", labels=LABELS)
        self.connection = Connection(
            MqttSettings(host="127.0.0.1", port=port),
            f"affectd-{topics.node}",
            Conversation(
                will=topics.will(), online=topics.online(), subscriptions=topics.subscriptions(),
                envelope=topics.journal, on_message=lambda _message: None,
            ),
            self.journal,
            beat=lambda: None,
        )  # fmt: skip
        self.connection.publish(topics.info(info))
        threading.Thread(target=self.connection.run, daemon=True).start()

    def speak(self) -> None:
        event, _ = self.journal.accept(self._draft())
        self.connection.publish(self.topics.event(event))
        self.connection.journal_grown()

    def _draft(self) -> Event:
        weights = [random.random() for _ in LABELS]
        shares = {label: round(weight / sum(weights), 4) for label, weight in zip(LABELS, weights, strict=True)}
        best = max(shares, key=lambda label: shares[label])
        families = dict.fromkeys(features.SIX.families, 0.1234)
        explanation = EventExplanation(
            method="shapley-families", target=best, families=families, base_value=-1.0, value=1.0, residual=0.0
        )
        now = time.time()
        return Event(
            node=self.topics.node, boot="0000", event_type=best,
            emotion=best, confidence=shares[best], probabilities=shares, start=stamp(now - 3), end=stamp(now),
            duration_s=3.0, snr_db=12.3, explanation=explanation, model="sha256:" + "0" * 64, clock="synced",
        )  # fmt: skip


def main() -> None:
    """Run the fleet and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--part", nargs=4, help=argparse.SUPPRESS)  # first node, count, port, folder
    options = parser.parse_args()
    if options.part:
        first, count, port, folder = options.part
        speak(range(int(first), int(first) + int(count)), int(port), Path(folder), options.seconds)
        return
    # The nodes' journals are in memory, since in a fleet each has its own disk. Broker and consumer write to disk.
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory() as name, tempfile.TemporaryDirectory(dir=memory) as journals:
        print(json.dumps(measure(options.nodes, options.seconds, Path(name), Path(journals)), indent=1))


def speak(numbers: range, port: int, folder: Path, seconds: float) -> None:
    """Runs some of the nodes in one process; prints the last number of each."""
    nodes = [Node(number, port, folder) for number in numbers]
    while not all(node.connection.connected for node in nodes):
        time.sleep(0.1)
    print("connected", flush=True)
    sys.stdin.readline()
    began = time.monotonic()
    due = [began + random.uniform(0, EVERY_S) for _ in nodes]
    while time.monotonic() - began < seconds:
        for index, node in enumerate(nodes):
            if time.monotonic() >= due[index]:
                node.speak()
                due[index] += EVERY_S
        time.sleep(0.01)
    print(json.dumps({node.topics.node: node.journal.last for node in nodes}), flush=True)
    sys.stdin.readline()
    for node in nodes:
        node.connection.close()


def measure(count: int, seconds: float, folder: Path, journals: Path) -> dict[str, object]:
    """Start the broker, the consumer and the nodes; wait until the consumer has everything."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = folder / "mosquitto.conf"
    shipped = (ROOT / "systemd" / "mosquitto-affectd.conf").read_text()
    shipped = shipped.replace("/var/lib/mosquitto/", f"{folder}/")
    settings.write_text(f"{shipped}\nuser {getpass.getuser()}\nlistener {port} 127.0.0.1\nallow_anonymous true\n")
    program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    broker = psutil.Popen([program, "-c", settings], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    database = folder / "events.db"
    time.sleep(1)
    recorder = ROOT / "docs" / "examples" / "recorder.py"
    consumer = psutil.Popen([sys.executable, recorder, "--port", str(port), "--database", database])
    time.sleep(2)
    alone = broker.memory_info().rss
    parts = [
        psutil.Popen(
            [sys.executable, __file__, "--seconds", str(seconds),
             "--part", str(first), str(min(PROCESS, count - first)), str(port), journals],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for first in range(0, count, PROCESS)
    ]  # fmt: skip
    for part in parts:
        part.stdout.readline()
    watched = {"broker": [broker], "consumer": [consumer], "nodes": parts}
    before = {name: cpu(processes) for name, processes in watched.items()}
    began = time.monotonic()
    for part in parts:
        print(file=part.stdin, flush=True)
    expected = set()
    for part in parts:
        for node, last in json.loads(part.stdout.readline()).items():
            expected |= {(node, seq) for seq in range(1, last + 1)}
    wall = time.monotonic() - began
    used = {name: 100 * (cpu(processes) - before[name]) / wall for name, processes in watched.items()}
    memory = sum(part.memory_info().rss for part in parts)
    grown = broker.memory_info().rss - alone
    found: set[tuple[str, int]] = set()
    deadline = time.monotonic() + 60
    while found != expected and time.monotonic() < deadline:
        with sqlite3.connect(database) as reading:
            found = set(reading.execute("SELECT node, seq FROM events").fetchall())
        time.sleep(0.5)
    for part in parts:
        print(file=part.stdin, flush=True)
        part.wait()
    for process in (consumer, broker):
        process.send_signal(signal.SIGTERM)
        process.wait()
    return {
        "nodes": count,
        "seconds": round(wall, 1),
        "events": len(expected),
        "events_per_second": round(len(expected) / wall, 1),
        "missing_at_consumer": len(expected - found),
        "unexpected_at_consumer": len(found - expected),
        "cpu_percent_of_one_core": {name: round(share, 1) for name, share in used.items()},
        "cpu_percent_per_node": {name: round(share / count, 3) for name, share in used.items()},
        "memory_kb_per_node": {"broker": round(grown / 1e3 / count, 1), "nodes": round(memory / 1e3 / count, 1)},
    }


def cpu(processes: list[psutil.Popen]) -> float:
    """CPU seconds that the processes have used."""
    return sum(sum(process.cpu_times()[:2]) for process in processes)


if __name__ == "__main__":
    main()
