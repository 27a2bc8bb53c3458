"""The page for everybody: screen reader, keyboard, one hand, dark and light."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.web.conftest import PACKAGES, Visitor

AXE = (PACKAGES / "axe-core" / "axe.min.js").read_text() if PACKAGES.exists() else ""


def serious(page: Page) -> list[str]:
    """What axe-core finds that is serious or critical."""
    page.evaluate(AXE)
    found: list[dict[str, Any]] = page.evaluate("axe.run().then((result) => result.violations)")
    return [f"{rule['id']}: {rule['nodes'][0]['html']}" for rule in found if rule["impact"] in ("serious", "critical")]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(visitor: Visitor, clip: Path, theme: str) -> None:
    visitor.open(theme=theme)
    page = visitor.page
    assert serious(page) == []
    visitor.hear(clip)
    page.get_by_role("button", name="Look closer").click()
    expect(page.get_by_role("heading", name="Single features")).to_be_visible()
    page.get_by_text("The figures").locator("visible=true").click()
    assert serious(page) == []
    page.get_by_role("button", name="Settings").click()
    assert serious(page) == []
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Listen").click()
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    assert serious(page) == []


def test_keyboard_reaches_everything(visitor: Visitor, recording: Path) -> None:
    visitor.open()
    visitor.voices(len(visitor.hear(recording)))
    page = visitor.page
    reached = []
    for _ in range(15):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate("document.activeElement.getAttribute('aria-label') || document.activeElement.textContent")
        )
    for name in (
        "Settings",
        "The figures",
        "Look closer",
        "JSON",
        "CSV",
        "Share picture",
        "10 seconds",
        "Listen",
        "File",
    ):
        assert name in reached, reached
    last = visitor.said("heard")[-1]["utterance"]
    page.locator(".timeline [aria-current=true]").focus()
    page.keyboard.press("ArrowLeft")
    before = visitor.said("heard")[-2]["utterance"]
    assert last["id"] != before["id"]
    expect(page.locator(".timeline :focus")).to_have_attribute("data-id", str(before["id"]))
    expect(page.locator(".timeline [aria-current=true]")).to_have_attribute("data-id", str(before["id"]))


def test_what_is_heard_is_announced(visitor: Visitor, clip: Path) -> None:
    visitor.open(whole=True)
    (heard,) = visitor.hear(clip)
    expect(visitor.page.locator("[aria-live=polite]")).to_have_text(
        f"{heard['emotion']}, {100 * heard['confidence']:.0f} % sure"
    )


def test_nothing_is_wider_than_a_small_phone(visitor: Visitor, recording: Path) -> None:
    visitor.open()
    visitor.voices(len(visitor.hear(recording)))
    visitor.page.get_by_text("The figures").locator("visible=true").click()
    visitor.page.get_by_role("button", name="Look closer").click()
    expect(visitor.page.get_by_role("heading", name="Single features")).to_be_visible()
    assert visitor.page.evaluate("document.documentElement.scrollWidth") <= 360
    for name in ("Listen", "10 seconds", "File"):  # within reach of a thumb, and as large as one
        box = visitor.page.get_by_role("button", name=name, exact=True).bounding_box()
        assert box is not None
        assert box["y"] > 560
        assert min(box["width"], box["height"]) >= 44


def test_page_can_be_installed(visitor: Visitor) -> None:
    visitor.open()
    session = visitor.context.new_cdp_session(visitor.page)
    visitor.page.evaluate("navigator.serviceWorker.ready.then(() => null)")
    manifest = session.send("Page.getAppManifest")
    assert manifest["errors"] == []
    assert session.send("Page.getInstallabilityErrors")["installabilityErrors"] in (
        [],
        [{"errorId": "in-incognito", "errorArguments": []}],
    )
