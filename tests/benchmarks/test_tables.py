"""The pages about accuracy say what the reports in the repository say."""

import re
from pathlib import Path

import msgspec
import pytest

from benchmarks import pages
from benchmarks.accuracy import tables

NOTES = msgspec.yaml.decode((tables.HERE / "notes.yaml").read_bytes(), type=tables.Notes)


def test_the_appendix_is_what_the_reports_give() -> None:
    assert tables.APPENDIX.read_text(encoding="utf-8") == tables.appendix(NOTES)


@pytest.mark.parametrize(("page", "table"), [("README.md", tables.short), ("docs/accuracy.md", tables.long)])
def test_the_table_of_a_page_is_what_the_reports_give(page: str, table: object) -> None:
    assert callable(table)
    text = (tables.ROOT / page).read_text(encoding="utf-8")
    found = re.search("<!-- accuracy -->\n(.*?)\n<!-- accuracy -->", text, re.DOTALL)
    assert found
    assert found[1].splitlines() == table(NOTES.headlines)


def test_the_table_of_the_readme_has_at_most_eight_rows() -> None:
    assert len(tables.short(NOTES.headlines)) - 2 <= 8


def test_a_report_that_is_missing_has_no_row() -> None:
    assert len(tables.short([tables.Headline("never trained", "no-such-report")])) == 2


def test_marks_are_filled_and_the_text_around_them_stays(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- cost -->\nold\n<!-- cost -->\nafter\n")
    pages.fill(page, {"cost": "| new |", "absent": "nowhere"})
    assert page.read_text() == "before\n<!-- cost -->\n| new |\n<!-- cost -->\nafter\n"
