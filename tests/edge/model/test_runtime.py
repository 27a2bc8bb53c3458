import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from edge.model.bundle import DEFAULT
from edge.model.runtime import open_session
from tests.conftest import ROOT

ENTRANCES = ("edge.model.runtime", "edge.cli", "train.__main__", "export.__main__", "app.bundles", "benchmarks.measure")


@pytest.mark.parametrize("module", ENTRANCES)
def test_telemetry_of_the_runtime_is_off_whatever_the_environment_says(module: str) -> None:
    code = (
        f"import os, sys; sys.argv = ['x', '--help']; import {module};"
        "assert 'onnxruntime' not in sys.modules; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    )
    environment = os.environ | {"ORT_DISABLE_TELEMETRY": "0"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines()[-1:] == ["1"], done.stderr


def test_the_runtime_is_imported_where_its_telemetry_is_off_alone() -> None:
    """Whoever adds an import of onnxruntime sees to it that edge is imported before, and adds the file here."""
    importing = re.compile(r"(?m)^\s*(?:import|from) onnxruntime\b")
    folders = ("edge", "train", "export", "app", "install", "benchmarks", "tests")
    found = {
        str(path.relative_to(ROOT))
        for folder in folders
        for path in Path(ROOT, folder).rglob("*.py")
        if importing.search(path.read_text(encoding="utf-8"))
    }
    assert found == {
        "benchmarks/accuracy/cheaper.py",
        "benchmarks/hotspots.py",
        "edge/model/runtime.py",
        "export/graphs.py",
        "export/voices.py",
        "tests/edge/vad/test_silero.py",
    }


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="there are no files in memory here")
def test_a_session_keeps_no_copy_of_its_graph() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    session = open_session((DEFAULT / "coalitions.onnx").read_bytes(), "coalitions.onnx")
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert not [name for name, value in vars(session).items() if isinstance(value, bytes)]


def test_a_bundle_is_opened_where_no_file_may_be_written() -> None:
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0));"
        "from edge.model.bundle import Bundle; print(Bundle.load().name)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == ["default"], done.stderr
