"""The app as a person meets it: its server, which may not write a byte to disk, and a real browser."""

import os
import resource
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Playwright

from tests.chromium import PATIENCE_MS, hearing, launch
from tests.conftest import ROOT, answers, free_port, until
from tests.room import room

__all__ = ["PATIENCE_MS", "room"]


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
def browser(playwright: Playwright, clip: Path) -> Iterator[Browser]:
    """Chromium, whose microphone hears the clip."""
    browser = launch(playwright, *hearing(clip))
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
