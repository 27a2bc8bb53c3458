"""The dashboard and the blueprints know no entity and no emotion that a node does not have."""

import json
import re
from pathlib import Path

import pytest
import yaml

from edge.model.bundle import Bundle
from edge.mqtt.discovery import discovery
from edge.mqtt.topics import Topics
from tests.conftest import ROOT

SOURCES = ROOT / "homeassistant"
BLUEPRINTS = sorted((SOURCES / "blueprints" / "automation" / "affectd").glob("*.yaml"))
LABELS = Bundle.load().labels


class Loader(yaml.SafeLoader):
    """YAML with Home Assistant's ``!input``."""


Loader.add_constructor("!input", lambda loader, node: f"!input {loader.construct_scalar(node)}")


def test_the_dashboard_shows_entities_that_a_node_announces() -> None:
    announced = json.loads(
        discovery(Topics("affectd", "kitchen"), LABELS, "homeassistant", intensity=True, voices=True).payload
    )
    entities = {component["default_entity_id"] for component in announced["components"].values()}
    text = (SOURCES / "dashboard.yaml").read_text()
    shown = set(re.findall(r"\b(?:sensor|binary_sensor|switch|event)\.kitchen_\w+", text))
    assert shown <= entities
    cards = [card for section in yaml.safe_load(text)["views"][0]["sections"] for card in section["cards"]]
    assert not [card["type"] for card in cards if card["type"].startswith("custom:")]


@pytest.mark.parametrize("path", BLUEPRINTS, ids=lambda path: path.stem)
def test_a_blueprint_uses_every_input_that_it_asks_for(path: Path) -> None:
    document = yaml.load(path.read_text(), Loader=Loader)
    inputs = document.pop("blueprint")["input"]
    assert set(re.findall(r"!input (\w+)", json.dumps(document))) == set(inputs)
    emotions = inputs.get("emotions")
    if emotions:
        assert set(emotions["default"]) <= set(emotions["selector"]["select"]["options"]) <= set(LABELS)
