"""``affectd withdraw``: clear what a node has left on its broker: its retained messages and its discovery."""

import argparse

from edge.cli import configuration, output
from edge.config import MqttSettings
from edge.config.node import default_node
from edge.mqtt.client import Client
from edge.mqtt.discovery import discovery_topic
from edge.mqtt.topics import Topics


def run(options: argparse.Namespace) -> int:
    """Clear the configured node's topics and say how many there were."""
    config = configuration.read(options)
    topics = Topics(config.mqtt.base, config.node or default_node())
    discovery = discovery_topic(topics.node, config.homeassistant.prefix)
    cleared = withdraw(configuration.broker(config.mqtt), topics.root, discovery)
    output.line(f"cleared {len(cleared)} retained topics of {topics.node} on {config.mqtt.host}")
    return 0


def withdraw(settings: MqttSettings, root: str, discovery: str) -> list[str]:
    """Empty the retained topics under ``root`` and the topic ``discovery``; returns those that were there.

    Raises AffectdError when the broker cannot be asked.
    """
    with Client(settings, "withdraw") as client:
        retained = sorted(client.retained(f"{root}/#", discovery, marker=f"{root}/withdraw"))
        for topic in retained:
            client.publish(topic, b"", retain=True)
    return retained
