"""Many files in one table."""

import csv
import io
import json
from pathlib import Path

from playwright.sync_api import Page, expect

from app import findings
from tests.app.test_analyse import command, downloaded, same
from tests.conftest import DEMO


def test_folder_becomes_a_table_and_bad_files_get_a_sentence(page: Page, app: str, clip: Path, tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    folder.mkdir()
    (folder / "clip.wav").write_bytes(clip.read_bytes())
    (folder / "demo.opus").write_bytes(DEMO.read_bytes())
    (folder / "report.wav").write_bytes(b"%PDF-1.7")
    (folder / "empty.flac").write_bytes(b"")
    page.goto(f"{app}/batch")
    page.get_by_text("A folder").click()
    page.locator("input[webkitdirectory]").set_input_files(folder)
    expect(page.get_by_text("report.wav is not audio that can be read")).to_be_visible()
    expect(page.get_by_text("empty.flac is empty")).to_be_visible()
    printed = command(folder / "clip.wav", folder / "demo.opus")
    expect(page.get_by_text(f"{len(printed)} utterances in 2 files")).to_be_visible()
    lines = [json.loads(line) for line in downloaded(page, "JSON lines").splitlines()]
    assert len(lines) == len(printed)
    for shown, row in zip(sorted(lines, key=_place), sorted(printed, key=_place), strict=True):
        same(shown, row)
    rows = list(csv.DictReader(io.StringIO(downloaded(page, "CSV").decode())))
    assert [(row["emotion"], float(row["confidence"])) for row in rows] == [
        (line["emotion"], line["confidence"]) for line in lines
    ]
    assert {f"p_{label}" for label in lines[0]["probabilities"]} < rows[0].keys()


def _place(finding: dict[str, object]) -> tuple[str, object]:
    return Path(str(finding["file"])).name, finding["start_s"]


def test_file_name_is_no_formula_for_a_spreadsheet() -> None:
    assert findings.table([{"file": "=1+1.wav", "confidence": -0.5}]) == b"file,confidence\r\n'=1+1.wav,-0.5\r\n"
