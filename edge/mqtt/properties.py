"""What MQTT 5 says beside topic and payload, to and from paho's way of saying it."""

from paho.mqtt.client import MQTTMessage
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge.mqtt.topics import Incoming, Message

SESSION_EXPIRY_S = 3600  # the broker keeps our subscriptions, and commands for us, for so long
WILL_DELAY_S = 5  # a connection that comes back within it was never `offline` to anyone
RECEIVE_MAXIMUM = 20  # commands that the broker may send before we have acknowledged one


def of_connect() -> Properties:
    """How long the session lasts without us, and how much may be in flight towards us."""
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = SESSION_EXPIRY_S
    properties.ReceiveMaximum = RECEIVE_MAXIMUM
    return properties


def of_will() -> Properties:
    """When the broker speaks our last will."""
    properties = Properties(PacketTypes.WILLMESSAGE)  # type: ignore[no-untyped-call]
    properties.WillDelayInterval = WILL_DELAY_S
    return properties


def of_publish(message: Message) -> Properties | None:
    """None where there is nothing to say."""
    if not (message.expiry_s or message.user_properties or message.correlation):
        return None
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    if message.expiry_s:
        properties.MessageExpiryInterval = message.expiry_s
    if message.user_properties:
        properties.UserProperty = list(message.user_properties)
    if message.correlation:
        properties.CorrelationData = message.correlation
    return properties


def receive_maximum(connack: Properties | None) -> int:
    """How many unacknowledged messages the broker takes (MQTT 5, section 3.2.2.3.3)."""
    return int(getattr(connack, "ReceiveMaximum", 65_535))


def incoming(message: MQTTMessage) -> Incoming | None:
    """What arrived, as the rest of affectd sees it; None where its topic is not UTF-8: it is none of ours."""
    try:
        topic = message.topic
    except UnicodeDecodeError:
        return None
    return Incoming(
        topic=topic,
        payload=bytes(message.payload),
        retained=message.retain,
        response_topic=getattr(message.properties, "ResponseTopic", None),
        correlation=getattr(message.properties, "CorrelationData", None),
    )
