"""The soak: hours of sound in a fraction of the time, the broker killed every ten minutes of it; does anything grow?

A quarter of the sound is speech. Before every restart the daemon is left in real quiet for a moment, and what it holds
then is noted: memory, threads, descriptors, what it has written to disk and what its state folder takes. A subscriber
with a session of its own counts the journal: every event must reach it, in order, whatever the broker did.

python -m benchmarks.soak [--hours H] [--json FILE]
"""

import contextlib
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import paho.mqtt.client as mqtt
from tqdm import tqdm

from benchmarks import measure, scenes
from benchmarks.daemon import Daemon, daemon, free_port, mosquitto, play_paced
from edge.audio import BLOCK_SAMPLES

TURN_S = 600  # of sound between two restarts of the broker
TALK_S = 150
REST_S = 12.0  # in real time, before each look
AWAY_S = 1.0
SETTLED = 6  # looks, an hour: what grows until then are buffers
PATIENCE_S, QUIET_S = 60.0, 5.0
WRITTEN = "written since the last look, MB"
GOALS = {"memory, MB": 0.2, "threads": 0.0, "descriptors": 0.0, WRITTEN: 0.05, "state folder, MB": 0.5}
"""The most that each may grow by in an hour of sound; the state folder holds the events of its days, some kB each."""


class Broker:
    """A mosquitto at one port that remembers sessions, and can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._settings = folder / "mosquitto.conf"
        self._settings.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence true\n"
            f"persistence_location {folder}/\nautosave_interval 1\nautosave_on_changes true\nmax_queued_messages 0\n"
            "user root\n"
        )
        self.restarts = -1
        self.start()

    def start(self) -> None:
        """Returns once it answers."""
        self._process = mosquitto(self._settings, self.port)
        self.restarts += 1

    def kill(self) -> None:
        """Without a word to anybody."""
        self._process.kill()
        self._process.wait()


class Record:
    """What a subscriber has read in the journal."""

    def __init__(self, port: int) -> None:
        self.seqs: list[int] = []
        self.gaps = 0
        client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="soak", clean_session=False)
        client.on_connect = lambda *_: client.subscribe("affectd/+/journal", qos=1)
        client.on_message = self._read
        client.reconnect_delay_set(1, 1)
        client.connect("127.0.0.1", port)
        client.loop_start()
        self._client = client

    def _read(self, _client: object, _userdata: object, message: mqtt.MQTTMessage) -> None:
        record = json.loads(message.payload)
        if "emotion" in record:
            self.seqs.append(record["seq"])
        else:
            self.gaps += 1

    def complete(self) -> bool:
        """Whether each event up to the latest has come, the first time in order."""
        first = list(dict.fromkeys(self.seqs))
        return first == sorted(first) == list(range(1, len(first) + 1)) and not self.gaps

    def settle(self) -> None:
        """Returns once nothing has come for a while."""
        deadline, seen = time.monotonic() + PATIENCE_S, -1
        while time.monotonic() < deadline and seen != len(self.seqs):
            seen = len(self.seqs)
            time.sleep(QUIET_S)

    def stop(self) -> None:
        """Leave the broker."""
        self._client.loop_stop()


def look(listening: Daemon, folder: Path) -> dict[str, float]:
    """What the daemon holds now."""
    place = Path(f"/proc/{listening.process.pid}")
    written = next(line for line in (place / "io").read_text().splitlines() if line.startswith("write_bytes"))
    return {
        "memory, MB": listening.resident_mb,
        "threads": len(list((place / "task").iterdir())),
        "descriptors": len(list((place / "fd").iterdir())),
        WRITTEN: int(written.split()[1]) / 1e6,
        "state folder, MB": sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6,
    }


def slope(hours: list[float], values: list[float]) -> tuple[float, float]:
    """How much values grow in an hour, by least squares, and the standard error of that."""
    across = np.array(hours) - np.mean(hours)
    grows = float(across @ np.array(values) / (across @ across))
    left = np.array(values) - np.mean(values) - grows * across
    return grows, float(np.sqrt(left @ left / max(1, len(left) - 2) / (across @ across)))


def table(details: dict) -> str:
    """What was heard, and how much each thing grew once buffers were full."""
    looks = details["looks"][SETTLED - 1 :]
    hours = [index * TURN_S / 3600 for index in range(len(looks))]
    lines = [
        f"{details['hours']:g} h of sound at {details['speed']:.0f} x real time, {details['restarts']} restarts of the "
        f"broker, {details['events']} events, {'all of them' if details['complete'] else 'NOT all of them'} in the "
        f"journal that a subscriber received ({details['twice']} of them twice).",
        "",
        "| what | after the first hour | at the end | grows by, an hour | goal | |",
        "|---|--:|--:|--:|---|---|",
    ]
    for name, most in GOALS.items():
        values = [look[name] for look in looks]
        grows, error = slope(hours, values)
        verdict = "met" if grows - 2 * error <= most else "**missed**"
        lines.append(
            f"| {name} | {values[0]:.2f} | {values[-1]:.2f} | {grows:+.2f} ± {error:.2f} | ≤ {most:g} | {verdict} |"
        )
    return "\n".join(lines)


@contextlib.contextmanager
def remembering() -> Iterator[Broker]:
    """A broker with a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        broker = Broker(Path(name))
        try:
            yield broker
        finally:
            broker.kill()


def main() -> None:
    parser = measure.parser(__doc__, runs=1)
    parser.add_argument("--hours", type=float, default=6, help="of sound (default: %(default)s)")
    options = parser.parse_args()
    turn = np.concatenate([scenes.talk(TALK_S), scenes.room(TURN_S - TALK_S)])
    turn = turn[: len(turn) // BLOCK_SAMPLES * BLOCK_SAMPLES]
    looks: list[dict[str, float]] = []
    began = time.monotonic()
    with remembering() as broker, daemon(broker.port) as listening:
        record = Record(broker.port)
        for _ in tqdm(range(round(options.hours * 3600 / TURN_S)), desc="soak", unit="turn"):
            listening.hear(turn)
            play_paced({listening: scenes.room(REST_S)}, REST_S)
            looks.append(look(listening, listening.state))
            broker.kill()
            time.sleep(AWAY_S)
            broker.start()
        speed = options.hours * 3600 / (time.monotonic() - began)
        record.settle()
        listening.finish()
        record.settle()
        record.stop()
    total = [one[WRITTEN] for one in looks]
    for one, before in zip(looks, [0.0, *total], strict=False):
        one[WRITTEN] -= before
    details = {
        "looks": looks,
        "hours": options.hours,
        "speed": speed,
        "restarts": broker.restarts,
        "events": len(set(record.seqs)),
        "twice": len(record.seqs) - len(set(record.seqs)),
        "complete": record.complete(),
    }
    print(table(details))
    if options.json:
        measure.write([], details, options.json)
    if not record.complete():
        raise SystemExit("events are missing in the journal that was received")


if __name__ == "__main__":
    main()
