"""Emptying the adapter from outside: through the daemon while it runs, else on the disk."""

import os
import queue
import secrets

import msgspec
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from edge.config import Config
from edge.config.node import default_node
from edge.daemon.state import lock, state_folder
from edge.errors import AffectdError, UsageError
from edge.model.adapter_store import FILE_NAME
from edge.mqtt.credentials import authenticate
from edge.mqtt.topics import Topics

_TIMEOUT_S = 10.0


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
    where = f"{config.mqtt.host}:{config.mqtt.port}"
    transaction = secrets.token_hex(8)
    request = msgspec.json.encode({"transaction": transaction})
    answered: queue.Queue[bytes] = queue.Queue()
    client = paho.Client(CallbackAPIVersion.VERSION2, f"affectd-forget-{transaction}")
    authenticate(client, config.mqtt)

    def subscribe(*_: object) -> None:
        client.subscribe(f"{topics.root}/response/forget", qos=1)

    def publish(*_: object) -> None:
        client.publish(f"{topics.root}/request/forget", request, qos=1)

    client.on_connect, client.on_subscribe = subscribe, publish
    client.on_message = lambda _client, _data, message: answered.put(bytes(message.payload))
    try:
        client.connect(config.mqtt.host, config.mqtt.port)
    except OSError as error:
        raise AffectdError(
            f"the broker {where} cannot be reached ({error}): start it, or stop the daemon first"
        ) from None
    client.loop_start()
    try:
        while transaction not in answered.get(timeout=_TIMEOUT_S).decode(errors="replace"):
            pass
    except queue.Empty:
        raise AffectdError(
            f"the daemon {topics.node} does not answer at {where}: see its log, or stop it first"
        ) from None
    finally:
        client.disconnect()
        client.loop_stop()
