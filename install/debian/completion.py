"""Completion of the command line for bash(1) and zsh(1), from the parser."""

from collections.abc import Iterator

from install.debian.commands import Command, Option

_BASH = """\
# bash completion for affectd. Where nothing below fits, bash completes file names.
_affectd() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD - 1]}} command= word
    for word in "${{COMP_WORDS[@]:1:COMP_CWORD - 1}}"; do
        case "$command $word" in
{commands}
        esac
    done
    case "$command $previous" in
{values}
    esac
    case "$command" in
{words}
    esac
}}
complete -o default -F _affectd affectd
"""
_ZSH = """\
#compdef affectd
# zsh completion for affectd: the words of bash's, and file names.
autoload -U +X bashcompinit && bashcompinit
source /usr/share/bash-completion/completions/affectd
"""


def bash(affectd: Command) -> str:
    """The script for /usr/share/bash-completion/completions."""
    everything = list(_walk(affectd, ""))
    return _BASH.format(
        commands="\n".join(
            f"        '{path} {name}') command='{f'{path} {sub.names[0]}'.strip()}' ;;"
            for path, command in everything for sub in command.commands for name in sub.names
        ),
        values="\n".join(
            _values(path, option) for path, command in everything for option in command.options if option.value
        ),
        words="\n".join(
            f"    '{path}') mapfile -t COMPREPLY < <(compgen -W '{_words(command)}' -- \"$current\") ;;"
            for path, command in everything
        ),
    )  # fmt: skip


def zsh() -> str:
    """The script for /usr/share/zsh/vendor-completions."""
    return _ZSH


def _walk(command: Command, path: str) -> Iterator[tuple[str, Command]]:
    yield path, command
    for sub in command.commands:
        yield from _walk(sub, f"{path} {sub.names[0]}".strip())


def _values(path: str, option: Option) -> str:
    """What follows an option: its choices, or (an empty reply) file names."""
    patterns = " | ".join(f"'{path} {flag}'" for flag in option.flags)
    if not option.choices:
        return f"    {patterns}) return ;;"
    return (
        f"    {patterns}) mapfile -t COMPREPLY < <(compgen -W '{' '.join(option.choices)}' -- \"$current\"); return ;;"
    )


def _words(command: Command) -> str:
    subcommands = [name for sub in command.commands for name in sub.names]
    return " ".join(subcommands + [flag for option in command.options for flag in option.flags])
