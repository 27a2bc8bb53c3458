"""The form of the Home Assistant app and the daemon's configuration: they cannot disagree."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import msgspec
import pytest
import yaml
from PIL import Image

from edge import __version__
from edge.config import app, load
from edge.config.settings import Config
from edge.errors import ConfigError, UsageError
from tests.conftest import ROOT
from tests.homeassistant.supervisor import TOKEN, Supervisor, mosquitto_app

APP = ROOT / "homeassistant" / "affectd"
FORM = yaml.safe_load((APP / "config.yaml").read_text())
EXCEPTIONS = {"mqtt.password": str, "mqtt.tls": bool}
SERVICE = app.MqttService(host="core-mosquitto", username="addons", password="secret")


def fields(form: dict[str, object], path: str = "") -> dict[str, str]:
    """The types of the form's options by their path."""
    found: dict[str, str] = {}
    for key, kind in form.items():
        found |= fields(kind, f"{path}{key}.") if isinstance(kind, dict) else {f"{path}{key}": str(kind)}
    return found


def values(kind: str) -> list[object]:
    """What an option of a type may be: the ends of its range, each of its choices, or an example."""
    name, _, inside = kind.removesuffix("?").partition("(")
    inside = inside.removesuffix(")")
    match name:
        case "list":
            return list(inside.split("|"))
        case "int" | "float":
            return [{"int": int, "float": float}[name](end) for end in inside.split(",")]
        case "bool":
            return [True, False]
        case "port":
            return [1, 65535]
        case _:
            return ["kitchen"]


def options(path: str, value: object) -> dict[str, object]:
    """Options of the form with one of them set, and what must go with it."""
    chosen = json.loads(json.dumps(FORM["options"]))
    group, _, key = path.rpartition(".")
    (chosen[group] if group else chosen)[key] = value
    if path == "gate.close_probability":
        chosen["gate"]["open_probability"] = 1.0
    if path == "gate.open_probability":
        chosen["gate"]["close_probability"] = 0.01
    if path == "mqtt.password":
        chosen["mqtt"]["username"] = "affectd"
    return chosen


@pytest.mark.parametrize("path", fields(FORM["schema"]))
def test_what_the_form_allows_of_an_option_the_daemon_accepts(path: str) -> None:
    for value in values(fields(FORM["schema"])[path]):
        made = app.configuration(options(path, value), SERVICE, "/data/affectd")
        if path in EXCEPTIONS:
            continue
        read = msgspec.convert(made.document, Config)
        for name in path.split("."):
            read = getattr(read, name)
        assert read == value


def test_the_supervisor_knows_the_types_of_the_form() -> None:
    """https://developers.home-assistant.io/docs/apps/configuration#options--schema"""
    number = r"\((\d+(\.\d+)?)?,(\d+(\.\d+)?)?\)"
    known = rf"(bool|port|(str|password)|(int|float){number}|match\(.*\)|list\(.+\))\??"
    for kind in fields(FORM["schema"]).values():
        assert re.fullmatch(known, kind), kind
    # A group is never left out, so that all of its options may be.
    assert all(key in FORM["options"] for key, kind in FORM["schema"].items() if isinstance(kind, dict))
    assert all(kind.endswith("?") for path, kind in fields(FORM["schema"]).items() if "." in path)


def test_the_form_offers_every_choice_that_the_daemon_has() -> None:
    kinds = fields(FORM["schema"])
    for path in ("log_level", "model.explain", "voices.mode"):
        inner = Config
        for name in path.split("."):
            inner = inner.__annotations__[name]
        assert set(values(kinds[path])) == set(get_args(get_args(inner)[0]))
    node = re.escape("^[a-z0-9_-]{1,40}$")
    assert re.fullmatch(rf"match\({node}\)", kinds["node"])


@pytest.mark.parametrize("language", ["en", "de"])
def test_every_option_has_its_words(language: str) -> None:
    words = yaml.safe_load((APP / "translations" / f"{language}.yaml").read_text())["configuration"]
    assert list(words) == list(FORM["schema"])
    for key, kind in FORM["schema"].items():
        assert words[key]["name"]
        if isinstance(kind, dict):
            assert list(words[key]["fields"]) == list(kind)
            assert all(field["name"] for field in words[key]["fields"].values())


def test_the_defaults_of_the_form_listen_at_home_assistants_broker() -> None:
    made = app.configuration(FORM["options"], SERVICE, "/data/affectd")
    config = msgspec.convert(made.document, Config)
    assert (config.node, config.mqtt.host, config.mqtt.username, made.password, made.remark) == (
        "livingroom", "core-mosquitto", "addons", "secret", None,
    )  # fmt: skip
    assert config.source.kind == "microphone"
    assert config.mqtt.password_file == "/data/affectd/mqtt-password"


@pytest.mark.parametrize(
    ("chosen", "sentence"),
    [
        ({"mqtt": {"host": "b", "password": "x"}}, "mqtt.username is missing"),
        ({"mqtt": {"host": "mqtt://b:1884"}}, "write `host: b` and `port: 1884`"),
        ({"mqtt": {"host": "b", "password": 7}}, "mqtt.password is a int"),
        ({"gate": {"open_probability": 0.2, "close_probability": 0.9}}, "close_probability"),
        ({"node": "Kitchen"}, 'node is "Kitchen"'),
        ({"nodee": "kitchen"}, "did you mean `node`"),
    ],
)
def test_what_the_form_allows_and_the_daemon_refuses_is_one_sentence(chosen: dict[str, object], sentence: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(sentence)) as caught:
        app.configuration(chosen, SERVICE, "/data/affectd")
    (problem,) = caught.value.problems
    assert problem.startswith("the app's options: ")


def test_no_broker_at_all_is_one_sentence() -> None:
    with pytest.raises(UsageError, match="Mosquitto broker"):
        app.configuration(FORM["options"], None, "/data/affectd")


def test_a_service_without_credentials_is_used_and_said() -> None:
    made = app.configuration({}, app.MqttService(host="b", ssl=True), "/data/affectd")
    assert made.password is None
    assert "gives no user name" in str(made.remark)
    assert made.document["mqtt"] == {"host": "b", "port": 1883, "tls": {}}


def test_the_apps_files_are_what_the_store_shows() -> None:
    assert FORM["version"] == __version__
    assert FORM["version"] in (APP / "CHANGELOG.md").read_text()
    assert "profile affectd " in (APP / "apparmor.txt").read_text()
    assert Image.open(APP / "icon.png").size == (128, 128)
    assert Image.open(APP / "logo.png").size == (250, 100)
    assert yaml.safe_load((APP.parent / "repository.yaml").read_text())["name"] == "affectd"


def start(folder: Path, supervisor: Supervisor, chosen: object, token: str = TOKEN) -> subprocess.CompletedProcess[str]:
    """What run.sh does first."""
    (folder / "options.json").write_text(json.dumps(chosen))
    command = [sys.executable, "-m", "edge", "app-config", "--options", folder / "options.json",
               "--to", folder / "affectd", "--supervisor", supervisor.url]  # fmt: skip
    environment = {"SUPERVISOR_TOKEN": token} if token else {}
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=environment)


def test_the_command_writes_a_configuration_that_run_accepts(tmp_path: Path) -> None:
    supervisor = Supervisor(mosquitto_app())
    done = start(tmp_path, supervisor, FORM["options"])
    supervisor.close()
    assert done.returncode == 0, done.stderr
    config = load(tmp_path / "affectd" / "config.yaml")
    password = Path(str(config.mqtt.password_file))
    assert password.read_text() == "secret"
    assert password.stat().st_mode & 0o077 == 0
    assert "secret" not in (tmp_path / "affectd" / "config.yaml").read_text() + done.stdout + done.stderr


@pytest.mark.parametrize(
    ("service", "token", "sentence", "code"),
    [
        (None, TOKEN, "offers no MQTT broker", 2),
        (mosquitto_app(), "wrong", "does not say which MQTT broker there is", 1),
        (mosquitto_app(), "", "SUPERVISOR_TOKEN is not set", 2),
        (mosquitto_app(host=None), TOKEN, "no usable answer", 1),
        (mosquitto_app(username=None, password=None), TOKEN, "gives no user name", 0),
    ],
)
def test_what_the_supervisor_says_is_one_sentence(
    tmp_path: Path, service: dict[str, object] | None, token: str, sentence: str, code: int
) -> None:
    supervisor = Supervisor(service)
    done = start(tmp_path, supervisor, FORM["options"], token)
    supervisor.close()
    assert done.returncode == code, done.stderr
    (line,) = done.stderr.splitlines()
    assert sentence in line


def test_a_broker_of_ones_own_needs_no_supervisor(tmp_path: Path) -> None:
    supervisor = Supervisor(None)
    done = start(tmp_path, supervisor, {"mqtt": {"host": "192.168.1.10"}})
    supervisor.close()
    assert done.returncode == 0, done.stderr
    assert supervisor.asked == 0
