"""``python -m install``: the lock, payloads, and installing from a working copy, here or over ssh."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from install import app, lock, there, wheelhouse
from install.device.errors import InstallError
from install.device.machine import ARCHITECTURES, Machine, canonical, dotted, parse_python, refusal

_ROOT = Path(__file__).resolve().parents[1]
_DIST = _ROOT / "dist"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one action; returns the exit code: 0 done, 1 failed, with a sentence on stderr."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except InstallError as error:
        print(f"affectd: {error}", file=sys.stderr)
        return 1
    return 0


def _lock(_options: argparse.Namespace) -> None:
    lock.write(_ROOT)
    print(f"{lock.LOCK} is written")


def _wheelhouse(options: argparse.Namespace) -> None:
    machine = Machine(options.arch, 64, options.python)
    reason = refusal(machine)
    if reason:
        raise InstallError(reason)
    payload = wheelhouse.gather(_ROOT, options.arch, (options.python,), options.into)
    size = sum(path.stat().st_size for path in payload.folder.rglob("*") if path.is_file())
    print(f"{payload.folder}, {size >> 20} MB: copy it to the device, then there: sudo ./setup install")


def _payload(options: argparse.Namespace) -> None:
    """Make the payload for this machine; prints only its folder, for the Makefile."""
    here = Machine.here()
    reason = refusal(here)
    if reason:
        raise InstallError(reason)
    print(wheelhouse.gather(_ROOT, canonical(here.architecture), (here.python,), options.into).folder)


def _deb(options: argparse.Namespace) -> None:
    from install.debian import package  # needs affectd's own dependencies, as the other actions do not

    payload = wheelhouse.gather(_ROOT, options.arch, package.PYTHONS, options.into)
    built = package.build(_ROOT, payload, options.into, package.epoch_of(_ROOT))
    print(
        f"{built}, {built.stat().st_size >> 20} MB: copy it to the device, then there: sudo apt install ./{built.name}"
    )


def _app(options: argparse.Namespace) -> None:
    folder = app.gather(_ROOT, options.into)
    print(f"{folder}: publish it as a git repository, or copy {folder / 'affectd'} to Home Assistant's folder addons")


def _there(options: argparse.Namespace) -> None:
    remote = there.Remote(options.host, options.ssh.split())
    if options.uninstall:
        there.uninstall(remote)
    else:
        there.install(remote, _ROOT, options.into)


def _python(text: str) -> tuple[int, int]:
    try:
        return parse_python(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is no Python version such as 3.11") from None


def _target(text: str) -> str:
    if canonical(text) not in ARCHITECTURES:
        raise argparse.ArgumentTypeError(f"{text} is no architecture that affectd runs on: ARCH=arm64 or ARCH=amd64")
    return canonical(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m install", description="Puts affectd on a machine.")
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")

    actions.add_parser("lock", help="write install/requirements.lock again").set_defaults(run=_lock)

    gather = actions.add_parser("wheelhouse", help="a payload for a device without internet")
    gather.add_argument("--arch", type=canonical, default=ARCHITECTURES[0], help="default: %(default)s")
    gather.add_argument(
        "--python", type=_python, default=(3, 11), help=f"version on the device (default: {dotted((3, 11))})"
    )
    gather.set_defaults(run=_wheelhouse)

    payload = actions.add_parser("payload", help="a payload for this machine")
    payload.set_defaults(run=_payload)

    deb = actions.add_parser("deb", help="the Debian package")
    deb.add_argument("--arch", type=_target, default=ARCHITECTURES[0], help="arm64 (default) or amd64")
    deb.set_defaults(run=_deb)

    repository = actions.add_parser("app", help="the repository of the Home Assistant app")
    repository.set_defaults(run=_app)

    remote = actions.add_parser("there", help="install on another machine over ssh")
    remote.add_argument("host", help="as ssh takes it: pi@kitchen")
    remote.add_argument("--ssh", default="ssh", help="the ssh command with its options (default: %(default)s)")
    remote.add_argument("--uninstall", action="store_true", help="remove affectd there instead")
    remote.set_defaults(run=_there)

    for action in (gather, payload, deb, repository, remote):
        action.add_argument("--into", type=Path, default=_DIST, help="where payloads are made (default: dist/)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
