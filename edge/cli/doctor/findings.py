"""What the doctor makes of what it measured: values in, a finding with what to do out."""

import signal
from typing import Literal

import msgspec

_SLOW, _TOO_SLOW = 0.3, 0.8  # real-time factors: seconds of work per second of speech
_QUIET_DB, _LOUD_DB = -70.0, -3.0  # dBFS: peaks of a microphone that is nearly deaf, and of one that clips
_HOT, _TOO_HOT = 75.0, 82.0  # degrees Celsius: a Raspberry Pi slows down from 80 on
_LITTLE_DISK, _NO_DISK = 256 << 20, 32 << 20  # bytes: the journal may take 64 MiB
_RESTARTS = 3
_ILLEGAL = (
    "a library uses instructions that this processor lacks, as onnxruntime 1.21 does on a Raspberry Pi 4: "
    "install affectd again with its pinned wheels"
)
_INCOMPLETE = "install affectd again: its environment is incomplete"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One stage's verdict: what was found, and what to do about it (empty when nothing)."""

    stage: str
    verdict: Literal["ok", "warn", "fail", "skip"]
    found: str
    todo: str = ""


class Sound(msgspec.Struct, frozen=True, kw_only=True):
    """What was heard: seconds, peak and mean level in dBFS, the shares of zero and of clipped samples, utterances."""

    seconds: float
    peak_db: float
    mean_db: float
    zeros: float
    clipped: float
    speech: float
    """Share of the time that the gate took for speech."""
    utterances: int
    problem: str = ""
    """What is wrong with it, as ``diagnostics`` would say; empty where nothing is."""
    advice: str = ""
    usable: bool = True
    """Whether anything can be told from it all the same."""


def ok(stage: str, found: str) -> Finding:
    """It works."""
    return Finding(stage=stage, verdict="ok", found=found)


def warn(stage: str, found: str, todo: str) -> Finding:
    """It works, and could be better."""
    return Finding(stage=stage, verdict="warn", found=found, todo=todo)


def fail(stage: str, found: str, todo: str) -> Finding:
    """It does not work."""
    return Finding(stage=stage, verdict="fail", found=found, todo=todo)


def skip(stage: str, found: str) -> Finding:
    """It was not asked."""
    return Finding(stage=stage, verdict="skip", found=found)


def runtime(returncode: int, output: str) -> Finding:
    """Of a child process that imported everything; a negative code is the signal that it died of."""
    if returncode == 0:
        return ok("runtime", output.strip())
    if returncode < 0:
        name = signal.Signals(-returncode).name
        todo = _ILLEGAL if name == "SIGILL" else _INCOMPLETE
        return fail("runtime", f"importing the libraries died of {name}", todo)
    lines = output.strip().splitlines()
    return fail("runtime", lines[-1] if lines else f"exit code {returncode}", _INCOMPLETE)


def processor(machine: str, features: frozenset[str], model: str, celsius: float | None, low_voltage: bool) -> Finding:
    """Of the processor's instructions as /proc/cpuinfo names them, its temperature and its supply."""
    needed, fast = ({"asimd"}, {"asimddp", "i8mm"}) if machine == "aarch64" else ({"sse4_2"}, {"avx2", "avx512f"})
    found = ", ".join([model or machine, *sorted(features & (needed | fast))])
    if celsius is not None:
        found += f", {celsius:.0f} °C"
    if needed - features:
        return fail("cpu", f"{found}: {', '.join(sorted(needed))} is missing", "use a board with a 64-bit Armv8-A CPU")
    if low_voltage:
        return fail("cpu", f"{found}, under-voltage", "use the official power supply and a short cable")
    if celsius is not None and celsius >= _HOT:
        todo = "give it a heat sink or a fan" + (": it slows itself down now" if celsius >= _TOO_HOT else "")
        return warn("cpu", found, todo)
    return ok("cpu", found)


def speed(audio_s: float, work_s: float) -> Finding:
    """Of analysing speech of ``audio_s`` seconds, explanation included, in ``work_s`` seconds."""
    factor = work_s / audio_s
    found = f"real-time factor {factor:.3f}: {work_s:.2f} s for {audio_s:.1f} s of speech, explanation included"
    if factor >= _TOO_SLOW:
        return fail("speed", found, "set model.explain to none, or use a faster board: it cannot keep up with speech")
    if factor >= _SLOW:
        return warn("speed", found, "it keeps up, with little to spare: set model.explain to none if events come late")
    return ok("speed", found)


def level(sound: Sound) -> Finding:
    """Of what a microphone or another source delivered."""
    found = f"peak {sound.peak_db:.0f} dBFS, mean {sound.mean_db:.0f} dBFS over {sound.seconds:.1f} s"
    if sound.seconds == 0:
        return fail("level", "no sound arrived", "see that the source is plugged in and not used by another program")
    if sound.problem and sound.zeros < 1.0:
        return (warn if sound.usable else fail)("level", f"{sound.problem}: {found}", sound.advice)
    if sound.zeros == 1.0:
        return fail(
            "level", "every sample is zero", "unmute the microphone with alsamixer (F4), or unplug and replug it"
        )
    if sound.peak_db < _QUIET_DB:
        return warn("level", found, "hardly anything is heard: raise the capture level with alsamixer (F4)")
    if sound.clipped > 0 and sound.peak_db > _LOUD_DB:
        todo = "lower the capture level with alsamixer (F4)"
        return warn("level", f"{found}, {sound.clipped:.1%} of the samples clipped", todo)
    return ok("level", found)


def gate(sound: Sound) -> Finding:
    """Of what the gate made of the same sound."""
    if sound.seconds == 0:
        return skip("gate", "there was no sound")
    found = f"{sound.utterances} utterances, {sound.speech:.0%} of {sound.seconds:.1f} s taken for speech"
    if sound.speech > 0.95:
        todo = "if nobody spoke, something talks all the time: a radio? Raise gate.open_probability"
        return warn("gate", found, todo)
    return ok("gate", found)


def clock(state: str) -> Finding:
    """Of ``synced`` or ``unsynced``."""
    if state == "synced":
        return ok("clock", "synchronised")
    return warn(
        "clock", "not synchronised", "timedatectl set-ntp true; until then events say so and their times may lie"
    )


def disk(folder: str, free: int, writable: bool) -> Finding:
    """Of the file system that holds the journal: ``free`` in bytes."""
    found = f"{free >> 20} MB free for {folder}"
    if not writable:
        return fail(
            "disk", f"{folder} is read-only", "events live in memory only: see `dmesg`, the card may be worn out"
        )
    if free < _NO_DISK:
        return fail("disk", found, "free some space: no event survives a broker outage now")
    if free < _LITTLE_DISK:
        return warn("disk", found, "free some space before the journal needs it")
    return ok("disk", found)


def unit(name: str, properties: dict[str, str]) -> Finding:
    """Of what ``systemctl show`` says about a unit."""
    if properties.get("LoadState") in {None, "not-found"}:
        return skip("unit", f"{name} is not installed")
    state = f"{properties.get('ActiveState')} ({properties.get('SubState')})"
    restarts = int(properties.get("NRestarts", "0") or 0)
    found = f"{name} is {state}, {properties.get('UnitFileState') or 'not enabled'}, restarted {restarts} times"
    if properties.get("ActiveState") == "failed":
        reason = properties.get("Result", "")
        return fail("unit", f"{found}, result {reason}", f"journalctl -u {name} -n 20 says why")
    if properties.get("ActiveState") != "active":
        return warn("unit", found, f"systemctl enable --now {name}")
    if restarts > _RESTARTS:
        return warn("unit", found, f"journalctl -u {name} -n 100 says what ends it again and again")
    return ok("unit", found)
