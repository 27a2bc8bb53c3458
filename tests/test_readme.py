"""README and docs: short enough to be read, and without dead links."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)
CODE = re.compile(r"^```.*?^```|`[^`\n]+`", re.MULTILINE | re.DOTALL)


def text(page: Path) -> str:
    """A page without its code, in which a hash or a bracket is something else."""
    return CODE.sub(
        lambda found: found[0].replace("\n", " ").strip("`") if found[0][:3] != "```" else "", page.read_text()
    )


def anchors(page: Path) -> set[str]:
    """The fragments that GitHub gives to the headings of a page."""
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in HEADING.findall(text(page))}


def test_readme_has_at_most_120_lines_above_the_house() -> None:
    lines = (ROOT / "README.md").read_text().splitlines()
    assert lines.index("## The house") <= 120


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    targets = [link for link in LINK.findall(text(page)) if "://" not in link]
    for target in targets:
        path, _, fragment = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), f"{page.name} links to {target}"
        assert not fragment or fragment in anchors(found), f"{page.name} links to {target}: no such heading"


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached or page.suffix != ".md" or not page.exists():
            continue
        reached.add(page)
        waiting += [
            (page.parent / link.partition("#")[0]).resolve() for link in LINK.findall(text(page)) if "://" not in link
        ]
    assert set(PAGES) <= reached


def test_the_house_names_every_package_of_the_device() -> None:
    house = (ROOT / "README.md").read_text().partition("## The house")[2].partition("```\n")[2].partition("```")[0]
    named = set(re.findall(r"^ +(\w+)/", house, re.MULTILINE))
    assert named == {path.parent.name for path in (ROOT / "edge").glob("*/__init__.py")}
