"""What systemd is told: ready, how it goes, still alive (sd_notify(3))."""

import contextlib
import os
import socket


def notify(**fields: object) -> None:
    """Send ``READY=1``, ``STATUS=...``, ``WATCHDOG=1`` and the like; nothing where systemd does not listen."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    message = "\n".join(f"{name}={value}" for name, value in fields.items())
    path = "\0" + address[1:] if address.startswith("@") else address  # an abstract socket
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
        out.sendto(message.encode(), path)


def watchdog_s() -> float | None:
    """The interval in which systemd wants to hear from us, in seconds; None without a watchdog for this process."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    try:
        interval = int(os.environ["WATCHDOG_USEC"]) / 1e6
    except (KeyError, ValueError):
        return None
    return interval if interval > 0 else None
