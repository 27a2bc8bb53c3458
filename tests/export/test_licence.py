"""The networks' own licence: in the sources, in the wheel's metadata, and on every card."""

import tomllib
from pathlib import Path

import msgspec

from export import card
from train.run import LICENCES

ROOT = Path(__file__).parents[2]
NAMES = {"emodb": "EMO-DB", "turev": "TurEV-DB"}  # as their authors write them, where not in capitals alone


def test_the_distribution_says_that_its_networks_are_under_another_licence():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["license"] == "MIT AND LicenseRef-affectd-weights"
    assert all((ROOT / name).is_file() for name in project["license-files"])


def test_the_notice_names_every_corpus_and_whisper():
    notice = (ROOT / "LICENSE-weights").read_text()
    for name, licence in LICENCES.items():
        assert NAMES.get(name, name).lower() in notice.lower()
        assert licence in notice or licence in ("research", "none stated; cite the authors")
    assert "Copyright (c) 2022 OpenAI" in notice
    assert "DO NOT USE THEM COMMERCIALLY" in notice


def test_a_card_says_plainly_that_corpora_forbid_commercial_use(bundles):
    manifest = bundles["frames"].manifest
    told = msgspec.structs.replace(manifest, card={**manifest.card, "corpora": LICENCES})
    text = card.text(told, bundles["frames"].labels, 1)
    assert "**Do not use this network commercially.**" in text
    assert "those of ravdess, tess, nemo, turev forbid commercial use" in text
    assert "those of ased state nothing of it" in text


def test_a_card_without_corpora_says_nothing_of_licences(bundles):
    assert "## Licence" not in card.text(bundles["frames"].manifest, bundles["frames"].labels, 1)
