"""The configuration as a person's command takes it: the file, its default, the password that the daemon would use."""

import argparse
import os
import sys
from pathlib import Path

import msgspec

from edge.config import DEFAULT_PATH, Config, MqttSettings, load

CREDENTIAL = Path("/etc/credstore/affectd.mqtt-password")  # what LoadCredential= of the unit reads


def read(options: argparse.Namespace) -> Config:
    """The file of ``--config``, else the default one; where that is absent, stderr says so and the defaults hold."""
    if options.config is None and not DEFAULT_PATH.exists():
        print(
            f"affectd: {DEFAULT_PATH} does not exist, so the defaults hold: microphone, broker on localhost",
            file=sys.stderr,
        )
        return Config()
    return load(options.config or DEFAULT_PATH)


def broker(settings: MqttSettings) -> MqttSettings:
    """Settings for a command that a person runs: with the password that systemd gives the unit, if it may be read."""
    if settings.username is None or settings.password_file is not None or "CREDENTIALS_DIRECTORY" in os.environ:
        return settings
    if not os.access(CREDENTIAL, os.R_OK):
        return settings
    return msgspec.structs.replace(settings, password_file=str(CREDENTIAL))
