"""Nothing leaves the page, and nothing stays but the settings; every test's visitor checks the requests, too."""

from playwright.sync_api import Page, expect

from tests.web.conftest import Visitor

STORED = """async () => ({
    local: Object.keys(localStorage),
    session: sessionStorage.length,
    databases: (await indexedDB.databases()).length,
    cookies: document.cookie,
    caches: (await Promise.all((await caches.keys()).map(async (name) => (await caches.open(name)).keys())))
        .flat().map((request) => request.url),
})"""


def refused(page: Page, expression: str) -> bool:
    """Whether the browser's policy forbids what an expression begins."""
    return bool(
        page.evaluate(
            """(code) => new Promise((resolve) => {
                addEventListener("securitypolicyviolation", () => resolve(true), { once: true });
                setTimeout(() => resolve(false), 5000);
                const [kind, address] = code.split(" ");
                if (kind === "fetch") fetch(address).catch(() => null);
                if (kind === "socket") try { new WebSocket(address); } catch { /* the policy speaks first */ }
                if (kind === "image") new Image().src = address;
            })""",
            expression,
        )
    )


def test_page_can_connect_to_nothing(visitor: Visitor) -> None:
    visitor.open()
    for attempt in ("fetch http://127.0.0.1:9/", "socket ws://127.0.0.1:9/", "image http://127.0.0.1:9/a.png"):
        assert refused(visitor.page, attempt), attempt
    visitor.page.goto(visitor.address)  # which has an icon of its own: the browser asks for none that is not there
    visitor.ready()
    visitor.complaints.clear()  # the browser has named what it refused
    visitor.asked[:] = [url for url in visitor.asked if ":9/" not in url]  # refused before anything was sent


def test_nothing_stays_but_settings_and_the_page_itself(visitor: Visitor, recording: object) -> None:
    visitor.open()
    visitor.hear(recording)  # type: ignore[arg-type]
    visitor.page.get_by_role("button", name="Listen").click()
    expect(visitor.page.get_by_role("button", name="Stop")).to_be_visible()
    visitor.page.get_by_role("button", name="Stop").click()
    visitor.page.evaluate("navigator.serviceWorker.ready.then(() => null)")
    stored = visitor.page.evaluate(STORED)
    assert stored["local"] == ["affectd.settings"]
    assert (stored["session"], stored["databases"], stored["cookies"]) == (0, 0, "")
    assert all(url.startswith(visitor.address) for url in stored["caches"])


def test_headers_isolate_the_page(visitor: Visitor) -> None:
    answer = visitor.page.goto(visitor.address)
    assert answer is not None
    headers = answer.headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "connect-src 'self';" in headers["content-security-policy"]
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cross-origin-embedder-policy"] == "require-corp"
    assert visitor.page.evaluate("crossOriginIsolated")
    visitor.ready()
