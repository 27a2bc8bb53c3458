"""A real Home Assistant, headless, in its own Debian root, and what it says over its REST interface."""

import contextlib
import json
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from tests.conftest import ROOT, free_port, until

DEBIAN = ROOT / ".cache" / "homeassistant"
CLIENT = "http://127.0.0.1/"


class House:
    """Home Assistant with one integration: MQTT, at the given broker; ``more`` goes into its configuration.yaml."""

    def __init__(self, broker_port: int, more: str = "") -> None:
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="house-", dir=DEBIAN / "srv"))
        (self.folder / "configuration.yaml").write_text(
            f"http:\n  server_host: 127.0.0.1\n  server_port: {self.port}\napi:\nlogger:\n  default: warning\n" + more
        )
        moment = "2026-01-01T00:00:00+00:00"
        entry = {
            "created_at": moment, "modified_at": moment, "entry_id": "affectdtest", "domain": "mqtt", "title": "broker",
            "data": {"broker": "127.0.0.1", "port": broker_port}, "options": {"discovery": True}, "source": "user",
            "version": 1, "minor_version": 2, "unique_id": None, "disabled_by": None, "discovery_keys": {},
            "subentries": [], "pref_disable_new_entities": False, "pref_disable_polling": False,
        }  # fmt: skip
        storage = self.folder / ".storage"
        storage.mkdir()
        document = {"version": 1, "minor_version": 5, "key": "core.config_entries", "data": {"entries": [entry]}}
        (storage / "core.config_entries").write_text(json.dumps(document))
        self._process: subprocess.Popen[bytes] | None = None
        self._token = ""

    def start(self) -> "House":
        inside = f"/{self.folder.relative_to(DEBIAN)}"
        # In a mount namespace of its own, so that /proc and /dev are there for it alone, and are gone with it.
        enter = 'mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot "$0" "$@"'
        hass = ["/srv/venv/bin/hass", "-c", inside, "--skip-pip"]
        self._process = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", enter, DEBIAN, *hass],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": inside, "LANG": "C.UTF-8"},
        )
        until(self._answers, 240)
        if not self._token:
            self._token = self._join()
        until(lambda: self._get("config")["state"] == "RUNNING", 240)
        return self

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(60)
            self._process = None

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def settle(self) -> dict[str, object]:
        """Leave the welcome behind; returns what the frontend keeps of a person who has logged in."""
        for step, answer in (("core_config", {}), ("analytics", {}), ("integration", {"redirect_uri": CLIENT})):
            self._post(f"/api/onboarding/{step}", {"client_id": CLIENT, **answer})
        url = f"http://127.0.0.1:{self.port}"
        return {
            "hassUrl": url, "clientId": CLIENT, "access_token": self._token, "refresh_token": "",
            "token_type": "Bearer", "expires_in": 1800, "expires": round(time.time() + 1800) * 1000,
        }  # fmt: skip

    def activity(self) -> list[dict[str, object]]:
        """What the logbook has to say of today."""
        return self._get("logbook")

    def states(self) -> dict[str, str]:
        return {entity["entity_id"]: entity["state"] for entity in self._get("states")}

    def attributes(self, entity: str) -> dict[str, object]:
        return self._get(f"states/{entity}")["attributes"]

    def call(self, service: str, entity: str, **data: object) -> None:
        self._post(f"/api/services/{service}", {"entity_id": entity, **data})

    def registry(self) -> list[dict[str, object]]:
        """The entities of MQTT that Home Assistant has written down."""
        with contextlib.suppress(OSError, json.JSONDecodeError):
            document = json.loads((self.folder / ".storage" / "core.entity_registry").read_text())
            return [entity for entity in document["data"]["entities"] if entity["platform"] == "mqtt"]
        return []

    def log(self) -> str:
        """Of this run and of the one before."""
        logs = sorted(self.folder.glob("home-assistant.log*"))
        return "".join(path.read_text(errors="replace") for path in logs)

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/onboarding", timeout=5).close()
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False
        return True

    def _join(self) -> str:
        """Become the first user, as a person does on the first day; returns the access token."""
        person = {"client_id": CLIENT, "name": "Test", "username": "test", "password": "test", "language": "en"}
        code = self._post("/api/onboarding/users", person)["auth_code"]
        form = {"client_id": CLIENT, "grant_type": "authorization_code", "code": code}
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/auth/token", urllib.parse.urlencode(form).encode()
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["access_token"]

    def _get(self, path: str) -> object:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/api/{path}", headers=self._headers())
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def _post(self, path: str, body: object) -> dict[str, str]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", json.dumps(body).encode(), headers=self._headers()
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json"}
        return headers | {"Authorization": f"Bearer {self._token}"} if self._token else headers
