"""``affectd forget``: empty the adapter and forget all voices, through the daemon while it runs, else on the disk."""

import argparse
import os
from pathlib import Path

import msgspec

from edge.cli import configuration, output
from edge.cli.request import ask
from edge.config import Config
from edge.config.node import default_node
from edge.daemon.state import lock, state_folder
from edge.errors import AffectdError, UsageError
from edge.model import adapter_store, voice_store

LEARNT = (adapter_store.FILE_NAME, voice_store.FILE_NAME)
"""The files of what was learnt of voices."""


def run(options: argparse.Namespace) -> int:
    """Make the configured node forget, and say what was done."""
    config = configuration.read(options)
    output.line(forget(msgspec.structs.replace(config, mqtt=configuration.broker(config.mqtt))))
    return 0


def forget(config: Config) -> str:
    """Make the node forget; returns what was done, in a sentence. AffectdError where the daemon does not answer."""
    node = config.node or default_node()
    folder = state_folder(config.state_directory, node)
    if not folder.exists():
        return f"{node} has learnt nothing: {folder} does not exist"
    try:
        descriptor = lock(folder)
    except UsageError:  # a daemon holds it
        ask(config, "forget")
        return f"the daemon {node} has forgotten"
    try:
        for name in LEARNT:
            _remove(folder / name)
    finally:
        if descriptor is not None:
            os.close(descriptor)
    return f"{node} has forgotten: {' and '.join(LEARNT)} in {folder} are gone"


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise AffectdError(f"{path} cannot be removed ({error.strerror}): run this as its owner") from None
