"""The daemon as a process of its own, with a broker and a microphone that the benchmark plays into."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.measure import ROOT
from edge.audio import BLOCK_SECONDS
from edge.sources.conversion import into_blocks

READY_S = 60.0


@dataclass(frozen=True)
class Daemon:
    """``ready_s`` and ``ready_cpu_s``: seconds and CPU seconds from exec to READY."""

    process: subprocess.Popen[bytes]
    state: Path
    ready_s: float
    ready_cpu_s: float

    @property
    def cpu_s(self) -> float:
        return cpu_seconds(self.process.pid)

    @property
    def resident_mb(self) -> float:
        return resident_mb(self.process.pid)

    def hear(self, samples: np.ndarray) -> None:
        """Play int16 samples as fast as the daemon listens."""
        assert self.process.stdin is not None
        self.process.stdin.write(samples.astype("<i2").tobytes())
        self.process.stdin.flush()

    def finish(self) -> None:
        """End the recording, and wait until all of it has been analysed and published."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        if self.process.wait(600) != 0:
            raise SystemExit(f"the daemon failed with code {self.process.returncode}")


@contextlib.contextmanager
def daemon(port: int, node: str = "bench", bundle: str = "default", extra: str = "") -> Iterator[Daemon]:
    """A daemon that hears what is played and publishes to the broker at ``port``; ``extra`` are lines of its file."""
    with (
        tempfile.TemporaryDirectory(prefix="affectd-") as name,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bell,
    ):
        folder = Path(name)
        bell.bind(str(folder / "notify"))
        bell.settimeout(READY_S)
        config = folder / "affectd.yaml"
        config.write_text(
            f"node: {node}\nlog_level: warning\nstate_directory: {folder}\n"
            f"source: {{kind: stdin}}\nmqtt: {{host: 127.0.0.1, port: {port}}}\nmodel: {{bundle: {bundle}}}\n{extra}"
        )
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "edge", "run", "--config", str(config)],
            stdin=subprocess.PIPE, cwd=ROOT, env=os.environ | {"NOTIFY_SOCKET": str(folder / "notify")},
        )  # fmt: skip
        try:
            while b"READY=1" not in bell.recv(4096):
                pass
            yield Daemon(process, folder, time.perf_counter() - began, cpu_seconds(process.pid))
        finally:
            process.kill()
            process.wait()


@contextlib.contextmanager
def broker() -> Iterator[int]:
    """Start a mosquitto; yields its port."""
    port = free_port()
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as settings:
        settings.write(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
        settings.flush()
        process = mosquitto(Path(settings.name), port)
        try:
            yield port
        finally:
            process.terminate()
            process.wait()


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def mosquitto(settings: Path, port: int) -> "subprocess.Popen[bytes]":
    """A mosquitto with these settings, once it answers at its port."""
    program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    if not Path(program).exists():
        raise SystemExit("mosquitto is missing: apt-get install mosquitto")
    process = subprocess.Popen([program, "-c", settings], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while socket.socket().connect_ex(("127.0.0.1", port)) != 0:
        if process.poll() is not None:
            raise SystemExit(f"mosquitto does not start on port {port}")
        time.sleep(0.01)
    return process


def play_paced(daemons: dict[Daemon, np.ndarray], seconds: float) -> None:
    """Play each daemon its samples int16 in real time, a block at a time, as a microphone would."""
    streams = {each: into_blocks([samples]) for each, samples in daemons.items()}
    began = time.monotonic()
    for count in range(1, round(seconds / BLOCK_SECONDS) + 1):
        time.sleep(max(0.0, began + count * BLOCK_SECONDS - time.monotonic()))
        for each, blocks in streams.items():
            each.hear(next(blocks))


def cpu_seconds(pid: int) -> float:
    """CPU time of the running threads of a process, exact to the nanosecond (schedstat, proc(5))."""
    total = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            total += int((thread / "schedstat").read_text().split()[0])
    return total / 1e9


def resident_mb(pid: int) -> float:
    """Resident memory of a process, shared libraries included, MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
