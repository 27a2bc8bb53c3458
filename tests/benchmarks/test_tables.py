"""The pages about accuracy say what the reports in the repository say."""

import re
from pathlib import Path

import msgspec
import pytest

from benchmarks import pages
from benchmarks.accuracy import headlines, reports, tables

NOTES = msgspec.yaml.decode((tables.HERE / "notes.yaml").read_bytes(), type=tables.Notes)


def test_the_appendix_is_what_the_reports_give() -> None:
    assert tables.APPENDIX.read_text(encoding="utf-8") == tables.appendix(NOTES)


@pytest.mark.parametrize(("page", "table"), [("README.md", headlines.short), ("docs/accuracy.md", headlines.long)])
def test_the_table_of_a_page_is_what_the_reports_give(page: str, table: object) -> None:
    assert callable(table)
    text = (tables.ROOT / page).read_text(encoding="utf-8")
    found = re.search("<!-- accuracy -->\n(.*?)\n<!-- accuracy -->", text, re.DOTALL)
    assert found
    assert found[1].splitlines() == table(NOTES.headlines)


@pytest.mark.parametrize(("name", "table"), [("intensity", tables.intensity), ("playback", tables.playback)])
def test_a_further_table_is_what_the_reports_give(name: str, table: object) -> None:
    assert callable(table)
    text = (tables.ROOT / "docs/accuracy.md").read_text(encoding="utf-8")
    found = re.search(f"<!-- {name} -->\n(.*?)\n<!-- {name} -->", text, re.DOTALL)
    assert found
    assert found[1].splitlines() == table()


def test_the_table_of_the_readme_has_at_most_eight_rows() -> None:
    assert len(NOTES.headlines) <= 8


def test_a_report_or_a_condition_that_is_missing_has_no_row() -> None:
    absent = [
        headlines.Headline("never trained", "no-such-report"),
        headlines.Headline("never", "corpora", "underwater"),
    ]
    assert len(headlines.short(absent)) == 2


def test_a_condition_of_a_report_has_a_row_with_its_interval(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = {
        "uar": 0.4,
        "confusion": [[4, 6], [6, 4]],
        "reliability": {"0.40-0.47": {"n": 20, "confidence": 0.5, "accuracy": 0.4}},
    }
    titles = [title for adapt in reports.ADAPT for title in (adapt, f"far, {adapt}")]
    scores = {title: row | {"uar": 0.3 if title.startswith("far") else 0.4} for title in titles}
    scores["far, speaker"]["life"] = {"uar": 0.35}
    report = {
        "protocol": "corpora",
        "summary": {title: {"uar": {"interval": [0.11, 0.22]}} for title in titles},
        "folds": {"ravdess@1": scores, "ravdess@2": scores},
    }
    (tmp_path / "corpora.json").write_bytes(msgspec.json.encode(report))
    monkeypatch.setattr(reports, "REPORTS", tmp_path)
    assert headlines.long([headlines.Headline("far", "corpora", "far")])[-1] == (
        "| far | 30.0 (11.0-22.0) | 30.0 (11.0-22.0) | 30.0 (11.0-22.0) | 35.0 | 10 % / 10 % |"
    )


def test_marks_are_filled_and_the_text_around_them_stays(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- cost -->\nold\n<!-- cost -->\nafter\n")
    pages.fill(page, {"cost": "| new |", "absent": "nowhere"})
    assert page.read_text() == "before\n<!-- cost -->\n| new |\n<!-- cost -->\nafter\n"
