"""``affectd run``: the daemon."""

import argparse
import os
import sys

from edge import log
from edge.cli import configuration
from edge.daemon.daemon import Daemon, unused_graphs
from edge.model.bundle import Bundle
from edge.model.choice import bundle_folder


def run(options: argparse.Namespace) -> int:
    """Serve until the source ends or a signal arrives; a restart that was asked for replaces this process."""
    config = configuration.read(options)
    logger = log.configure(config.log_level)
    folder, reason = bundle_folder(config.model.bundle)
    daemon = Daemon(config, Bundle.load(folder, unused=unused_graphs(config)))
    logger.info(log.line("bundle", folder=folder, reason=reason))
    if daemon.run():
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 (asked to restart: the same again)
    return 0
