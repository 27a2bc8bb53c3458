"""The model page, and bundles that it cannot use."""

import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from app import scores
from edge.model.bundle import DEFAULT, Bundle

RATES = {"uar": 0.5, "wa": 0.6, "f1_macro": 0.4, "ece": 0.1}
WHOLE = {"n": 4, "labels": ["a", "b"], "per_class": {"a": 0.5, "b": 1.0}, "confusion": [[1, 1], [0, 2]], **RATES}


def test_scores_of_the_bundle_are_shown(page: Page, app: str) -> None:
    bundle = Bundle.load(DEFAULT)
    protocols = scores.scores(bundle.manifest.card)
    assert protocols, "the bundle that affectd ships says how well it does"
    measured = next(iter(next(iter(protocols.values())).values()))
    page.goto(f"{app}/model")
    expect(page.get_by_role("heading", name=f"The model: {bundle.name}")).to_be_visible()
    metric = page.get_by_test_id("stMetric").filter(has_text="Unweighted average recall")
    expect(metric).to_contain_text(scores.rate(measured.uar))
    charts = page.locator("[data-testid=stVegaLiteChart] .marks")
    expect(charts).to_have_count(3 if measured.reliability else 2)
    page.get_by_text("Card", exact=True).click()
    expect(page.get_by_role("heading", name=bundle.name, exact=True)).to_be_visible()


def test_broken_bundle_gets_one_sentence_and_the_next_one_works(page: Page, app: str, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(DEFAULT, broken)
    (broken / "scaler.json").write_bytes(b"{}")
    other = tmp_path / "other"
    shutil.copytree(DEFAULT, other)
    page.goto(f"{app}/model")
    for folder, seen in ((broken, "has another sha256"), (other, str(other))):
        page.get_by_role("combobox", name="Model bundle").fill(str(folder))
        page.keyboard.press("Enter")
        expect(page.get_by_test_id("stMain").get_by_text(seen)).to_be_visible()


@pytest.mark.parametrize(
    ("found", "protocols"),
    [
        ({"none": WHOLE}, {"": {"none"}}),
        ({"corpora": {"none": WHOLE, "speaker": WHOLE}}, {"corpora": {"none", "speaker"}}),
        ({"corpora": {"none": WHOLE | {"uar": "45.2 +- 3.1"}}}, {"corpora": {"none"}}),
        ({"corpora": {"none": {"uar": "45.2 +- 3.1"}}}, {}),
        ({"none": WHOLE | {"confusion": [[1, 1]]}}, {}),
        ({"none": WHOLE | {"confusion": [[1], [0]]}}, {}),
        ("good", {}),
    ],
)
def test_scores_are_read_where_they_are_whole(found: object, protocols: dict[str, set[str]]) -> None:
    assert {name: set(inner) for name, inner in scores.scores({"scores": found}).items()} == protocols


def test_rates_read_the_same_from_one_split_and_from_many() -> None:
    assert scores.rate(0.4521) == "45.2 %"
    assert scores.rate("45.2 +- 3.1") == "45.2 ± 3.1 %"


def test_curves_are_read_by_epoch() -> None:
    epoch = {"train_loss": 1.0, "train_accuracy": 0.5, "calibration_loss": None, "calibration_uar": 0.4}
    assert scores.curves({"curves": {"1": epoch, "2": epoch}})[2].calibration_uar == 0.4
    assert scores.curves({"curves": "steep"}) == {}
