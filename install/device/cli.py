"""The command line of the setup program."""

import argparse
import contextlib
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from install.device import layout, machine, package, removal, upgrade
from install.device.errors import InstallError
from install.device.payload import load

_PAYLOAD = Path(__file__).resolve().parents[2]


def main(arguments: Sequence[str] | None = None) -> int:
    """Install, uninstall, or check this machine; returns the exit code: 0 done, 1 failed, with a sentence on stderr."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a dropped ssh connection must not stop the installation half-way
    where = layout.Layout(options.destdir, options.prefix, options.packaged)
    try:
        reason = package.objection(where)
        if reason:
            raise InstallError(reason)
        if options.action == "uninstall":
            removal.uninstall(where, _say)
            return 0
        reason = machine.refusal(machine.Machine.here())
        if reason:
            raise InstallError(reason)
        if options.action == "install":
            upgrade.install(load(options.payload), where, _say)
    except InstallError as error:
        with contextlib.suppress(OSError):
            print(f"affectd: {error}", file=sys.stderr, flush=True)
        return 1
    return 0


def _say(line: str) -> None:
    with contextlib.suppress(OSError):  # the reader of our output has gone; continue
        print(line, flush=True)


def _absolute(text: str) -> Path:
    path = Path(text)
    if not path.is_absolute():
        raise argparse.ArgumentTypeError(f"{text} must be an absolute path")
    return path


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="setup", description="Installs affectd from this folder, or removes it.")
    parser.add_argument("action", choices=("install", "uninstall", "check"))
    parser.add_argument("--payload", type=Path, default=_PAYLOAD, help="folder to install from (default: this one)")
    parser.add_argument(
        "--destdir", type=_absolute, default=Path("/"), help="stage the files there and start nothing (default: /)"
    )
    parser.add_argument(
        "--prefix", type=_absolute, default=layout.PREFIX, help="where the program lies (default: %(default)s)"
    )
    # For the package's own scripts: dpkg places and removes all that is not under the prefix.
    parser.add_argument("--packaged", action="store_true", help=argparse.SUPPRESS)
    return parser
