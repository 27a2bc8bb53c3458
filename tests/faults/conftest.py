"""Parts that are put together and taken apart for each fault."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.parts import Broker, Daemon, Recorder
from tests.faults.proxy import Proxy
from tests.terminal import clip

__all__ = ["clip"]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(tmp_path / "broker")
    yield broker.start()
    broker.stop()


@pytest.fixture
def recorder(broker: Broker) -> Iterator[Recorder]:
    recorder = Recorder(broker.port)
    yield recorder
    recorder.close()


@pytest.fixture
def proxy(broker: Broker) -> Iterator[Proxy]:
    proxy = Proxy(broker.port)
    yield proxy
    proxy.close()


@pytest.fixture
def daemons(tmp_path: Path) -> Iterator[Callable[..., Daemon]]:
    """Starts daemons on a port; those that still run at the end of the test are killed."""
    started: list[Daemon] = []

    def start(port: int, **settings: object) -> Daemon:
        started.append(Daemon(tmp_path, port, **settings))
        return started[-1]

    yield start
    for daemon in started:
        daemon.kill()


@pytest.fixture
def microphone(tmp_path: Path) -> Path:
    mode = tmp_path / "mode"
    mode.write_text("speech")
    return mode
