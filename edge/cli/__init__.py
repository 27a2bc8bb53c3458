"""The command ``affectd``."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from edge import __version__
from edge.config import DEFAULT_PATH, Config, MqttSettings, load
from edge.errors import AffectdError, UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# What a subcommand needs is imported when it runs: `affectd --help` should not wait for a neural network.


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand; returns the exit code: 0 done, 1 failed while running, 2 bad usage or configuration."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.run(options)
    except AffectdError as error:
        if options.debug:
            raise
        print("\n".join(f"affectd: {line}" for line in str(error).splitlines()), file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:  # the reader of our output has gone: nothing is left to say, or to say it to
        sys.stderr.close()
        return 1
    except KeyboardInterrupt:
        return 130
    return code


def _run(options: argparse.Namespace) -> int:
    from edge import log
    from edge.daemon.daemon import Daemon
    from edge.model.bundle import Bundle

    config = _config(options)
    log.configure(config.log_level)
    if Daemon(config, Bundle.load(_bundle(config.model.bundle))).run():
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 (asked to restart: the same again)
    return 0


def _analyse(options: argparse.Namespace) -> int:
    from edge.cli.analyse import analyse_files
    from edge.explain.explainer import PARTS

    config = load(options.config) if options.config else Config()
    return analyse_files(
        options.files,
        bundle=_bundle(options.bundle or config.model.bundle),
        gate=config.gate,
        threshold=config.model.threshold,
        whole=options.whole,
        parts=PARTS if options.explain == "all" else tuple(part for part in PARTS if part == options.explain),
        against=options.against,
        adapt=options.adapt,
    )


def _explain(options: argparse.Namespace) -> int:
    from edge import features
    from edge.explain import picture
    from edge.explain.explainer import Explainer
    from edge.model.bundle import Bundle
    from edge.model.classifier import Classifier
    from edge.sources.conversion import read_audio
    from edge.sources.highpass import high_passed

    classifier = Classifier(Bundle.load(_bundle(options.bundle)))
    explainer = Explainer(classifier)
    explainer.require_label(options.against)
    samples = _stretch(high_passed(read_audio(options.file)), options)
    frames = features.frames(samples, classifier.bundle.features)
    verdict = classifier.classify(frames)
    explanation = explainer.explain(frames, verdict, against=options.against)
    picture.save(picture.draw(samples, verdict, explanation, options.file.name), options.png)
    print(f"{options.png} shows why {options.file} sounds like {verdict.label}")
    return 0


def _stretch(samples: "NDArray[np.int16]", options: argparse.Namespace) -> "NDArray[np.int16]":
    """The part of a file from ``--start`` to ``--end``."""
    from edge.audio import SAMPLE_RATE

    length = len(samples) / SAMPLE_RATE
    end = length if options.end is None else options.end
    if not 0 <= options.start < min(end, length):
        raise UsageError(
            f"From {options.start:g} s to {end:g} s there is nothing of {options.file}, which lasts {length:.2f} s: "
            "choose --start and --end within it"
        )
    return samples[round(options.start * SAMPLE_RATE) : round(end * SAMPLE_RATE)]


def _check_config(options: argparse.Namespace) -> int:
    load(options.file)
    print(f"{options.file} is valid")
    return 0


def _devices(_options: argparse.Namespace) -> int:
    from edge.sources.microphone import list_microphones

    microphones = list_microphones()
    for microphone in microphones:
        default = "  (default)" if microphone.default else ""
        print(f"{microphone.name}  {microphone.channels} ch  {microphone.rate} Hz{default}")
    if not microphones:
        raise AffectdError("no microphone is visible: plug one in, and see that this user belongs to the group `audio`")
    return 0


def _watch(options: argparse.Namespace) -> int:
    import signal
    import threading

    from edge.cli.doctor.checks import with_credential
    from edge.cli.watch import Watcher

    config = load(options.config) if options.config else Config()
    overrides = {name: getattr(options, name) for name in ("host", "port") if getattr(options, name) is not None}
    settings = with_credential(_replaced(config.mqtt, overrides))
    watcher = Watcher(
        settings, options.node, lambda line: print(line, flush=True), as_json=options.json, colour=sys.stdout.isatty()
    )
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    watcher.start()
    stop.wait()
    watcher.stop()
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from edge.cli.doctor.report import report

    return report(_config(options), options.unit, options.only, as_json=options.json)


def _withdraw(options: argparse.Namespace) -> int:
    from edge.cli.doctor.checks import with_credential
    from edge.cli.withdraw import withdraw
    from edge.config.node import default_node
    from edge.mqtt.discovery import discovery_topic
    from edge.mqtt.topics import Topics

    config = _config(options)
    topics = Topics(config.mqtt.base, config.node or default_node())
    discovery = discovery_topic(topics.node, config.homeassistant.prefix)
    cleared = withdraw(with_credential(config.mqtt), topics.root, discovery)
    print(f"cleared {len(cleared)} retained topics of {topics.node} on {config.mqtt.host}")
    return 0


def _forget(options: argparse.Namespace) -> int:
    from edge.cli.doctor.checks import with_credential
    from edge.cli.forget import forget

    config = _config(options)
    print(forget(msgspec.structs.replace(config, mqtt=with_credential(config.mqtt))))
    return 0


def _demo(options: argparse.Namespace) -> int:
    from edge.cli.demo import demonstrate

    return demonstrate(source=options.source, config=options.config, as_json=options.json)


def _bundle_verify(options: argparse.Namespace) -> int:
    from edge.model.bundle import Bundle

    bundle = Bundle.load(options.directory)
    print(f"{options.directory} is a valid bundle: {bundle.name}, {bundle.digest}, labels {', '.join(bundle.labels)}")
    return 0


def _bundle_install(options: argparse.Namespace) -> int:
    from edge.model.bundle import install

    install(options.directory, options.to)
    print(f"{options.directory} is installed in {options.to}")
    return 0


def _config(options: argparse.Namespace) -> Config:
    if options.config is None and not DEFAULT_PATH.exists():
        print(
            f"affectd: {DEFAULT_PATH} does not exist, so the defaults hold: microphone, broker on localhost",
            file=sys.stderr,
        )
        return Config()
    return load(options.config or DEFAULT_PATH)


def _bundle(folder: str | Path | None) -> Path:
    from edge.model.bundle import DEFAULT

    return DEFAULT if folder is None else Path(folder)


def _replaced(settings: MqttSettings, overrides: dict[str, object]) -> MqttSettings:
    return msgspec.structs.replace(settings, **overrides)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="affectd",
        description="Hears how people sound, says why, and publishes it over MQTT. No audio is stored or sent.",
    )
    parser.add_argument("--version", action="version", version=f"affectd {__version__}")
    parser.add_argument("--debug", action="store_true", help="show the trace of an error")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="the daemon: listen, understand, publish")
    run.add_argument("--config", type=Path, metavar="FILE", help=f"YAML configuration (default: {DEFAULT_PATH})")
    run.set_defaults(run=_run)

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
        choices=("families", "features", "time", "all", "none"),
        default="families",
        help="what to explain with",
    )
    analyse.add_argument("--against", metavar="LABEL", help="why the verdict rather than this label")
    analyse.add_argument("--bundle", metavar="DIR", help="model bundle (default: the one that affectd ships)")
    analyse.add_argument("--config", type=Path, metavar="FILE", help="take gate and model from this configuration")
    analyse.set_defaults(run=_analyse)

    explain = commands.add_parser("explain", help="a picture of why a file sounds as it does")
    explain.add_argument("file", metavar="FILE", type=Path, help="audio of one utterance")
    explain.add_argument("--png", metavar="OUT", type=Path, required=True, help="the picture to write")
    explain.add_argument("--start", type=float, default=0.0, metavar="S", help="where the utterance begins, s")
    explain.add_argument("--end", type=float, metavar="S", help="where it ends, s")
    explain.add_argument("--against", metavar="LABEL", help="why the verdict rather than this label")
    explain.add_argument("--bundle", metavar="DIR", help="model bundle (default: the one that affectd ships)")
    explain.set_defaults(run=_explain)

    check = commands.add_parser("check-config", help="every error of a configuration file at once")
    check.add_argument("file", type=Path, metavar="FILE")
    check.set_defaults(run=_check_config)

    commands.add_parser("devices", help="microphones by name").set_defaults(run=_devices)

    watch = commands.add_parser("watch", help="what daemons publish, live")
    watch.add_argument("--config", type=Path, metavar="FILE", help="take the broker from this configuration")
    watch.add_argument("--host", help="broker (default: the configuration's, else localhost)")
    watch.add_argument("--port", type=int, help="its port")
    watch.add_argument("--node", default="+", help="one node only (default: all)")
    watch.add_argument("--json", action="store_true", help="one JSON object a line, for machines")
    watch.set_defaults(run=_watch)

    _add_upkeep(commands)

    demo = commands.add_parser("demo", help="a broker, the daemon and a listener to it, all in one terminal")
    demo.add_argument("--source", choices=("recording", "microphone"), default="recording", help="what to listen to")
    demo.add_argument("--config", type=Path, metavar="FILE", help="use this configuration and its broker")
    demo.add_argument("--json", action="store_true", help="one JSON object a line, for machines")
    demo.set_defaults(run=_demo)

    bundle = commands.add_parser("bundle", help="verify or install a model bundle")
    actions = bundle.add_subparsers(title="actions", required=True, metavar="ACTION")
    verify = actions.add_parser("verify", help="check a bundle as the daemon would")
    verify.add_argument("directory", type=Path, metavar="DIR")
    verify.set_defaults(run=_bundle_verify)
    install = actions.add_parser("install", help="verify a bundle and swap it in, whole or not at all")
    install.add_argument("directory", type=Path, metavar="DIR")
    install.add_argument(
        "--to", type=Path, metavar="DIR", default=Path("/var/lib/affectd/bundle"), help="where (default: %(default)s)"
    )
    install.set_defaults(run=_bundle_install)
    return parser


def _add_upkeep(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    doctor = commands.add_parser("doctor", help="check everything, stage by stage, and say what to do")
    doctor.add_argument("--config", type=Path, metavar="FILE", help=f"YAML configuration (default: {DEFAULT_PATH})")
    doctor.add_argument("--only", type=_names, default=[], metavar="STAGE,...", help="these stages alone")
    doctor.add_argument("--unit", default="affectd.service", help="systemd unit to look at (default: %(default)s)")
    doctor.add_argument("--json", action="store_true", help="one JSON object, for machines")
    doctor.set_defaults(run=_doctor)

    forget = commands.add_parser("forget", help="empty what the adapter has learnt of the voices it heard")
    forget.add_argument("--config", type=Path, metavar="FILE", help=f"YAML configuration (default: {DEFAULT_PATH})")
    forget.set_defaults(run=_forget)

    away = commands.add_parser(
        "withdraw",
        aliases=["uninstall"],
        help="clear what this node has left on the broker (as does `uninstall --clear`)",
    )
    away.add_argument("--clear", action="store_true", help="what it does in any case")
    away.add_argument("--config", type=Path, metavar="FILE", help=f"YAML configuration (default: {DEFAULT_PATH})")
    away.set_defaults(run=_withdraw)
