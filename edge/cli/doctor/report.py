"""``affectd doctor``: from the libraries to the broker, what works, what does not, and what to do about it."""

import argparse
import sys
from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple

import msgspec

from edge.cli import configuration, output
from edge.cli.doctor import checks
from edge.cli.doctor import findings as verdicts
from edge.cli.doctor.findings import Finding
from edge.config import Config
from edge.errors import UsageError


class _Stage(NamedTuple):
    needs: frozenset[str]
    """Stages that make no sense to ask for this one when they failed."""
    check: Callable[[Config, str, checks.Say], Iterator[Finding]]


_STAGES = {
    "runtime": _Stage(frozenset(), checks.runtime),
    "bundle": _Stage(frozenset({"runtime"}), checks.bundle),
    "cpu": _Stage(frozenset(), checks.processor),
    "speed": _Stage(frozenset({"runtime", "bundle"}), checks.speed),
    "microphones": _Stage(frozenset(), checks.microphones),
    "sound": _Stage(frozenset({"runtime", "microphones"}), checks.sound),
    "broker": _Stage(frozenset(), checks.broker),
    "clock": _Stage(frozenset(), checks.clock),
    "disk": _Stage(frozenset(), checks.disk),
    "unit": _Stage(frozenset(), checks.service),
}
STAGES = tuple(_STAGES)

_SIGNS = {"ok": ("ok  ", "32"), "warn": ("warn", "33"), "fail": ("FAIL", "31"), "skip": ("skip", "2")}  # SGR colours


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """What ``--json`` prints."""

    healthy: bool
    findings: list[Finding]


def run(options: argparse.Namespace) -> int:
    """Examine what the configuration names; returns the exit code of ``report``."""
    return report(configuration.read(options), options.unit, options.only, as_json=options.json)


def examine(config: Config, unit: str, only: Collection[str], say: checks.Say) -> Iterator[Finding]:
    """The findings of each stage, in the order of ``STAGES``; ``only`` names some of them, or none for all.

    ``unit`` is the systemd unit to look at; ``say`` hears what a person should do or see meanwhile.
    """
    unknown = sorted(set(only) - set(STAGES))
    if unknown:
        raise UsageError(f"there is no stage {', '.join(unknown)}; there are {', '.join(STAGES)}")
    failed: set[str] = set()
    for name, stage in _STAGES.items():
        if only and name not in only:
            continue
        lacking = sorted(failed & stage.needs)
        findings = iter([verdicts.skip(name, f"needs {lacking[0]}")]) if lacking else stage.check(config, unit, say)
        for finding in findings:
            if finding.verdict == "fail":
                failed.add(name)
            yield finding


def report(config: Config, unit: str, only: Collection[str], *, as_json: bool) -> int:
    """Print each finding as it comes, or all as one JSON object; returns the exit code: 1 if any stage failed."""
    findings = []
    colour = sys.stdout is not None and sys.stdout.isatty()
    say = _say if sys.stderr is not None and sys.stderr.isatty() and not as_json else _hush
    for finding in examine(config, unit, only, say):
        findings.append(finding)
        if not as_json:
            output.line(line(finding, colour=colour))
    healthy = all(finding.verdict != "fail" for finding in findings)
    if as_json:
        output.json(msgspec.json.encode(Diagnosis(healthy=healthy, findings=findings)))
    return 0 if healthy else 1


def line(finding: Finding, *, colour: bool) -> str:
    """A finding for a terminal: its verdict, its stage, what was found, and below what to do."""
    sign, code = _SIGNS[finding.verdict]
    sign = f"\x1b[{code}m{sign}\x1b[0m" if colour else sign
    text = f"{sign}  {finding.stage:<14}  {finding.found}"
    return f"{text}\n      {'':<14}  -> {finding.todo}" if finding.todo else text


def _say(text: str) -> None:
    print(text, end="" if text.startswith("\r") else "\n", file=sys.stderr, flush=True)


def _hush(_text: str) -> None:
    """Nobody watches."""
