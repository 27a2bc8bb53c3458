"""The command line as values, taken from its parser: what the manual page and the shells' completion are made from."""

import argparse
from dataclasses import dataclass


@dataclass(frozen=True)
class Option:
    """An option, or with no ``flags`` a positional argument; ``value`` is its placeholder, empty for a switch."""

    flags: tuple[str, ...]
    value: str
    choices: tuple[str, ...]
    meaning: str


@dataclass(frozen=True)
class Command:
    """A command or subcommand; ``names`` are its own name and its aliases."""

    names: tuple[str, ...]
    meaning: str
    options: tuple[Option, ...]
    arguments: tuple[Option, ...]
    commands: tuple["Command", ...]


def read(parser: argparse.ArgumentParser, names: tuple[str, ...] = (), meaning: str = "") -> Command:
    """The command that ``parser`` parses."""
    options, arguments, commands = [], [], []
    for action in parser._actions:  # argparse has no public way to ask
        if isinstance(action, argparse._SubParsersAction):
            commands = [_subcommand(action, one) for one in action._choices_actions]
        elif action.option_strings:
            options.append(_option(action))
        else:
            arguments.append(_option(action))
    meaning = meaning or parser.description or ""
    return Command(names or (parser.prog,), meaning, tuple(options), tuple(arguments), tuple(commands))


def _subcommand(within: "argparse._SubParsersAction[argparse.ArgumentParser]", entry: argparse.Action) -> Command:
    parser = within.choices[entry.dest]
    names = tuple(name for name, one in within.choices.items() if one is parser)
    return read(parser, names, entry.help or "")


def _option(action: argparse.Action) -> Option:
    choices = tuple(map(str, action.choices or ()))
    value = "" if action.nargs == 0 else _placeholder(action, choices)
    meaning = (action.help or "").replace("%(default)s", str(action.default))
    return Option(tuple(action.option_strings), value, choices, meaning)


def _placeholder(action: argparse.Action, choices: tuple[str, ...]) -> str:
    name = action.metavar if isinstance(action.metavar, str) else "|".join(choices) or action.dest.upper()
    return f"{name}..." if action.nargs == "+" else name
