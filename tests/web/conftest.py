"""The page as it is built, served with its headers, in a real browser."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import soundfile
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect

from edge.audio import SAMPLE_RATE
from edge.sources.conversion import read_audio
from tests.chromium import PATIENCE_MS, hearing, launch
from tests.conftest import DEMO, ROOT, until

WEB = ROOT / "web"
PACKAGES = WEB / "node_modules"


def build(bundle: str, folder: Path) -> Path:
    """The page with one of the shipped bundles."""
    if not PACKAGES.exists():
        pytest.fail("the page's packages are missing: run `make web/node_modules/ready`")
    export = [sys.executable, "-m", "export", "--waveform", "--bundle", bundle, "--out", str(folder / "model")]
    subprocess.run(export, cwd=ROOT, check=True, timeout=280)
    command = ["node", "build.mjs", "--model", str(folder / "model"), "--out", str(folder / "site")]
    subprocess.run(command, cwd=WEB, check=True, timeout=120)
    return folder / "site"


def program(name: str, folder: Path) -> Path:
    """A program of ``web/test`` for node."""
    target = folder / f"{name}.mjs"
    command = ["node_modules/.bin/esbuild", f"test/{name}.ts", "--bundle", "--platform=node", "--format=esm"]
    subprocess.run([*command, f"--outfile={target}"], cwd=WEB, check=True, capture_output=True)
    return target


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its files, with the small bundle, whose arithmetic is the same everywhere."""
    return build("light", tmp_path_factory.mktemp("light"))


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demonstration recording as a WAV file."""
    path = tmp_path_factory.mktemp("recording") / "demo.wav"
    soundfile.write(path, read_audio(DEMO), SAMPLE_RATE)
    return path


@contextmanager
def serving(site: Path) -> Iterator[str]:
    """The address that `make web` serves files at, on a port of its own."""
    command = ["node", str(WEB / "serve.mjs"), "--folder", str(site), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


@pytest.fixture(scope="session")
def address(site: Path) -> Iterator[str]:
    with serving(site) as address:
        yield address


@pytest.fixture(scope="session")
def shipped_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the page with the bundle that it is shipped with."""
    with serving(build("default", tmp_path_factory.mktemp("default"))) as address:
        yield address


@pytest.fixture(scope="session")
def browser(playwright: Playwright, clip: Path) -> Iterator[Browser]:
    """Chromium, whose microphone hears the clip."""
    browser = launch(playwright, *hearing(clip))
    yield browser
    browser.close()


# The page's own worker says what it heard; the tests listen in.
_LISTEN_IN = """
window.said = [];
window.Worker = class extends Worker {
    constructor(...given) {
        super(...given);
        this.addEventListener("message", ({ data }) => {
            const { outline, ...utterance } = data.utterance ?? {};
            window.said.push(data.kind === "sound" ? { kind: "sound" } : { ...data, utterance });
        });
    }
};
"""


@dataclass
class Visitor:
    """A person with a browser before the page."""

    context: BrowserContext
    page: Page
    address: str
    sensor: bool = False
    """Whether it is on the one page that may open websockets."""
    asked: list[str] = field(default_factory=list)
    """Every address that the page has asked for."""
    connections: list[str] = field(default_factory=list)
    """Every address that it has opened a websocket to."""
    complaints: list[str] = field(default_factory=list)
    """What the browser's console has said."""

    def open(self, path: str = "/", **settings: object) -> None:
        """The page with these settings, ready to hear."""
        self.context.add_init_script(_LISTEN_IN)
        stored = json.dumps(json.dumps(settings))
        self.context.add_init_script(
            f"localStorage.getItem('affectd.settings') || localStorage.setItem('affectd.settings', {stored})"
        )
        self.sensor = path == "/node.html"
        self.page.goto(self.address + path)
        self.ready()

    def ready(self) -> None:
        """Wait until the page can hear."""
        expect(self.page.locator("html")).to_have_attribute("data-state", "ready")

    def said(self, kind: str) -> list[dict[str, Any]]:
        """What the worker has said of a kind, without pictures."""
        messages: list[dict[str, Any]] = self.page.evaluate("kind => said.filter((m) => m.kind === kind)", kind)
        return messages

    def hear(self, file: Path | dict[str, Any]) -> list[dict[str, Any]]:
        """Choose a file; its utterances."""
        before, ends = len(self.said("heard")), len(self.said("finished"))
        self.page.set_input_files("input[type=file]", file)  # type: ignore[arg-type]
        until(lambda: len(self.said("finished")) > ends, PATIENCE_MS / 1000)
        return [message["utterance"] for message in self.said("heard")[before:]]

    def voices(self, count: int) -> list[dict[str, Any]]:
        """What was heard in so many voices, which takes a while, in the order of their utterances."""
        until(lambda: len(self.said("voice")) >= count, PATIENCE_MS / 1000)
        return [message["voice"] for message in sorted(self.said("voice"), key=lambda message: message["id"])]

    def problem(self) -> str:
        """The sentence about what is wrong."""
        alert = self.page.get_by_role("alert")
        expect(alert).to_be_visible()
        return alert.inner_text()


@contextmanager
def visiting(browser: Browser, address: str, **options: Any) -> Iterator[Visitor]:
    """A visitor whose every request is noted; none may leave the page's own server."""
    context = browser.new_context(
        **{"viewport": {"width": 360, "height": 740}, "permissions": ["microphone"]} | options
    )
    context.set_default_timeout(PATIENCE_MS)
    visitor = Visitor(context, context.new_page(), address)
    context.on("request", lambda request: visitor.asked.append(request.url))
    visitor.page.on("websocket", lambda socket: visitor.connections.append(socket.url))
    visitor.page.on("console", lambda message: visitor.complaints.append(message.text))
    visitor.page.on("pageerror", lambda error: visitor.complaints.append(str(error)))
    yield visitor
    context.close()
    assert [url for url in visitor.asked if not url.startswith((address, f"blob:{address}"))] == []
    assert visitor.connections == [] or visitor.sensor
    assert [line for line in visitor.complaints if "ERR_INTERNET_DISCONNECTED" not in line] == []


@pytest.fixture
def visitor(browser: Browser, address: str) -> Iterator[Visitor]:
    with visiting(browser, address) as visitor:
        yield visitor
