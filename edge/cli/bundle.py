"""``affectd bundle``: verify or install a model bundle."""

import argparse

from edge.cli import output
from edge.model.bundle import Bundle, install


def run(options: argparse.Namespace) -> int:
    """Do the action that was asked for. Raises BundleError where the bundle is refused or cannot be written."""
    source = output.file_name(options.directory)
    if options.action == "install":
        install(options.directory, options.to)
        output.line(f"{source} is installed in {output.file_name(options.to)}")
    else:
        bundle = Bundle.load(options.directory)
        output.line(f"{source} is a valid bundle: {bundle.name}, {bundle.digest}, labels {', '.join(bundle.labels)}")
    return 0
