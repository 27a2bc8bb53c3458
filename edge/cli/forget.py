"""``affectd forget``: empty the adapter, through the daemon while it runs, else on the disk."""

import argparse
import os
import secrets

import msgspec

from edge.cli import configuration, output
from edge.config import Config
from edge.config.node import default_node
from edge.daemon.state import lock, state_folder
from edge.errors import AffectdError, UsageError
from edge.model.adapter_store import FILE_NAME
from edge.mqtt.client import Client
from edge.mqtt.topics import Topics


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
        _ask(config, Topics(config.mqtt.base, node))
        return f"the daemon {node} has forgotten"
    try:
        (folder / FILE_NAME).unlink(missing_ok=True)
    except OSError as error:
        raise AffectdError(
            f"{folder / FILE_NAME} cannot be removed ({error.strerror}): run this as its owner"
        ) from None
    finally:
        if descriptor is not None:
            os.close(descriptor)
    return f"{node} has forgotten: {folder / FILE_NAME} is gone"


def _ask(config: Config, topics: Topics) -> None:
    """Ask the daemon over MQTT, and wait for its answer to this very request."""
    where = f"{config.mqtt.host}:{config.mqtt.port}"
    transaction = secrets.token_hex(8)
    with Client(config.mqtt, "forget") as client:
        client.subscribe(topics.name("response/forget"))
        client.publish(topics.name("request/forget"), msgspec.json.encode({"transaction": transaction}))
        try:
            while transaction.encode() not in client.receive().payload:
                pass
        except AffectdError:
            raise AffectdError(
                f"the daemon {topics.node} does not answer at {where}: see its log, or stop it first"
            ) from None
