"""``affectd voices``: who is told apart by the running daemon, and what its owner wants of them."""

import argparse

import msgspec

from edge.cli import configuration, output
from edge.cli.request import ask
from edge.daemon.voices import Known, KnownVoices

_ASKED = ("id", "name", "into")


def run(options: argparse.Namespace) -> int:
    """Ask the daemon, and show who is known then. Raises AffectdError where it does not answer or refuses."""
    config = configuration.read(options)
    config = msgspec.structs.replace(config, mqtt=configuration.broker(config.mqtt))
    asked = {name: getattr(options, name, None) for name in _ASKED}
    result = ask(config, "voices", do=options.do, **asked)
    if options.json:
        output.json(result)
        return 0
    known = msgspec.json.decode(result, type=KnownVoices)
    for line in _lines(known):
        output.line(line)
    return 0


def _lines(known: KnownVoices) -> list[str]:
    """One line for each voice."""
    if not known.voices:
        return ["nobody is known yet: a voice is founded by two utterances that are alike"]
    width = max(len(one.name) for one in known.voices)
    return [_line(one, width, last=one.id == known.last) for one in known.voices]


def _line(one: Known, width: int, *, last: bool) -> str:
    times = "utterance" if one.utterances == 1 else "utterances"
    remarks = [remark for remark, holds in (("ignored", one.ignored), ("heard last", last)) if holds]
    name = f"{output.printable(one.name):<{width}}  " if width else ""
    return f"{one.id:<5}{name}{one.utterances:>6} {times}{'  ' if remarks else ''}{', '.join(remarks)}"
