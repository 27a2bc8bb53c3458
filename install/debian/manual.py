"""The manual pages, in roff(7): affectd(1) from the parser, affectd.yaml(5) from the schema."""

import datetime
import re
from collections.abc import Sequence

from edge.config.schema import Setting
from install.debian.commands import Command, Option

_FILES = """\
.SH FILES
.TP
.I /etc/affectd/config.yaml
The configuration; see
.BR affectd.yaml (5).
.TP
.I /etc/credstore/affectd.mqtt\\-password
The broker's password, which systemd passes to the service.
.TP
.I /var/lib/affectd
Journal, settings and what the adapter has learnt.
.SH EXIT STATUS
.TP
.B 0
Done.
.TP
.B 1
Failed while running.
.TP
.B 2
Bad usage or configuration.
.SH SEE ALSO
.BR affectd.yaml (5),
.BR systemctl (1),
.IR /usr/share/doc/affectd/guide.md
"""
_RULES = """\
.SH DESCRIPTION
One YAML file; every key is optional.
.B affectd check\\-config
.I FILE
names every error in it at once, with its path.
A key that is not listed here is an error.
A dot stands for a level:
.B mqtt.host
is the key
.B host
in the mapping
.BR mqtt .
.SH KEYS
"""
_EXAMPLE = """\
.SH EXAMPLE
.nf
node: kitchen
source:
  kind: microphone
mqtt:
  host: 192.168.1.10
  username: affectd
.fi
.SH FILES
.TP
.I /etc/affectd/config.yaml
Of the service
.BR affectd .
.TP
.IR /etc/affectd/ NAME .yaml
Of the service
.BR affectd@ NAME ,
for a further microphone.
.SH SEE ALSO
.BR affectd (1)
"""


def command(affectd: Command, version: str, day: datetime.date) -> str:
    """affectd(1)."""
    lines = [
        _title("AFFECTD", 1, version, day, "User Commands"),
        ".SH NAME\naffectd \\- hears how people sound and publishes it over MQTT\n",
        ".SH SYNOPSIS\n.B affectd\n[\\fIOPTION\\fR] \\fICOMMAND\\fR [\\fIARGUMENT\\fR...]\n",
        f".SH DESCRIPTION\n{_text(affectd.meaning)}\n",
        ".SH OPTIONS\n",
        *map(_option, affectd.options),
        ".SH COMMANDS\n",
        *(part for one in affectd.commands for part in _subcommand(one, "")),
        _FILES,
    ]
    return "".join(lines)


def configuration(settings: Sequence[Setting], version: str, day: datetime.date) -> str:
    """affectd.yaml(5)."""
    return "".join([
        _title("AFFECTD.YAML", 5, version, day, "File Formats"),
        ".SH NAME\naffectd.yaml \\- configuration of affectd\n",
        ".SH SYNOPSIS\n.I /etc/affectd/config.yaml\n",
        _RULES,
        *(
            f".TP\n.B {_text(one.key)}\n{_text(one.meaning)}.\nAllowed: {_text(one.allowed)}.\n"
            f"Default: {_text(one.default)}.\n"
            for one in settings
        ),
        _EXAMPLE,
    ])  # fmt: skip


def _title(name: str, section: int, version: str, day: datetime.date, volume: str) -> str:
    return f'.TH {name} {section} "{day}" "affectd {version}" "{volume}"\n'


def _subcommand(one: Command, within: str) -> list[str]:
    name = f"{within} {one.names[0]}".strip()
    usage = " ".join([
        *(f"[{_flags(option)}]" for option in one.options if "-h" not in option.flags),
        *(f"\\fI{_text(argument.value)}\\fR" for argument in one.arguments),
    ])  # fmt: skip
    also = f" Also called {', '.join(f'`{alias}`' for alias in one.names[1:])}." if one.names[1:] else ""
    meaning = _sentence(one.meaning) + also
    head = [] if one.commands else [f".SS affectd {_text(name)} {usage}\n{_text(meaning)}\n"]
    options = [
        _option(option) for option in [*one.arguments, *one.options] if option.meaning and "-h" not in option.flags
    ]
    return head + ([] if one.commands else options) + [part for sub in one.commands for part in _subcommand(sub, name)]


def _option(option: Option) -> str:
    label = _flags(option) if option.flags else f"\\fI{_text(option.value)}\\fR"
    return f".TP\n{label}\n{_text(_sentence(option.meaning))}\n"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


def _flags(option: Option) -> str:
    flags = ", ".join(f"\\fB{_text(flag)}\\fR" for flag in option.flags)
    return f"{flags} \\fI{_text(option.value)}\\fR" if option.value else flags


def _text(text: str) -> str:
    """Plain text as roff: hyphens that can be copied, no accidental requests, code between backquotes in bold."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("^", "\\(ha").replace("~", "\\(ti")
    escaped = re.sub(r"`([^`]+)`", r"\\fB\1\\fR", escaped)
    return "\\&" + escaped if escaped.startswith((".", "'")) else escaped
