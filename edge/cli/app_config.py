"""``affectd app-config``: in the Home Assistant app, the options of its form as a configuration file."""

import argparse
import json
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path

import msgspec
import yaml

from edge.cli import output
from edge.config import app
from edge.errors import AffectdError, UsageError
from edge.files import replace

_PATIENCE_S = 30


class _Answer(msgspec.Struct):
    data: app.MqttService


def run(options: argparse.Namespace) -> int:
    """Write ``config.yaml``, and the broker's password beside it. Raises UsageError and ConfigError as `run` does."""
    chosen = _read(options.options)
    service = None if app.names_a_broker(chosen) else _mqtt_service(options.supervisor)
    made = app.configuration(chosen, service, str(options.to))
    if made.remark:
        print(f"affectd: {made.remark}", file=sys.stderr)
    os.umask(0o077)  # the password is for this user alone
    options.to.mkdir(parents=True, exist_ok=True)
    if made.password is not None:
        replace(options.to / app.PASSWORD_FILE, made.password.encode(), 0o600)
    path = options.to / "config.yaml"
    replace(path, yaml.safe_dump(made.document, allow_unicode=True).encode())
    output.line(f"{output.file_name(path)} is written")
    return 0


def _read(path: Path) -> dict[str, object]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read ({error}): it must be the options of the Home Assistant app") from None
    if not isinstance(found, dict):
        raise UsageError(f"{path} is no mapping: it must be the options of the Home Assistant app")
    return found


def _mqtt_service(supervisor: str) -> app.MqttService | None:
    """The broker that the Supervisor offers; None where it has none."""
    token = os.environ.get("SUPERVISOR_TOKEN")
    if not token:
        raise UsageError("SUPERVISOR_TOKEN is not set: `affectd app-config` is for the Home Assistant app alone")
    request = urllib.request.Request(f"{supervisor}/services/mqtt", headers={"Authorization": f"Bearer {token}"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=_PATIENCE_S) as answer:  # noqa: S310 (the Supervisor's address)
            return msgspec.json.decode(answer.read(), type=_Answer).data
    except urllib.error.HTTPError as error:
        if error.code == 400:  # "Service not enabled"
            return None
        raise AffectdError(
            f"the Supervisor does not say which MQTT broker there is ({error}): name one as mqtt.host in the "
            "configuration of this app"
        ) from None
    except (OSError, msgspec.MsgspecError) as error:
        raise AffectdError(
            f"the Supervisor gave no usable answer about the MQTT broker ({error}): restart the app, or name a broker "
            "as mqtt.host in its configuration"
        ) from None
