"""Node with onnxruntime-web, where it is installed: by ``npm ci`` in web/, or wherever NODE_PATH leads."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT


def node(*arguments: str | Path) -> str:
    """What a script prints; the test is skipped without node or onnxruntime-web."""
    folders = [str(ROOT / "web" / "node_modules"), *filter(None, os.environ.get("NODE_PATH", "").split(os.pathsep))]
    if shutil.which("node") is None or not any((Path(folder) / "onnxruntime-web").exists() for folder in folders):
        pytest.skip("no node with onnxruntime-web: run npm ci in web/, or set NODE_PATH")
    environment = os.environ | {"NODE_PATH": os.pathsep.join(folders)}
    done = subprocess.run(
        ["node", *map(str, arguments)], env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout
