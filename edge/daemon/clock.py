"""Whether the wall clock can be believed."""

import ctypes
import functools
import subprocess
import time
from pathlib import Path

ASK_EVERY_S = 60.0

_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised
_TIMESYNCD = Path("/run/systemd/timesync/synchronized")  # systemd-timesyncd.service(8)
TIMEDATED = ("timedatectl", "show", "--property=NTPSynchronized", "--value")
_TIMEOUT_S = 5.0


class _Timex(ctypes.Structure):
    """``struct timex`` of adjtimex(2), as far as it is read here; the rest is room for the kernel to write to."""

    _fields_ = (("modes", ctypes.c_uint), ("rest", ctypes.c_byte * 252))


def clock_state() -> str:
    """``synced`` when the wall clock follows a reference, else ``unsynced``; asked once in ``ASK_EVERY_S``."""
    return _state(int(time.monotonic() / ASK_EVERY_S))


@functools.lru_cache(maxsize=1)
def _state(_period: int) -> str:
    """The kernel knows, whoever keeps the clock (adjtimex(2)).

    Where a sandbox forbids to ask it, as ``ProtectClock=`` does, systemd-timesyncd leaves a file, and for chrony and
    ntpd systemd-timedated asks the kernel in our place.
    """
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.byref(_Timex()))
    except (OSError, AttributeError):  # a C library without adjtimex
        state = -1
    synced = state != _TIME_ERROR if state != -1 else _TIMESYNCD.exists() or _timedated()
    return "synced" if synced else "unsynced"


def _timedated() -> bool:
    try:
        done = subprocess.run(TIMEDATED, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.stdout.strip() == "yes"
