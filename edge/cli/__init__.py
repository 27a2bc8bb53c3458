"""The command ``affectd``: its parser, and what its errors become.

Each subcommand is a module of this package with a function ``run(options) -> int``, imported when it is asked for:
`affectd --help` waits for no neural network.
"""

import argparse
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from edge import __version__
from edge.cli import output
from edge.config import DEFAULT_PATH
from edge.errors import AffectdError

if TYPE_CHECKING:
    from _typeshed import SupportsWrite


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand; returns the exit code: 0 done, 1 failed while running, 2 bad usage or configuration."""
    output.prepare()
    debug = "--debug" in (sys.argv[1:] if arguments is None else arguments)
    try:
        options = _parse(arguments)
        debug = options.debug
        code: int = _command(options.module).run(options)
        output.finish()
    except AffectdError as error:
        if debug:
            raise
        _complain(str(error))
        return error.exit_code
    except BrokenPipeError:  # the reader of our output has gone: nothing is left to say, or to say it to
        output.discard()
        return 1
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if _is_interruption(error):
            return 130
        if debug:
            raise
        _complain(f"{type(error).__name__}: {error}: this is a fault of affectd; `affectd --debug` shows where")
        return 1
    return code


def _command(name: str) -> ModuleType:
    """The module of a command.

    An exception in the middle of a native library's import can crash the interpreter, so until then Ctrl-C just ends
    the process. The daemon loads more of them, and says itself when it takes charge of signals.
    """
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    module = import_module(f"edge.cli.{name}")
    if name != "run":
        signal.signal(signal.SIGINT, before)
    return module


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    try:
        return parser().parse_args(arguments)
    except SystemExit:
        output.finish()
        raise


def _is_interruption(error: BaseException | None) -> bool:
    """Whether Ctrl-C is behind an error, as in the middle of an import, which makes another one of it."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def _complain(sentences: str) -> None:
    print("\n".join(f"affectd: {line}" for line in sentences.splitlines()), file=sys.stderr)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


class _Parser(argparse.ArgumentParser):
    """One whose help is written as all output is: argparse itself passes over a disk that is full."""

    def _print_message(self, message: str, file: "SupportsWrite[str] | None" = None) -> None:
        if file is sys.stdout:
            output.line(message.removesuffix("\n"))
        else:
            super()._print_message(message, file)


def parser() -> argparse.ArgumentParser:
    """The parser of the command line, which is also what its manual page is made from."""
    parser: argparse.ArgumentParser = _Parser(
        prog="affectd",
        description="Hears how people sound, says why, and publishes it over MQTT. No audio is stored or sent.",
    )
    parser.add_argument("--version", action="version", version=f"affectd {__version__}")
    parser.add_argument("--debug", action="store_true", help="show the trace of an error")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="the daemon: listen, understand, publish")
    run.add_argument("--config", type=Path, metavar="FILE", help=f"YAML configuration (default: {DEFAULT_PATH})")
    run.set_defaults(module="run")

    _add_analyse(commands)

    explain = commands.add_parser("explain", help="why a file sounds as it does: in words, and as a picture")
    explain.add_argument("file", metavar="FILE", type=Path, help="audio of one utterance")
    explain.add_argument("--png", metavar="OUT", type=Path, help="a picture to write, too")
    explain.add_argument(
        "--listen", metavar="OUT.wav", type=Path, help="write what the verdict rests on, and all else to OUT-rest.wav"
    )
    explain.add_argument("--start", type=float, default=0.0, metavar="S", help="where the utterance begins, s")
    explain.add_argument("--end", type=float, metavar="S", help="where it ends, s")
    explain.add_argument("--against", metavar="LABEL", help="why the verdict rather than this label")
    explain.add_argument("--bundle", metavar="DIR", help="model bundle (default: the one that affectd ships)")
    explain.set_defaults(module="explain")

    check = commands.add_parser("check-config", help="every error of a configuration file at once")
    check.add_argument("file", type=Path, metavar="FILE")
    check.set_defaults(module="check_config")

    commands.add_parser("devices", help="microphones by name").set_defaults(module="devices")

    watch = commands.add_parser("watch", help="what daemons publish, live")
    watch.add_argument("--config", type=Path, metavar="FILE", help="take the broker from this configuration")
    watch.add_argument("--host", help="broker (default: the configuration's, else localhost)")
    watch.add_argument("--port", type=int, help="its port")
    watch.add_argument("--node", default="+", help="one node only (default: all)")
    watch.add_argument("--json", action="store_true", help="one JSON object a line, for machines")
    watch.set_defaults(module="watch")

    _add_upkeep(commands)

    demo = commands.add_parser("demo", help="a broker, the daemon and a listener to it, all in one terminal")
    demo.add_argument("--source", choices=("recording", "microphone"), default="recording", help="what to listen to")
    demo.add_argument("--config", type=Path, metavar="FILE", help="use this configuration and its broker")
    demo.add_argument("--json", action="store_true", help="one JSON object a line, for machines")
    demo.set_defaults(module="demo")

    bundle = commands.add_parser("bundle", help="verify or install a model bundle")
    bundle.set_defaults(module="bundle")
    actions = bundle.add_subparsers(title="actions", required=True, metavar="ACTION", dest="action")
    verify = actions.add_parser("verify", help="check a bundle as the daemon would")
    verify.add_argument("directory", type=Path, metavar="DIR")
    install = actions.add_parser("install", help="verify a bundle and swap it in, whole or not at all")
    install.add_argument("directory", type=Path, metavar="DIR")
    install.add_argument(
        "--to", type=Path, metavar="DIR", default=Path("/var/lib/affectd/bundle"), help="where (default: %(default)s)"
    )
    return parser


def _add_analyse(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    analyse = commands.add_parser(
        "analyse",
        help="the same over files: one JSON object a line",
        description="Prints one JSON object per utterance.",
    )
    analyse.add_argument("files", nargs="+", metavar="FILE", type=Path, help="audio: WAV, FLAC, OGG, MP3, ...")
    analyse.add_argument("--adapt", action="store_true", help="take the files as what one microphone heard, in order")
    analyse.add_argument("--whole", action="store_true", help="take each file as one utterance, as it is")
    analyse.add_argument(
        "--explain",
        choices=("families", "features", "time", "aspects", "all", "none"),
        help="what to explain with (default: families)",
    )
    analyse.add_argument("--against", metavar="LABEL", help="why the verdict rather than this label")
    analyse.add_argument("--bundle", metavar="DIR", help="model bundle (default: the one that affectd ships)")
    analyse.add_argument("--config", type=Path, metavar="FILE", help="take gate and model from this configuration")
    analyse.add_argument("--track", action="store_true", help="name the emotion every half second instead")
    analyse.add_argument("--output", type=Path, metavar="OUT", help="with --track: write here, as its ending says")
    analyse.add_argument(
        "--format",
        choices=("json", "csv", "vtt", "rttm", "png", "svg", "pdf"),
        help="with --track: what to write (default: by the ending of --output, else json)",
    )
    analyse.set_defaults(module="analyse")


def _add_voices(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """``voices`` alone lists them."""
    voices = commands.add_parser(
        "voices",
        parents=[_common(config=None, json=False)],
        help="who is told apart by voice: list, name, merge, forget, ignore",
        description="Asks the running daemon, whose voices.mode is publish. VOICE is an id, a name, or last.",
    )
    voices.set_defaults(module="voices", do="list")
    actions = voices.add_subparsers(title="actions", metavar="ACTION")
    for do, arguments, text in (
        ("list", (), "everybody, the most heard first (what is done without an action)"),
        ("name", ("id", "name"), "call a voice by a name"),
        ("merge", ("id", "into"), "the first is the second, too"),
        ("forget", ("id",), "forget one voice"),
        ("ignore", ("id",), "make no events of what it says"),
        ("hear", ("id",), "no longer ignore it; without a VOICE nobody"),
    ):
        action = actions.add_parser(do, parents=[_common()], help=text)
        action.set_defaults(do=do)
        for argument in arguments:
            action.add_argument(
                argument, metavar="NAME" if argument == "name" else "VOICE", nargs="?" if do == "hear" else None
            )


def _common(**defaults: object) -> argparse.ArgumentParser:
    """The options of ``voices`` and of its actions; those of an action leave alone what was said before it."""
    common = _Parser(add_help=False, argument_default=argparse.SUPPRESS)
    common.add_argument("--config", type=Path, metavar="FILE", help=f"YAML configuration (default: {DEFAULT_PATH})")
    common.add_argument("--json", action="store_true", help="one JSON object, for machines")
    common.set_defaults(**defaults)
    return common


def _add_upkeep(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    doctor = commands.add_parser("doctor", help="check everything, stage by stage, and say what to do")
    doctor.add_argument("--config", type=Path, metavar="FILE", help=f"YAML configuration (default: {DEFAULT_PATH})")
    doctor.add_argument("--only", type=_names, default=[], metavar="STAGE,...", help="these stages alone")
    doctor.add_argument("--unit", default="affectd.service", help="systemd unit to look at (default: %(default)s)")
    doctor.add_argument("--json", action="store_true", help="one JSON object, for machines")
    doctor.set_defaults(module="doctor.report")

    forget = commands.add_parser("forget", help="empty what was learnt of the voices it heard, and forget who they are")
    forget.add_argument("--config", type=Path, metavar="FILE", help=f"YAML configuration (default: {DEFAULT_PATH})")
    forget.set_defaults(module="forget")

    _add_voices(commands)

    app = commands.add_parser("app-config", help="in the Home Assistant app: its options as a configuration file")
    app.add_argument("--options", type=Path, metavar="FILE", default=Path("/data/options.json"), help="%(default)s")
    app.add_argument(
        "--to", type=Path, metavar="DIR", default=Path("/data/affectd"), help="where (default: %(default)s)"
    )
    app.add_argument("--supervisor", metavar="URL", default="http://supervisor", help="default: %(default)s")
    app.set_defaults(module="app_config")

    away = commands.add_parser(
        "withdraw",
        aliases=["uninstall"],
        help="clear what this node has left on the broker (as does `uninstall --clear`)",
    )
    away.add_argument("--clear", action="store_true", help="what it does in any case")
    away.add_argument("--config", type=Path, metavar="FILE", help=f"YAML configuration (default: {DEFAULT_PATH})")
    away.set_defaults(module="withdraw")
