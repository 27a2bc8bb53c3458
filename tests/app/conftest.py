"""The app as a person meets it: its server, which may not write a byte to disk, and a real browser."""

import os
import resource
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
import soundfile
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright

from edge.audio import SAMPLE_RATE
from edge.sources.conversion import read_audio
from tests.conftest import DATA, DEMO, ROOT, answers, free_port, until
from tests.room import room

__all__ = ["room"]

PATIENCE_MS = 120_000  # on a machine that is busy with other tests
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One real utterance as a WAV file: of a corpus, or else a line of the demonstration recording."""
    path = tmp_path_factory.mktemp("clip") / "utterance.wav"
    if (DATA / "manifest.csv").exists():
        samples = read_audio(sorted((DATA / "ravdess").glob("*.opus"))[7])
    else:
        samples = read_audio(DEMO)[int(1.3 * SAMPLE_RATE) : int(4.8 * SAMPLE_RATE)]
    soundfile.write(path, samples, SAMPLE_RATE)
    return path


@contextmanager
def serving(home: Path, environment: Mapping[str, str] = os.environ) -> Iterator[str]:
    """The address of a server of the app's own, to which the kernel denies every write to a file (RLIMIT_FSIZE)."""
    port = free_port()
    options = ("--server.headless", "true", "--server.port", str(port))
    server = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", "app/main.py", *options],
        cwd=ROOT,
        env={**environment, "HOME": environment.get("HOME", str(home)), "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)),  # noqa: PLW1509 (nothing else runs yet)
    )
    assert server.stdout is not None
    printed: list[bytes] = []
    reader = threading.Thread(target=printed.extend, args=(server.stdout,), daemon=True)
    reader.start()
    try:
        until(lambda: answers(port) or server.poll() is not None, 120)
        yield f"http://localhost:{port}"
    finally:
        server.terminate()
        server.wait()
        reader.join()
        sys.stdout.write(b"".join(printed).decode(errors="replace"))


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("home")) as address:
        yield address


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def browser(playwright: Playwright, clip: Path) -> Iterator[Browser]:
    """Chromium, whose microphone hears the clip."""
    program = shutil.which("chromium")
    if program is None:
        pytest.fail("chromium is missing: apt-get install chromium")
    flags = (*_FLAGS, f"--use-file-for-fake-audio-capture={clip}")
    browser = playwright.chromium.launch(executable_path=program, args=list(flags), timeout=PATIENCE_MS)
    yield browser
    browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1440, "height": 1400}, permissions=["microphone"])
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    yield page
    shown = page.inner_text("body")
    context.close()
    assert "Traceback" not in shown
    assert "Error:" not in shown
    assert [url for url in asked if not url.startswith(("http://localhost:", "data:", "blob:"))] == []
