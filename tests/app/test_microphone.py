"""Recording from this computer's microphone: ten seconds, drawn while they go on."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.app.conftest import serving
from tests.room import Room

_TAB = "This computer's microphone"


@pytest.fixture
def app_in_room(room: Room, tmp_path: Path) -> Iterator[str]:
    with serving(tmp_path, room.environment) as address:
        yield address


def test_ten_seconds_are_counted_down_drawn_and_understood(
    app_in_room: str, page: Page, room: Room, clip: Path
) -> None:
    page.goto(app_in_room)
    page.get_by_text(_TAB).click()
    page.get_by_role("button", name="Record 10 seconds").click()
    expect(page.get_by_text("s left")).to_be_visible()
    speaker = threading.Thread(target=room.play, args=(clip,))
    speaker.start()
    counted, drawn = set(), 0
    while page.get_by_text("s left").count():
        counted |= set(page.get_by_text("s left").all_inner_texts())
        drawn = max(drawn, page.locator("[data-testid=stVegaLiteChart] .marks").count())
        page.wait_for_timeout(100)
    speaker.join()
    assert len(counted) > 3, counted
    assert drawn == 2  # the waveform and the spectrogram, while the recording went on
    expect(page.locator(".verdict .emotion")).to_be_visible()
    expect(page.get_by_text("Single features")).to_be_visible()


def test_no_microphone_gets_one_sentence(page: Page, app: str) -> None:
    page.goto(app)
    page.get_by_text(_TAB).click()
    expect(page.get_by_role("alert")).to_contain_text("no microphone is visible")
