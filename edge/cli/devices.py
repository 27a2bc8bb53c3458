"""``affectd devices``: microphones by name."""

import argparse

from edge.cli import output
from edge.errors import AffectdError
from edge.sources.microphone import list_microphones


def run(_options: argparse.Namespace) -> int:
    """List them, one a line. Raises AffectdError where there is none."""
    microphones = list_microphones()
    for microphone in microphones:
        default = "  (default)" if microphone.default else ""
        output.line(f"{microphone.name}  {microphone.channels} ch  {microphone.rate} Hz{default}")
    if not microphones:
        raise AffectdError("no microphone is visible: plug one in, and see that this user belongs to the group `audio`")
    return 0
