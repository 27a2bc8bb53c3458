"""Configuration files: everything wrong is said, at once, with its place."""

from pathlib import Path

import pytest

from edge import config
from edge.config import schema
from edge.config.node import default_node
from edge.errors import ConfigError, UsageError
from tests.conftest import ROOT


def problems(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "affectd.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        config.load(path)
    return [problem.removeprefix(f"{path}: ") for problem in caught.value.problems]


def test_an_empty_file_is_all_defaults(tmp_path: Path) -> None:
    path = tmp_path / "affectd.yaml"
    path.write_text("# nothing\n")
    assert config.load(path) == config.Config()


@pytest.mark.parametrize("word", ["off", "'off'", "no"])
def test_a_choice_called_off_may_be_written_without_quotes(tmp_path: Path, word: str) -> None:
    path = tmp_path / "affectd.yaml"
    path.write_text(f"voices: {{mode: {word}}}\n")
    assert config.load(path).voices.mode == "off"


def test_shipped_configuration_is_valid() -> None:
    assert config.load(ROOT / "configs" / "affectd.yaml").source.kind == "microphone"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mqtt: {port: 0}", "mqtt.port is 0: allowed is a whole number from 1 to 65535"),
        ("node: Küche", 'node is "K\\u00fcche": allowed is a text that matches `^[a-z0-9_-]{1,40}$` or null'),
        ("source: {kind: file}", "source: path is missing: name the audio file to listen to"),
        ("source: {kind: wyoming}", "source: url is missing: say where the sound comes from, such as `url: tcp://sat"),
        ("source: {kind: rtsp}", "source: url is missing: say where the sound comes from, such as `url: rtsp://cam"),
        ("source: {kind: wyoming, url: 'tcp://pi'}", "source: url is 'tcp://pi': give scheme, host and port alone"),
        ("source: {kind: wyoming, url: 'tcp://pi:99999'}", "source: url is 'tcp://pi:99999', which is no address for"),
        (
            "source: {kind: wyoming, url: 'rtsp://pi/x'}",
            "source: url is 'rtsp://pi/x', which is no address for wyoming",
        ),
        (
            "source: {kind: wyoming, listen: true, url: 'tcp://pi:1'}",
            "source: url is 'tcp://pi:1': to listen, give an ad",
        ),
        ("source: {kind: rtsp, url: camera}", "source: url is 'camera', which is no address for rtsp: write one such"),
        ('source: {kind: rtsp, url: "rtsp://c/\'x"}', 'source: url is "rtsp://c/\'x", which is no address for rtsp'),
        (
            "source: {kind: rtsp, url: 'rtsp://pi:s3@c/x'}",
            "source: url holds a user name: put `user:password` into a f",
        ),
        ("gate: {open_probability: 0.2}", "gate: close_probability is above open_probability"),
        ("mqtt: {tls: {key_file: x}}", "mqtt.tls: certificate_file and key_file belong together: give both or neither"),
        ("voices: {mode: on}", "voices.mode is true: allowed is `off`, `adapt`"),
        ("modle: {}", "modle is unknown: did you mean `model`?"),
        ("- 1", "the file is [1]: allowed is a mapping with `node`, `source`, `gate`, `model`, `voices`"),
    ],
)
def test_each_error_names_place_finding_and_remedy(tmp_path: Path, text: str, said: str) -> None:
    (problem,) = problems(tmp_path, text)
    assert problem.startswith(said)


def test_all_errors_come_at_once(tmp_path: Path) -> None:
    assert len(problems(tmp_path, "node: A\nsource: {rate: 1, kind: x}\nmqtt: 3\nlog_level: loud\n")) == 5


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("mqtt://broker", "write `host: broker`"),
        ("mqtts://broker:8883/x", "write `host: broker` and `port: 8883` and `tls: {}`"),
        ("wss://broker:443/mqtt", "write `host: broker`, and as `port` the broker's for MQTT"),
        ("broker:1884", "write `host: broker` and `port: 1884`"),
        ("user:secret@broker", "write `host: broker`"),
        ("[::1]", "write `host: ::1`"),
        ("[::1]:1884", "write `host: ::1` and `port: 1884`"),
        (" broker", "write `host: broker`"),
        ("bro ker", "give the broker's name or address alone"),
        ("bro\\0ker", "give the broker's name or address alone"),
        ("bro\\tker", "give the broker's name or address alone"),
        ("broker:port", "give the broker's name or address alone"),
    ],
)
def test_a_broker_in_another_form_is_refused_with_the_right_one(tmp_path: Path, host: str, said: str) -> None:
    (problem,) = problems(tmp_path, f'mqtt: {{host: "{host}"}}')
    assert problem.startswith("mqtt: host is ")
    assert problem.endswith(said) or said in problem


@pytest.mark.parametrize(
    "host", ["broker", "192.168.1.10", "::1", "fe80::1%eth0", "my_broker.local", "küche.fritz.box"]
)
def test_names_and_addresses_are_brokers(tmp_path: Path, host: str) -> None:
    path = tmp_path / "affectd.yaml"
    path.write_text(f'mqtt: {{host: "{host}"}}')
    assert config.load(path).mqtt.host == host


@pytest.mark.parametrize("values", [{"port": 99_999}, {"host": "mqtt://x"}, {"host": ""}])
def test_a_broker_given_otherwise_is_held_to_the_same(values: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="mqtt: "):
        config.changed(config.MqttSettings(), **values)
    assert config.changed(config.MqttSettings(keepalive_s=7), port=1884) == config.MqttSettings(
        keepalive_s=7, port=1884
    )


@pytest.mark.parametrize("content", ["", "uninitialized\n", None])
def test_a_machine_without_an_identity_has_no_name_of_its_own(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "machine-id"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UsageError, match="set `node`"):
        default_node(path)


@pytest.mark.parametrize(
    "text",
    [
        "a: [", "a: 1\na: 2\n", "\t- x", "a: !!python/object:os.system {}", "? [a, b]\n: 1\n", "? {a: b}\n: 1\n",
        "node: !!timestamp 2099-99-99", "node: !!int abc", "node: !!float x", "? !!set {x}\n: 2\n", "node: &x [*x]",
    ],
)  # fmt: skip
def test_what_is_not_plain_yaml_is_one_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "affectd.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        config.load(path)
    assert len(str(caught.value).splitlines()) == 1


def test_missing_and_binary_files_are_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    for name in ("missing.yaml", "binary.yaml", "."):
        with pytest.raises(ConfigError) as caught:
            config.load(tmp_path / name)
        assert len(str(caught.value).splitlines()) == 1


def test_reference_page_is_up_to_date() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text()
    assert page.endswith(schema.reference(config.Config)), "run `make docs`"
