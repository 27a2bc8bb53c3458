"""``affectd withdraw``: clear what a node has left on its broker: its retained messages and its discovery."""

import argparse

from edge.cli import configuration, output
from edge.config import MqttSettings
from edge.config.node import default_node
from edge.mqtt.client import Client
from edge.mqtt.discovery import discovery_topic, former_discovery_topic, is_ours
from edge.mqtt.topics import Topics


def run(options: argparse.Namespace) -> int:
    """Clear the configured node's topics and say how many there were."""
    config = configuration.read(options)
    topics = Topics(config.mqtt.base, config.node or default_node())
    prefix = config.homeassistant.prefix
    discovery, former = discovery_topic(topics.node, prefix), former_discovery_topic(topics.node, prefix)
    cleared = withdraw(configuration.broker(config.mqtt), topics.root, discovery, former)
    output.line(f"cleared {len(cleared)} retained topics of {topics.node} on {config.mqtt.host}")
    return 0


def withdraw(settings: MqttSettings, root: str, discovery: str, former: str | None = None) -> list[str]:
    """Empty the retained topics under ``root`` and the topic ``discovery``; returns those that were there.

    ``former``, where earlier versions announced themselves, is emptied if affectd has filled it. Raises AffectdError
    when the broker cannot be asked.
    """
    with Client(settings, "withdraw") as client:
        found = client.retained(f"{root}/#", discovery, *([former] if former else []), marker=f"{root}/withdraw")
        retained = sorted(topic for topic, payload in found.items() if topic != former or is_ours(payload))
        for topic in retained:
            client.publish(topic, b"", retain=True)
    return retained
