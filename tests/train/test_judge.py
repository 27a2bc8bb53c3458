"""Every fold of a protocol, and one report for all: conditions, histories, intervals."""

import json
from pathlib import Path

import msgspec
import pytest
import torch

from edge.errors import UsageError
from tests.train.conftest import SETTINGS
from train import report
from train.protocols import judge
from train.run import Material, run
from train.settings import SplitSettings

ALIKE = msgspec.structs.replace(
    SETTINGS, name="judged", manifest="few.csv", split=SplitSettings(), epochs=1, conditions=("near", "noisy")
)


@pytest.fixture(scope="module")
def found(corpus: Path, sounds: Path, folder: Path) -> dict[str, object]:
    torch.set_num_threads(1)
    lines = (corpus / "manifest.csv").read_text().splitlines()
    (corpus / "few.csv").write_text("\n".join([lines[0], *lines[1::4]]))
    material = Material(corpus, folder / "cache", sounds=sounds)
    return judge("tones/2", ALIKE, material, folder / "judged", seeds=(1, 2))


def test_a_report_tells_every_condition_under_every_protocol(found: dict[str, object], folder: Path) -> None:
    titles = ["none", "source", "speaker", "noisy, none", "noisy, source", "noisy, speaker"]
    assert list(found["summary"]) == titles  # type: ignore[call-overload]
    assert sorted(found["folds"]) == ["tones-01@1", "tones-01@2", "tones-02@1", "tones-02@2"]  # type: ignore[call-overload]
    for fold in found["folds"].values():  # type: ignore[attr-defined]
        assert list(fold) == titles
    written = json.loads((folder / "judged" / "report.json").read_text())
    assert written == json.loads(json.dumps(found))


def test_a_summary_has_histories_as_in_life_and_intervals(found: dict[str, object]) -> None:
    for title, rows in found["summary"].items():  # type: ignore[attr-defined]
        assert ("uar_life" in rows) == ("none" not in title)
        for name in {"wa", "uar", "uar_life"} & set(rows):
            low, high = rows[name]["interval"]
            assert 0 <= low <= rows[name]["mean"] + 1e-4
            assert rows[name]["mean"] - 1e-4 <= high <= 1


def test_a_card_can_show_the_summary(found: dict[str, object], folder: Path) -> None:
    (told,) = report.summary_of(folder / "judged" / "report.json").values()
    assert " to " in told["noisy, speaker"]["uar_life"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("conditions", "sentence"), [(("near", "loud"), "No condition is called loud"), (("far",), "AFFECTD_SOUNDS")]
)
def test_a_condition_that_cannot_be_heard_is_told_before_training(
    corpus: Path, folder: Path, tmp_path: Path, conditions: tuple[str, ...], sentence: str
) -> None:
    settings = msgspec.structs.replace(ALIKE, manifest="manifest.csv", conditions=conditions)
    with pytest.raises(UsageError, match=sentence):
        run(settings, Material(corpus, folder / "cache", sounds=tmp_path), tmp_path / "run")
    assert not (tmp_path / "run").exists()
