"""The session: its files, its picture, and what can be undone."""

import csv
import io
import json
from pathlib import Path

from playwright.sync_api import expect

from tests.web.conftest import Visitor


def saved(visitor: Visitor, button: str) -> tuple[str, bytes]:
    """What a button hands to the person: the file's name and content."""
    with visitor.page.expect_download() as download:
        visitor.page.get_by_role("button", name=button, exact=True).click()
    path = download.value.path()
    return download.value.suggested_filename, Path(path).read_bytes()


def test_session_is_exported(visitor: Visitor, recording: Path) -> None:
    visitor.open()
    heard = visitor.hear(recording)
    voices = visitor.voices(len(heard))
    name, content = saved(visitor, "JSON")
    lines = [json.loads(line) for line in content.decode().splitlines()]
    assert name == "affectd.jsonl"
    assert [line["emotion"] for line in lines] == [utterance["emotion"] for utterance in heard]
    assert lines[0]["file"] == recording.name
    assert lines[0]["explanation"] == heard[0]["explanation"] | {"aspects": voices[0]["aspects"]}
    assert [line["sentence"] for line in lines] == [voice["sentence"] for voice in voices]
    name, content = saved(visitor, "CSV")
    rows = list(csv.DictReader(io.StringIO(content.decode(), newline="")))
    assert name == "affectd.csv"
    assert [float(row["confidence"]) for row in rows] == [utterance["confidence"] for utterance in heard]
    assert {"p_anger", "lmac_prosody", "intensity", "start_s"} <= rows[0].keys()


def test_name_of_a_file_is_no_formula(visitor: Visitor, recording: Path) -> None:
    visitor.open()
    visitor.hear({"name": "=1+1,.wav", "mimeType": "audio/wav", "buffer": recording.read_bytes()})
    _, content = saved(visitor, "CSV")
    assert content.decode().splitlines()[1].startswith('"\'=1+1,.wav",')


def test_picture_is_shared(visitor: Visitor, recording: Path) -> None:
    visitor.open()
    visitor.hear(recording)
    name, content = saved(visitor, "Share picture")
    assert name == "affectd.png"
    assert content.startswith(b"\x89PNG")
    assert len(content) > 20_000


def test_adapting_is_switched_off_and_forgotten(visitor: Visitor, recording: Path) -> None:
    visitor.open()
    first = visitor.hear(recording)
    assert first[-1]["adaptedOn"] == len(first) - 1
    page = visitor.page
    page.get_by_role("button", name="Settings").click()
    page.get_by_role("button", name="Forget what was learnt").click()
    page.get_by_label("Adapt to this voice").uncheck()
    page.get_by_role("button", name="Close", exact=True).click()
    assert [u["adaptedOn"] for u in visitor.hear(recording)] == [0] * len(first)
    page.reload()
    page.get_by_role("button", name="Settings").click()
    expect(page.get_by_label("Adapt to this voice")).not_to_be_checked()


def test_session_is_cleared(visitor: Visitor, recording: Path) -> None:
    visitor.open()
    visitor.hear(recording)
    visitor.page.get_by_role("button", name="Clear").click()
    expect(visitor.page.locator(".timeline button")).to_have_count(0)
    expect(visitor.page.locator(".emotion")).to_have_count(0)
