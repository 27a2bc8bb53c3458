from edge.daemon.privacy import filled_in, held, table
from edge.explain.recent import KEPT_S
from tests.conftest import ROOT


def test_the_guides_table_is_the_codes() -> None:
    guide = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")
    assert filled_in(guide) == guide, "run `make docs`"
    assert table() in guide


def test_the_table_says_how_long_features_are_kept() -> None:
    (row,) = [row for row in held() if row.what.startswith("features")]
    assert row.how_long.startswith(f"{KEPT_S:.0f} s")
