"""Recording from this computer's microphone: ten seconds, drawn while they go on."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.app.conftest import PATIENCE_MS, serving
from tests.room import Room

_TAB = "This computer's microphone"
# The page itself notes what it shows while the recording goes on, however rarely a busy test would look.
WATCH = """() => {
    window.counted = new Set();
    window.drawn = 0;
    const look = () => {
        const left = [...document.querySelectorAll("p")].map((p) => p.textContent).filter((t) => t.includes("s left"));
        left.forEach((text) => window.counted.add(text));
        const charts = document.querySelectorAll("[data-testid=stVegaLiteChart] .marks").length;
        if (left.length) window.drawn = Math.max(window.drawn, charts);
    };
    new MutationObserver(look).observe(document.body, {subtree: true, childList: true, characterData: true});
    look();
}"""


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
    page.evaluate(WATCH)
    expect(page.get_by_text("s left")).to_be_visible()
    speaker = threading.Thread(target=room.play, args=(clip,))
    speaker.start()
    expect(page.get_by_text("s left")).to_have_count(0, timeout=PATIENCE_MS)
    speaker.join()
    counted, drawn = page.evaluate("[[...window.counted], window.drawn]")
    assert len(counted) > 1, counted
    assert drawn == 2  # the waveform and the spectrogram, while the recording went on
    expect(page.locator(".verdict .emotion")).to_be_visible()
    expect(page.get_by_text("Single features")).to_be_visible()


def test_no_microphone_gets_one_sentence(page: Page, app: str) -> None:
    page.goto(app)
    page.get_by_text(_TAB).click()
    expect(page.get_by_role("alert")).to_contain_text("no microphone is visible")
