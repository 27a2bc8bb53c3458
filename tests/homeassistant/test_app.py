"""The app's start script in a root that its Dockerfile made, before a stand-in for the Supervisor. Needs root.

The image itself is built by docker, which this test does without; AppArmor is not in force here.
"""

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT
from tests.faults.parts import Broker, Recorder
from tests.homeassistant import image
from tests.homeassistant.supervisor import TOKEN, Supervisor, mosquitto_app

pytestmark = [pytest.mark.homeassistant, pytest.mark.timeout(1800)]

IMAGE = ROOT / ".cache" / "homeassistant-app"
SUPERVISOR = "127.0.18.1"  # `supervisor` in the root's /etc/hosts; port 80, as the real one
FORM = yaml.safe_load((ROOT / "homeassistant" / "affectd" / "config.yaml").read_text())
# The Supervisor maps a configuration of ALSA in that leads to PulseAudio; here it leads nowhere.
NO_MICROPHONE = "pcm.!default { type null }\nctl.!default { type null }\n"


@pytest.fixture(scope="module")
def root() -> Path:
    if os.getuid() != 0:
        pytest.skip("entering a root folder needs root")
    image.build(IMAGE)
    (IMAGE / "etc" / "hosts").write_text(f"127.0.0.1 localhost core-mosquitto\n{SUPERVISOR} supervisor\n")
    (IMAGE / "etc" / "asound.conf").write_text(NO_MICROPHONE)
    return IMAGE


@contextlib.contextmanager
def started(root: Path, options: object) -> Iterator[subprocess.Popen[str]]:
    """The app, as the Supervisor starts it."""
    data = root / "data"
    data.mkdir(exist_ok=True)
    (data / "options.json").write_text(json.dumps(options))
    environment = {"PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "SUPERVISOR_TOKEN": TOKEN, "TZ": "UTC"}
    command = [*image.inside(root), *image.command(ROOT / "homeassistant" / "affectd" / "Dockerfile")]
    app = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield app
    finally:
        app.terminate()
        app.wait(60)


def test_the_form_as_it_is_connects_to_home_assistants_broker(root: Path, tmp_path: Path) -> None:
    broker = Broker(tmp_path / "broker").start()
    supervisor = Supervisor(mosquitto_app(port=broker.port), SUPERVISOR, 80)
    recorder = Recorder(broker.port)
    try:
        with started(root, FORM["options"]) as app:
            recorder.wait(lambda: recorder.on("status", "livingroom"), 120)
            assert recorder.on("status", "livingroom")[-1].payload == b"online"
            recorder.wait(
                lambda: any(message.topic.startswith("homeassistant/device/") for message in recorder.received)
            )
        assert app.returncode == 0, app.stdout.read()
        recorder.wait(lambda: recorder.on("status", "livingroom")[-1].payload == b"offline")
    finally:
        recorder.close()
        supervisor.close()
        broker.stop()


def test_a_form_that_the_daemon_refuses_ends_the_app_with_its_sentence(root: Path) -> None:
    supervisor = Supervisor(mosquitto_app(), SUPERVISOR, 80)
    try:
        with started(root, FORM["options"] | {"mqtt": {"host": "mqtt://broker"}}) as app:
            assert app.wait(120) == 2
        (line,) = app.stdout.read().splitlines()
        assert line.startswith("affectd: the app's options: mqtt: host is 'mqtt://broker': write `host: broker`")
    finally:
        supervisor.close()


def test_apparmor_understands_the_profile() -> None:
    profile = ROOT / "homeassistant" / "affectd" / "apparmor.txt"
    command = ["/usr/sbin/apparmor_parser", "--skip-kernel-load", "--skip-cache", str(profile)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_no_broker_in_home_assistant_ends_the_app_with_a_sentence(root: Path) -> None:
    supervisor = Supervisor(None, SUPERVISOR, 80)
    try:
        with started(root, FORM["options"]) as app:
            assert app.wait(120) == 2
        assert "offers no MQTT broker" in app.stdout.read()
    finally:
        supervisor.close()
