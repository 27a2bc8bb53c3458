"""``affectd run``: the daemon."""

import argparse
import os
import sys
from pathlib import Path

from edge import log
from edge.cli import configuration
from edge.daemon.daemon import Daemon
from edge.model.bundle import DEFAULT, Bundle


def run(options: argparse.Namespace) -> int:
    """Serve until the source ends or a signal arrives; a restart that was asked for replaces this process."""
    config = configuration.read(options)
    log.configure(config.log_level)
    if Daemon(config, Bundle.load(Path(config.model.bundle or DEFAULT))).run():
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 (asked to restart: the same again)
    return 0
