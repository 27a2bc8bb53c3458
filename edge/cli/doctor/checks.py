"""What the doctor measures, stage by stage; what it makes of it stands in ``edge.cli.doctor.findings``."""

import math
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from edge.audio import BLOCK_SECONDS, SAMPLE_RATE
from edge.cli import configuration
from edge.cli.doctor import findings as verdicts
from edge.cli.doctor.findings import Finding
from edge.config import Config
from edge.errors import AffectdError
from edge.model.bundle import Bundle
from edge.model.choice import bundle_folder

LISTEN_S = 5.0
_WARM_UP, _MEASURED = 1, 3  # analyses
_LIBRARIES = ("numpy", "onnxruntime", "msgspec", "yaml", "paho.mqtt", "soundfile", "soxr", "webrtcvad")
_IMPORTS = (
    "import importlib, sys\n"
    f"modules = [importlib.import_module(name) for name in {_LIBRARIES!r}]\n"
    "versions = {module.__name__: getattr(module, '__version__', '') for module in modules}\n"
    "print('Python ' + sys.version.split()[0], *(f'{name} {version}' for name, version in versions.items() if version),"
    " sep=', ')\n"
)

_ANY_SOURCE_TODO = "if the daemon holds it, `sudo systemctl stop affectd` first; else see source in the configuration"
_SOURCE_TODO = {
    "wyoming": "see that the satellite runs, and source.url and source.listen; a port that the daemon holds is free "
    "after `sudo systemctl stop affectd`",
    "rtsp": "see source.url and source.credentials_file, which this user must be able to read; try the address in VLC",
}

Say = Callable[[str], None]


def runtime(_config: Config, _unit: str, _say: Say) -> Iterator[Finding]:
    """In a child process: an illegal instruction there is a finding here."""
    yield verdicts.runtime(*run_apart([sys.executable, "-c", _IMPORTS]))


def run_apart(command: list[str]) -> tuple[int, str]:
    """Exit code (the negative signal for one that was killed) and output of a child process."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout if done.returncode == 0 else done.stderr


def bundle(config: Config, _unit: str, _say: Say) -> Iterator[Finding]:
    """Whether the configured bundle is one that the daemon takes."""
    try:
        bundle = _load(config)
    except AffectdError as error:
        yield verdicts.fail("bundle", str(error), "set model.bundle to a folder that `affectd bundle verify` accepts")
    else:
        reason = bundle_folder(config.model.bundle)[1]
        found = f"{bundle.name} ({reason}), {bundle.digest[:19]}, {len(bundle.labels)} labels"
        yield verdicts.ok("bundle", found)


def _load(config: Config) -> Bundle:
    return Bundle.load(bundle_folder(config.model.bundle)[0])


def processor(_config: Config, _unit: str, _say: Say) -> Iterator[Finding]:
    """Instructions, model, temperature, supply."""
    yield verdicts.processor(platform.machine(), *_processor_facts())


def _processor_facts(root: Path = Path("/")) -> tuple[frozenset[str], str, float | None, bool]:
    features: frozenset[str] = frozenset()
    for line in _read(root / "proc/cpuinfo").splitlines():
        name, _, value = line.partition(":")
        if name.strip() in {"Features", "flags"}:
            features = frozenset(value.split())
            break
    model = _read(root / "proc/device-tree/model").rstrip("\0\n")
    heat = _read(root / "sys/class/thermal/thermal_zone0/temp").strip()
    alarms = (root / "sys/class/hwmon").glob("hwmon*/in0_lcrit_alarm")  # raspberrypi-hwmon of the kernel
    low = any(_read(alarm).strip() == "1" for alarm in alarms)
    return features, model, int(heat) / 1000 if heat.lstrip("-").isdigit() else None, low


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def speed(config: Config, _unit: str, _say: Say) -> Iterator[Finding]:
    """On noise of a usual utterance's length: what a network costs does not depend on what it hears."""
    from edge.daemon.pipeline import AnalysisSettings, analyse
    from edge.model.classifier import Classifier
    from edge.vad.gate import Utterance

    classifier = Classifier(_load(config))
    settings = AnalysisSettings.of(config.model)
    noise = np.random.default_rng(0).normal(0, 1000, 3 * SAMPLE_RATE).astype(np.int16)
    utterance = Utterance(0, noise, 20.0)
    for _ in range(_WARM_UP):
        analyse(utterance, classifier, settings)
    began = time.perf_counter()
    for _ in range(_MEASURED):
        analyse(utterance, classifier, settings)
    yield verdicts.speed(len(noise) / SAMPLE_RATE, (time.perf_counter() - began) / _MEASURED)


def microphones(config: Config, _unit: str, _say: Say) -> Iterator[Finding]:
    """What PortAudio sees."""
    from edge.sources import list_microphones

    if config.source.kind != "microphone":
        yield verdicts.skip("microphones", f"source.kind is {config.source.kind}")
        return
    try:
        microphones = list_microphones()
    except AffectdError as error:
        todo = "sudo apt-get install python3-pyaudio, or set source.kind to command with arecord"
        yield verdicts.fail("microphones", str(error), todo)
        return
    names = ", ".join(f"{one.name} ({one.rate} Hz)" for one in microphones)
    if not microphones:
        todo = "plug one in; `arecord -l` shows what the kernel sees; this user must belong to the group audio"
        yield verdicts.fail("microphones", "none is visible", todo)
    else:
        yield verdicts.ok("microphones", names)


def sound(config: Config, _unit: str, say: Say) -> Iterator[Finding]:
    """Five seconds of the configured source: its level, and what the gate makes of it."""
    from edge.cli.doctor.sound import Listening, hear, meter
    from edge.sources import open_source

    if config.source.kind == "stdin":
        yield from (verdicts.skip(stage, "source.kind is stdin") for stage in ("level", "gate"))
        return
    say(f"listening to the {config.source.kind} for {LISTEN_S:.0f} s: say something")
    source = open_source(config.source)
    listening = Listening(live=source.endless)
    try:
        for block in islice(source.blocks(), math.ceil(LISTEN_S / BLOCK_SECONDS)):
            listening.push(block, time.monotonic())
            say(meter(block))
    except AffectdError as error:
        todo = _SOURCE_TODO.get(config.source.kind, _ANY_SOURCE_TODO)
        yield verdicts.fail("level", str(error), todo)
        yield verdicts.skip("gate", "needs level")
        return
    finally:
        source.close()
    sound = hear(listening.blocks, config.gate, listening.problem)
    yield verdicts.level(sound)
    yield verdicts.gate(sound)


def broker(config: Config, _unit: str, _say: Say) -> Iterator[Finding]:
    """The way to it, with the password that the unit would be given."""
    from edge.cli.doctor import broker as roundtrip
    from edge.config.node import default_node
    from edge.mqtt.topics import Topics

    settings = configuration.broker(config.mqtt)
    topics = Topics(settings.base, config.node or default_node())
    assistant = config.homeassistant
    yield from roundtrip.examine(settings, topics, assistant.prefix, discovery=assistant.discovery)


def clock(_config: Config, _unit: str, _say: Say) -> Iterator[Finding]:
    """Whether it is synchronised."""
    from edge.daemon.clock import clock_state

    yield verdicts.clock(clock_state())


def disk(config: Config, _unit: str, _say: Say) -> Iterator[Finding]:
    """Room for the journal, in the folder that `run` would use."""
    from edge.config.node import default_node
    from edge.daemon.state import state_folder

    try:
        wanted = folder = state_folder(config.state_directory, config.node or default_node())
    except AffectdError as error:
        yield verdicts.fail("disk", str(error), "see state_directory in the configuration")
        return
    while not os.access(folder, os.F_OK):
        folder = folder.parent
    read_only = bool(os.statvfs(folder).f_flag & os.ST_RDONLY)
    if not read_only and not os.access(folder, os.W_OK | os.X_OK):
        todo = "let the user that the daemon runs as write there, or set state_directory"
        yield verdicts.fail("disk", f"{folder} may not be written by this user, for {wanted}", todo)
        return
    yield verdicts.disk(str(wanted), shutil.disk_usage(folder).free, not read_only)


def service(_config: Config, unit: str, _say: Say) -> Iterator[Finding]:
    """The state of the systemd unit."""
    properties = "LoadState,ActiveState,SubState,UnitFileState,NRestarts,Result"
    try:
        code, output = run_apart(["systemctl", "show", "--no-pager", f"--property={properties}", unit])
    except FileNotFoundError:
        yield verdicts.skip("unit", "there is no systemd")
        return
    if code:
        yield verdicts.skip("unit", f"systemctl says: {output.strip() or code}")
        return
    yield verdicts.unit(unit, dict(line.partition("=")[::2] for line in output.splitlines()))
