"""``affectd demo``: a broker, the daemon, and a subscriber that shows what the daemon publishes, in one terminal."""

import argparse
import asyncio
import contextlib
import logging
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import yaml

from edge import config as configuration
from edge.cli import output
from edge.cli.watch import show, watch
from edge.config import Config, MqttSettings, SourceSettings
from edge.errors import AffectdError
from edge.mqtt.client import Connected

RECORDING = Path(__file__).parents[1] / "demo.opus"

_HINTS = """
That was a recording. Next:
  your own microphone           make run SOURCE=microphone
  your own broker               copy configs/affectd.yaml, set mqtt.host, then: affectd run --config YOURS.yaml
  an audio file, without MQTT   affectd analyse FILE"""


def run(options: argparse.Namespace) -> int:
    """Run the demonstration; returns the daemon's exit code."""
    return demonstrate(source=options.source, config=options.config, as_json=options.json)


def demonstrate(*, source: str, config: Path | None, as_json: bool) -> int:
    """Run the daemon until its source ends or Ctrl-C, printing what comes back over MQTT; returns its exit code."""
    with contextlib.ExitStack() as stack:
        if config is not None:
            settings = configuration.load(config)
        else:
            settings = Config(
                node="demo",
                source=_source(source),
                mqtt=stack.enter_context(_embedded_broker()),
                state_directory=stack.enter_context(tempfile.TemporaryDirectory(prefix="affectd-")),
            )
        watcher = stack.enter_context(_watching(settings, as_json=as_json))
        if not as_json:
            address = f"{settings.mqtt.host}:{settings.mqtt.port}"
            heard = (
                "the demonstration recording"
                if config is None and source == "recording"
                else f"a {settings.source.kind}"
            )
            output.line(f"affectd listens to {heard}; what follows comes back from the broker at {address}.")
        daemon = stack.enter_context(_daemon(settings))
        try:
            code = _wait(daemon, watcher)
        except KeyboardInterrupt:  # the daemon got the same Ctrl-C and leaves cleanly
            code = daemon.wait()
    if not as_json and config is None and source == "recording" and code == 0:
        output.line(_HINTS)
    return code


class _Watcher(threading.Thread):
    """Shows what comes back from the broker; ``failure`` is what ended it before it was told to stop."""

    def __init__(self, settings: Config, *, as_json: bool) -> None:
        super().__init__(name="watch", daemon=True)
        self.failure: BaseException | None = None
        self.subscribed = threading.Event()
        self.stop = threading.Event()
        self._settings = settings
        self._as_json = as_json

    def run(self) -> None:
        """The thread."""
        colour = sys.stdout is not None and sys.stdout.isatty()
        try:
            for item in watch(self._settings.mqtt, self._settings.node or "+", self.stop):
                if isinstance(item, Connected):
                    self.subscribed.set()
                show(item, as_json=self._as_json, colour=colour)
        except BaseException as error:  # noqa: BLE001 (raised again by who waits for us)
            self.failure = error
        self.subscribed.set()


@contextlib.contextmanager
def _watching(settings: Config, *, as_json: bool) -> Iterator[_Watcher]:
    watcher = _Watcher(settings, as_json=as_json)
    watcher.start()
    watcher.subscribed.wait(10)
    try:
        _check(watcher)
        yield watcher
        _check(watcher)
    finally:
        watcher.stop.set()
        watcher.join(5)


def _check(watcher: _Watcher) -> None:
    if watcher.failure is not None:
        raise watcher.failure


def _wait(daemon: subprocess.Popen[bytes], watcher: _Watcher) -> int:
    """Until the daemon ends, or nothing that it says can be shown any more."""
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return daemon.wait(0.5)
        _check(watcher)
        if not watcher.is_alive():  # nobody reads any more
            return 1


def _source(source: str) -> SourceSettings:
    if source == "microphone":
        return SourceSettings(kind="microphone")
    return SourceSettings(kind="file", path=str(RECORDING))


@contextlib.contextmanager
def _daemon(settings: Config) -> Iterator[subprocess.Popen[bytes]]:
    """The daemon as a process of its own, as it runs on a device."""
    with tempfile.TemporaryDirectory(prefix="affectd-") as folder:
        path = Path(folder) / "affectd.yaml"
        path.write_text(yaml.safe_dump(msgspec.to_builtins(msgspec.structs.replace(settings, log_level="warning"))))
        process = subprocess.Popen([sys.executable, "-m", "edge", "run", "--config", str(path)])
        try:
            yield process
        finally:
            process.terminate()
            process.wait()


@contextlib.contextmanager
def _embedded_broker() -> Iterator[MqttSettings]:
    """A broker in this process, on a free port of the loopback interface."""
    try:
        from amqtt.broker import Broker
    except ImportError:
        raise AffectdError(
            "the demo's own broker is missing: pip install 'affectd[demo]', or name a broker with --config"
        ) from None
    logging.getLogger("amqtt").setLevel(logging.CRITICAL)
    logging.getLogger("transitions").setLevel(logging.CRITICAL)
    port = _free_port()
    loop = asyncio.new_event_loop()
    plugins = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
    listeners = {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}}
    broker = Broker({"listeners": listeners, "plugins": plugins}, loop=loop)
    thread = threading.Thread(target=loop.run_forever, name="broker", daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(broker.start(), loop).result(20)
    try:
        yield MqttSettings(host="127.0.0.1", port=port)
    finally:
        with contextlib.suppress(Exception):  # the demo is over; what a broker says at its end is of no use to anyone
            asyncio.run_coroutine_threadsafe(broker.shutdown(), loop).result(5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
