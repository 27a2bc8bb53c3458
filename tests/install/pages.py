"""What the proofs saw, as pages of Markdown in docs/."""

import datetime
from collections.abc import Callable
from pathlib import Path

from install.debian.package import DEBIAN
from tests.install.steps import Proof

Page = Callable[[Proof], str]


def recording(path: Path | None, page: Page) -> Callable[[Proof], object]:
    """What a proof calls after each step: it writes the page anew, or nothing without a path."""
    return (lambda proof: path.write_text(page(proof))) if path else lambda _: None


def installation(proof: Proof) -> str:
    """A run of the proof of installation."""
    today = datetime.datetime.now(datetime.UTC).date()
    target, how = ("test-arm64", "under qemu-user") if proof.architecture == "aarch64" else ("test-systemd", "natively")
    lines = [
        f"# Proof of installation on {proof.architecture}",
        "",
        f"Written by `make {target}` on {today}.",
        "",
        "The device is a Debian bookworm of this architecture, made by mmdebstrap. It runs",
        f"{how} with systemd as PID 1 in its own namespaces, and with sshd and mosquitto on loopback",
        "ports. The workstation runs `python -m install there`, as `make cross-install` does. The times",
        "say nothing about a Raspberry Pi.",
        "",
        *table(proof),
        "",
    ]
    return "\n".join(lines)


def table(proof: Proof) -> list[str]:
    """The steps so far, as lines of Markdown."""
    return [
        "| step | what was seen | s |",
        "|---|---|---|",
        *(f"| {name} | {notes.replace('|', '/')} | {taken:.0f} |" for name, notes, taken in proof.seen),
    ]


def package(suite: str) -> Page:
    """A run of the proof of the Debian package."""

    def page(proof: Proof) -> str:
        architecture = DEBIAN[proof.architecture]
        emulated = proof.architecture == "aarch64"
        lines = [
            f"# Proof of the Debian package: {suite}, {architecture}",
            "",
            f"Written by `make test-deb ARCH={architecture}` on {datetime.datetime.now(datetime.UTC).date()}.",
            "",
            "A Debian made by mmdebstrap, with systemd as PID 1 in its own namespaces.",
            *(_EMULATED if emulated else []),
            *(_WITHOUT_MOUNTS if emulated and suite == "trixie" else []),
            "The times say nothing about a Raspberry Pi.",
            "",
            *table(proof),
            "",
        ]
        return "\n".join(lines)

    return page


_EMULATED = ["It runs under qemu-user 10, where no service has credentials or a user namespace (`PrivateUsers=`)."]
_WITHOUT_MOUNTS = [
    "Nor has one mounts of its own (`ProtectSystem=`, `ProtectHome=`, `PrivateTmp=` and the like): systemd 257",
    "compares mount IDs, which qemu-user does not have. On amd64 the same release runs with its whole sandbox.",
]
