"""A room to listen to without hardware: PulseAudio, whose null sink's monitor is the default microphone."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import until

# PortAudio asks JACK's library, which waits for ever on what a killed process of the same user has left there.
PRIVATE_SHM = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs tmpfs /dev/shm && exec "$@"', "sh"]


class Room:
    """A PulseAudio server of its own. Processes with its ``environment`` hear what ``play`` plays.

    ``isolation`` goes before their command: a /dev/shm of their own, where the machine lets us make one.
    """

    def __init__(self, folder: Path) -> None:
        self.environment = os.environ | {
            "HOME": str(folder),
            "PULSE_SERVER": f"unix:{folder}/socket",
            "PULSE_RUNTIME_PATH": str(folder / "runtime"),
        }
        default = 'pcm.!default { type pulse device "room.monitor" }\nctl.!default { type pulse }\n'
        (folder / ".asoundrc").write_text(default)
        self._socket = folder / "socket"
        possible = subprocess.run([*PRIVATE_SHM, "true"], capture_output=True, check=False).returncode == 0
        self.isolation = PRIVATE_SHM if possible else []
        self._server: subprocess.Popen[bytes] | None = None

    def open(self) -> None:
        modules = f"module-native-protocol-unix socket={self._socket}", "module-null-sink sink_name=room rate=48000"
        self._server = subprocess.Popen(
            ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", *(f"--load={module}" for module in modules)],
            env=self.environment,
            stderr=subprocess.DEVNULL,
        )
        command = ["pactl", "info"]
        until(lambda: subprocess.run(command, env=self.environment, capture_output=True, check=False).returncode == 0)

    def close(self) -> None:
        """As when the microphone is pulled out: without a word."""
        if self._server is not None:
            self._server.kill()
            self._server.wait()
            self._socket.unlink(missing_ok=True)

    def recorders(self) -> list[str]:
        """Who records in it now, a line each."""
        command = ["pactl", "list", "short", "source-outputs"]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        return done.stdout.splitlines()

    def play(self, clip: Path) -> None:
        """Play a clip to its end."""
        subprocess.run(["paplay", "--device=room", str(clip)], env=self.environment, check=True)


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    if shutil.which("pulseaudio") is None or shutil.which("pactl") is None:
        pytest.fail("no PulseAudio: apt-get install pulseaudio pulseaudio-utils libasound2-plugins")
    room = Room(tmp_path)
    room.open()
    yield room
    room.close()
