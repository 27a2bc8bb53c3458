"""What joins and shows the rooms of docs/fleet.md: Prometheus, Grafana's dashboard, Telegraf.

Prometheus runs here. Telegraf, InfluxDB and Grafana could not be had: their files are held against what affectd sends.
"""

import contextlib
import json
import re
import subprocess
import tomllib
import urllib.parse
import urllib.request
from pathlib import Path

import msgspec
import pytest
import yaml

from edge.config import load
from edge.daemon.diagnostics import Diagnostics
from edge.daemon.prometheus import exposition
from edge.events.event import Event, Gap
from tests.conftest import ROOT, free_port, until
from tests.faults.parts import Daemon

COMPOSE = ROOT / "docs" / "examples" / "compose"
ROOMS = ("kitchen", "hall")
DASHBOARD = json.loads((COMPOSE / "grafana" / "affectd.json").read_text())
ASKED = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


def test_grafana_asks_for_metrics_that_there_are() -> None:
    values = dict.fromkeys(Diagnostics.__annotations__, 1) | {"journal": "ok"}
    there = set(re.findall(r"^(affectd_\w+)\{", exposition(Diagnostics(**values), "kitchen"), re.MULTILINE))
    for expression in [*ASKED, DASHBOARD["templating"]["list"][1]["query"]]:
        (metric,) = re.findall(r"affectd_\w+", expression)
        assert metric in there
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_prometheus_scrapes_the_port_that_the_rooms_open() -> None:
    scraped = yaml.safe_load((COMPOSE / "prometheus.yaml").read_text())["scrape_configs"][0]["static_configs"][0]
    ports = {room: load(COMPOSE / f"{room}.yaml").health.prometheus_port for room in ROOMS}
    assert scraped["targets"] == [f"{room}:{port}" for room, port in ports.items()]


@pytest.mark.timeout(300)
def test_prometheus_answers_what_the_dashboard_asks(broker: int, tmp_path: Path) -> None:
    config = yaml.safe_load((COMPOSE / "prometheus.yaml").read_text())
    subprocess.run(["promtool", "check", "config", COMPOSE / "prometheus.yaml"], check=True, capture_output=True)
    ports = {room: free_port() for room in ROOMS}
    config["global"]["scrape_interval"] = "1s"
    config["scrape_configs"][0]["static_configs"][0]["targets"] = [f"127.0.0.1:{port}" for port in ports.values()]
    path, address = tmp_path / "prometheus.yaml", f"127.0.0.1:{free_port()}"
    path.write_text(yaml.safe_dump(config))
    command = ["prometheus", f"--config.file={path}", f"--storage.tsdb.path={tmp_path / 'tsdb'}",
               f"--web.listen-address={address}"]  # fmt: skip

    def rooms_of(expression: str) -> set[str]:
        """The rooms in the answer to a panel's question; none while Prometheus does not answer."""
        query = urllib.parse.urlencode({"query": expression.replace("$node", ".*")})
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://{address}/api/v1/query?{query}") as answer:
            return {result["metric"]["node"] for result in json.load(answer)["data"]["result"]}
        return set()

    with contextlib.ExitStack() as stack:
        for room, port in ports.items():
            daemon = Daemon(tmp_path, broker, node=room, health={"prometheus_port": port})
            stack.callback(daemon.kill)
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        stack.callback(server.wait)
        stack.callback(server.kill)
        # The temperature is the only one that a machine may not have, and an utterance takes time once there was one.
        always = [expression for expression in ASKED if not re.search("temperature|p95|real_time", expression)]
        assert len(always) >= 8
        for expression in always:
            until(lambda expression=expression: rooms_of(expression) == set(ROOMS), 120)


def test_telegraf_reads_fields_that_a_journal_has() -> None:
    journal, diagnostics = tomllib.loads((COMPOSE / "telegraf.conf").read_text())["inputs"]["mqtt_consumer"]
    (parser,) = journal["json_v2"]
    (record,) = parser["object"]
    has = {field.name for kind in (Event, Gap) for field in msgspec.structs.fields(kind)}
    assert set(record["included_keys"]) | set(record["tags"]) <= has
    assert set(record["fields"]) | {record["timestamp_key"]} == set(record["included_keys"])
    assert (journal["topics"], journal["qos"], journal["persistent_session"]) == (["affectd/+/journal"], 1, True)
    assert diagnostics["topics"] == ["affectd/+/diagnostics"]


def test_telegraf_demands_nothing_that_a_gap_lacks() -> None:
    """Its parser refuses a record without what `timestamp_path`, or a path that is not optional, asks for."""
    (parser,) = tomllib.loads((COMPOSE / "telegraf.conf").read_text())["inputs"]["mqtt_consumer"][0]["json_v2"]
    demanded = {parser.get("timestamp_path")} | {
        entry["path"] for kind in ("tag", "field") for entry in parser.get(kind, ()) if not entry.get("optional")
    }
    assert demanded - {None} <= {field.name for field in msgspec.structs.fields(Gap)}
