"""A stand-in for the Supervisor, from its documentation: the MQTT service, for whoever has the token.

https://developers.home-assistant.io/docs/api/supervisor/endpoints/#service
"""

import http.server
import json
import threading

TOKEN = "a-token"


class Supervisor:
    """Answers ``GET /services/mqtt`` with ``service``, or, where that is None, that there is none."""

    def __init__(self, service: dict[str, object] | None, host: str = "127.0.0.1", port: int = 0) -> None:
        self.asked = 0
        supervisor = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                supervisor.asked += 1
                if self.headers["Authorization"] != f"Bearer {TOKEN}":
                    self._answer(401, {"result": "error", "message": "unauthorized"})
                elif self.path != "/services/mqtt":
                    self._answer(404, {"result": "error", "message": "Service does not exist"})
                elif service is None:
                    self._answer(400, {"result": "error", "message": "Service not enabled"})
                else:
                    self._answer(200, {"result": "ok", "data": service})

            def _answer(self, code: int, body: object) -> None:
                self.send_response(code)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer((host, port), Handler)
        self.url = f"http://{host}:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def mosquitto_app(**changed: object) -> dict[str, object]:
    """What the app Mosquitto broker offers."""
    offered = {
        "addon": "core_mosquitto", "host": "core-mosquitto", "port": 1883, "ssl": False, "protocol": "3.1.1",
        "username": "addons", "password": "secret",
    }  # fmt: skip
    return {key: value for key, value in (offered | changed).items() if value is not None}
