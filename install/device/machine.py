"""Whether affectd can run on a machine: values in, one sentence out."""

import platform
import struct
import sys
from dataclasses import dataclass

ARCHITECTURES = ("aarch64", "x86_64")
OLDEST_PYTHON, NEWEST_PYTHON = (3, 11), (3, 13)  # the pinned wheels exist for these
_ALIASES = {"arm64": "aarch64", "amd64": "x86_64"}

Version = tuple[int, int]


@dataclass(frozen=True)
class Machine:
    """The kernel's architecture, the address width of its programs in bits, and its Python."""

    architecture: str
    bits: int
    python: Version

    @classmethod
    def here(cls) -> "Machine":
        """The machine that this program runs on."""
        return cls(platform.machine(), struct.calcsize("P") * 8, sys.version_info[:2])


def canonical(architecture: str) -> str:
    """The kernel's name of an architecture, whatever else it is called."""
    return _ALIASES.get(architecture, architecture)


def parse_python(text: str) -> Version:
    """``3.11`` or ``3.11.2`` as the pair (3, 11); ValueError for anything else."""
    major, minor, *_ = text.split(".")
    return int(major), int(minor)


def refusal(machine: Machine) -> str | None:
    """Why affectd cannot run there, in one sentence; None if it can."""
    if machine.bits != 64:
        userland = "with 32-bit programs" if canonical(machine.architecture) in ARCHITECTURES else "a 32-bit system"
        return (
            f"affectd needs a 64-bit operating system, and this is {userland} ({machine.architecture}): "
            "write Raspberry Pi OS (64-bit) to the card"
        )
    if canonical(machine.architecture) not in ARCHITECTURES:
        return (
            f"affectd runs on {' and '.join(ARCHITECTURES)}, and this machine is {machine.architecture}: "
            "ONNX Runtime has no wheel for it"
        )
    if machine.python < OLDEST_PYTHON:
        return (
            f"affectd needs Python {dotted(OLDEST_PYTHON)} or later, and this machine has {dotted(machine.python)}: "
            "Debian 12 and Raspberry Pi OS 12 bring it"
        )
    if machine.python > NEWEST_PYTHON:
        return (
            f"affectd's wheels are pinned for Python {dotted(OLDEST_PYTHON)} to {dotted(NEWEST_PYTHON)}, and this "
            f"machine has {dotted(machine.python)}: name an older one, such as PYTHON=python{dotted(NEWEST_PYTHON)}"
        )
    return None


def mismatch(machine: Machine, architecture: str, pythons: tuple[Version, ...]) -> str | None:
    """Why wheels for ``architecture`` and one of ``pythons`` do not suit ``machine``; None if they do."""
    if canonical(machine.architecture) == architecture and machine.python in pythons:
        return None
    return (
        f"these wheels are for {architecture} and Python {' or '.join(map(dotted, pythons))}, and this machine is "
        f"{canonical(machine.architecture)} with Python {dotted(machine.python)}: gather the right ones with "
        f"`make wheelhouse ARCH={canonical(machine.architecture)} PYTHON={dotted(machine.python)}`"
    )


def dotted(version: Version) -> str:
    """``3.11`` of ``(3, 11)``."""
    return f"{version[0]}.{version[1]}"
