"""``affectd check-config``: every error of a configuration file at once."""

import argparse

from edge.cli import output
from edge.config import load


def run(options: argparse.Namespace) -> int:
    """Say that the file is valid. Raises ConfigError with a sentence for each error in it."""
    load(options.file)
    output.line(f"{output.file_name(options.file)} is valid")
    return 0
