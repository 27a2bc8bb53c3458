"""Whether the wall clock can be believed."""

import ctypes
from pathlib import Path


class _Timex(ctypes.Structure):
    """``struct timex`` of adjtimex(2), as far as it is read here; the rest is room for the kernel to write to."""

    _fields_ = (("modes", ctypes.c_uint), ("rest", ctypes.c_byte * 252))


_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised


_TIMESYNCD = Path("/run/systemd/timesync/synchronized")  # systemd-timesyncd.service(8)


def clock_state() -> str:
    """``synced`` when the kernel says that the wall clock follows a reference, else ``unsynced`` (adjtimex(2)).

    Where a sandbox forbids to ask the kernel, as ``ProtectClock=`` does, what systemd-timesyncd says holds.
    """
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.byref(_Timex()))
    except (OSError, AttributeError):  # a C library without adjtimex
        state = -1
    if state == -1:
        return "synced" if _TIMESYNCD.exists() else "unsynced"
    return "unsynced" if state == _TIME_ERROR else "synced"
