"""The diagnostics for Prometheus, over HTTP, on the loopback interface unless configured otherwise."""

import http.server
import threading
from collections.abc import Callable

import msgspec

from edge.daemon.diagnostics import Diagnostics
from edge.errors import AffectdError

_COUNTERS = {
    "events", "dropped_events", "expired_events", "dropped_audio_s", "microphone_losses", "connections",
    "refused_commands",
}  # fmt: skip


def exposition(diagnostics: Diagnostics, node: str) -> str:
    """Every number of the diagnostics in Prometheus' text format, with all of its digits."""
    lines = []
    for name, value in msgspec.structs.asdict(diagnostics).items():
        if name == "journal":
            name, value = "journal_degraded", int(value == "degraded")  # noqa: PLW2901
        if name == "schema" or not isinstance(value, int | float):
            continue
        metric = f"affectd_{name}_total" if name in _COUNTERS else f"affectd_{name}"
        kind = "counter" if name in _COUNTERS else "gauge"
        lines += [f"# TYPE {metric} {kind}", f'{metric}{{node="{node}"}} {value!r}']
    return "\n".join(lines) + "\n"


def serve(host: str, port: int, page: Callable[[], str]) -> http.server.ThreadingHTTPServer:
    """Answer ``GET /metrics`` with ``page()`` on threads of their own; AffectdError where the port is taken."""

    class Handler(http.server.BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            found = self.path == "/metrics"
            body = page().encode() if found else b"see /metrics\n"
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """A scrape every few seconds is no news."""

    try:
        server = http.server.ThreadingHTTPServer((host, port), Handler)
    except OSError as error:
        raise AffectdError(
            f"port {port} of {host} cannot be opened ({error.strerror}): see health.prometheus_port"
        ) from None
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="prometheus", daemon=True).start()
    return server
