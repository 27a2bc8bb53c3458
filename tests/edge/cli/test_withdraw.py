import pytest
from paho.mqtt.publish import single

from edge.cli.withdraw import withdraw
from edge.config import MqttSettings
from edge.errors import AffectdError
from tests.conftest import free_port


def test_what_a_node_left_is_cleared_and_nothing_else(broker: int) -> None:
    discovery = "homeassistant/device/affectd-kitchen/config"
    ours = ["affectd/kitchen/deep/er", "affectd/kitchen/state", "affectd/kitchen/status", discovery]
    theirs = ["affectd/bath/state", "affectd/kitchens/state", "homeassistant/device/affectd-bath/config"]
    for topic in (*ours, *theirs):
        single(topic, b"x", qos=1, retain=True, hostname="127.0.0.1", port=broker)
    settings = MqttSettings(host="127.0.0.1", port=broker)
    assert withdraw(settings, "affectd/kitchen", discovery) == ours
    assert withdraw(settings, "affectd/kitchen", discovery) == []
    for topic in theirs:
        assert withdraw(settings, topic, discovery) == [topic]


@pytest.mark.parametrize(("payload", "cleared"), [(b'{"origin": {"name": "affectd"}}', 1), (b'{"origin": {}}', 0)])
def test_where_earlier_versions_announced_themselves_is_cleared_if_they_did(
    broker: int, payload: bytes, cleared: int
) -> None:
    former = "homeassistant/device/kitchen/config"
    single(former, payload, qos=1, retain=True, hostname="127.0.0.1", port=broker)
    settings = MqttSettings(host="127.0.0.1", port=broker)
    assert withdraw(settings, "affectd/kitchen", "homeassistant/x", former) == [former] * cleared


def test_a_broker_that_is_away_is_one_sentence() -> None:
    with pytest.raises(AffectdError, match=r"the broker 127.0.0.1:\d+ cannot be reached"):
        withdraw(MqttSettings(host="127.0.0.1", port=free_port()), "affectd/kitchen", "x")
