"""What commands ask a running daemon over MQTT."""

import secrets

import msgspec

from edge.config import Config
from edge.config.node import default_node
from edge.errors import AffectdError, UsageError
from edge.mqtt.client import Client
from edge.mqtt.topics import Topics


def ask(config: Config, verb: str, **body: str | None) -> bytes:
    """The result of a request to the configured node, as JSON; ``null`` where it has none.

    UsageError with the daemon's own sentence where it refuses, AffectdError where it does not answer.
    """
    topics = Topics(config.mqtt.base, config.node or default_node())
    transaction = secrets.token_hex(8)
    said = {name: value for name, value in body.items() if value is not None}
    with Client(config.mqtt, verb) as client:
        client.subscribe(topics.name(f"response/{verb}"))
        client.publish(topics.name(f"request/{verb}"), msgspec.json.encode({"transaction": transaction, **said}))
        try:
            while (response := _answer(client.receive().payload)) is None or response.transaction != transaction:
                pass
        except AffectdError:
            raise AffectdError(
                f"the daemon {topics.node} does not answer at {config.mqtt.host}:{config.mqtt.port}: start it, or see "
                "its log"
            ) from None
    if not response.ok:
        raise UsageError(response.error or f"the daemon {topics.node} refuses, and does not say why")
    return bytes(response.result)


class _Answer(msgspec.Struct):
    """What is read of ``edge.mqtt.topics.Response``, whose result may be anything."""

    transaction: str | None
    ok: bool
    error: str | None
    result: msgspec.Raw


def _answer(payload: bytes) -> _Answer | None:
    """The response in a message; None for anything else."""
    try:
        return msgspec.json.decode(payload, type=_Answer)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
