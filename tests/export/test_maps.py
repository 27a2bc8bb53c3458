"""A bundle with a listenable map: what is added, what stays, and what is refused."""

import json
import shutil

import msgspec
import numpy as np
import pytest
import torch

from edge.errors import BundleError, UsageError
from edge.model.bundle import DEFAULT, Bundle, install, write
from edge.model.manifest import CARD, ENCODER, MANIFEST, MAP
from edge.model.runtime import open_session
from export.__main__ import main
from export.card import with_section
from export.maps import added, parity, serialised
from tests.maps import fitted, with_map
from train.map_network import MapNetwork, MapSettings

LIGHT = DEFAULT.with_name("light")


@pytest.fixture(scope="module")
def mapped(tmp_path_factory) -> Bundle:
    return with_map(tmp_path_factory.mktemp("map") / "bundle")


def test_nothing_but_the_map_and_what_is_said_of_it_changes(mapped):
    base = Bundle.load(DEFAULT)
    assert {*mapped.manifest.files} == {*base.manifest.files, MAP}
    for name, digest in base.manifest.files.items():
        assert name in (CARD, MAP) or mapped.manifest.files[name] == digest
    assert mapped.map is not None
    assert (mapped.path / MAP).stat().st_size < 2_000_000


def test_its_scores_are_said_once_and_what_was_said_before_stays(mapped, tmp_path):
    again = added(mapped, fitted(tmp_path / "map.pt", mapped), tmp_path / "again")
    text, before = (again.path / CARD).read_text(), (DEFAULT / CARD).read_text()
    assert text.count("## Listenable maps") == 1
    assert "| near | 10.0% | 20.0% | 30.0% | 40.0% | 50.0% | 60.0% |" in text
    for line in before.split("## Listenable maps", maxsplit=1)[0].splitlines():
        assert line in text


def test_a_section_takes_the_place_of_an_earlier_one_alone():
    text = with_section(with_section("# a\n", "## One", "first"), "## Two", "second")
    changed = with_section(text, "## One", "third")
    assert changed == "# a\n\n## Two\n\nsecond\n\n## One\n\nthird\n"


def test_the_command_adds_a_map(tmp_path, capsys):
    base = Bundle.load(DEFAULT)
    file = fitted(tmp_path / "map.pt", base)
    assert main(["--bundle", str(DEFAULT), "--map", str(file), "--out", str(tmp_path / "out")]) == 0
    assert MAP in capsys.readouterr().out
    assert Bundle.load(tmp_path / "out").map is not None


def test_a_map_is_installed_with_its_bundle(mapped, tmp_path):
    assert install(mapped.path, tmp_path / "there").map is not None


def test_a_bundle_without_an_encoder_takes_no_map(mapped, tmp_path):
    with pytest.raises(UsageError, match="another bundle"):
        added(Bundle.load(LIGHT), fitted(tmp_path / "map.pt", mapped), tmp_path / "out")


def test_a_bundle_with_a_map_and_no_encoder_is_refused(mapped, tmp_path):
    light = Bundle.load(LIGHT)
    files = {name: (LIGHT / name).read_bytes() for name in light.manifest.files}
    with pytest.raises(BundleError, match=f"{MAP} and no {ENCODER}"):
        write(tmp_path / "out", light.manifest, {**files, MAP: (mapped.path / MAP).read_bytes()})


class Beyond(MapNetwork):
    """Masks that are no shares."""

    def forward(self, spectrum, speech, logits):
        return 3 * super().forward(spectrum, speech, logits)


@pytest.mark.parametrize(
    ("network", "word"),
    [
        (Beyond(MapSettings()), "between 0 and 1"),
        (MapNetwork(MapSettings(speech=8)), "speech"),
        (MapNetwork(MapSettings(classes=6)), "logits"),
    ],
)
def test_a_map_that_does_not_fit_is_refused_by_name(mapped, tmp_path, network, word):
    folder = shutil.copytree(mapped.path, tmp_path / "bundle")
    files = {name: (folder / name).read_bytes() for name in mapped.manifest.files}
    with pytest.raises(BundleError, match=word) as caught:
        write(folder, mapped.manifest, {**files, MAP: serialised(network.eval())})
    assert MAP in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_graph_that_computes_another_mask_is_refused():
    torch.manual_seed(1)
    one, other = MapNetwork(MapSettings()).eval(), MapNetwork(MapSettings()).eval()
    assert parity(one, open_session(serialised(one), MAP)) < 1e-4
    with pytest.raises(BundleError, match="away from the network"):
        parity(one, open_session(serialised(other), MAP))


def test_the_manifest_holds_the_scores_for_programs(mapped):
    told = json.loads((mapped.path / MANIFEST).read_text())["card"]["map"]
    assert told["scores"]["far"]["faithfulness"] == 0.4
    assert told["bundle"] == Bundle.load(DEFAULT).digest
    assert msgspec.convert(told["scores"], dict[str, dict[str, float]])
    assert np.isfinite(list(told["scores"]["near"].values())).all()
