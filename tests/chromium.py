"""A real browser for the tests of pages, and one real utterance for its microphone."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import soundfile

from edge.audio import SAMPLE_RATE
from edge.sources.conversion import read_audio
from tests.places import DATA, DEMO

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright

PATIENCE_MS = 120_000  # on a machine that is busy with other tests
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One real utterance as a WAV file: of a corpus, or else a line of the demonstration recording."""
    path = tmp_path_factory.mktemp("clip") / "utterance.wav"
    if (DATA / "manifest.csv").exists():
        samples = read_audio(sorted((DATA / "ravdess").glob("*.opus"))[7])
    else:
        # With the pauses around it: a browser's microphone plays it again and again.
        samples = read_audio(DEMO)[SAMPLE_RATE : int(5.2 * SAMPLE_RATE)]
    soundfile.write(path, samples, SAMPLE_RATE)
    return path


@pytest.fixture(scope="session")
def playwright() -> "Iterator[Playwright]":
    """The one driver that a session of tests may have."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        yield playwright


def launch(playwright: "Playwright", *flags: str) -> "Browser":
    """Chromium with more flags than those that keep it off the network."""
    program = shutil.which("chromium")
    if program is None:
        pytest.fail("chromium is missing: apt-get install chromium")
    return playwright.chromium.launch(executable_path=program, args=[*_FLAGS, *flags], timeout=PATIENCE_MS)


def hearing(clip: Path) -> tuple[str, ...]:
    """The flags for a microphone that hears ``clip`` over and over."""
    return (
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-audio-capture={clip}",
    )
