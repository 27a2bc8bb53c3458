import hashlib
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from install.device.machine import ARCHITECTURES
from install.lock import LOCK, PYTHONS, dependencies, render, without_installer
from install.wheelhouse import requirement
from tests.conftest import ROOT

PIN = re.compile(
    r"^(?P<name>[a-z0-9-]+)==(?P<version>\S+)(?P<hashes>(?: \\\n    --hash=sha256:[0-9a-f]{64})+)$", re.MULTILINE
)


def pins() -> dict[str, tuple[str, int]]:
    return {
        canonicalize_name(pin["name"]): (pin["version"], pin["hashes"].count("sha256"))
        for pin in PIN.finditer(LOCK.read_text())
    }


def test_every_dependency_is_pinned_within_its_bounds() -> None:
    """Fails when pyproject.toml changed and `make lock` was forgotten."""
    for text in dependencies(ROOT):
        requirement = Requirement(text)
        version, _ = pins()[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), f"{requirement} is pinned to {version}: make lock"


def test_nothing_else_is_in_the_lock() -> None:
    lines = [line for line in LOCK.read_text().splitlines() if not line.startswith("#")]
    assert sum(1 + count for _, count in pins().values()) == len(lines)
    assert "://" not in LOCK.read_text()
    assert not re.search(r"index|registry|\.org|\.io\b", LOCK.read_text())


@pytest.mark.parametrize("name", ["numpy", "onnxruntime", "webrtcvad-wheels", "cffi"])
def test_what_is_compiled_for_each_python_has_a_wheel_for_each_target(name: str) -> None:
    assert pins()[name][1] == len(ARCHITECTURES) * len(PYTHONS)


def test_the_runtime_that_dies_on_a_raspberry_pi_4_is_not_in_it() -> None:
    assert not pins()["onnxruntime"][0].startswith("1.21.")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (runtime,) = (Requirement(text) for text in project["dependencies"] if text.startswith("onnxruntime"))
    assert not runtime.specifier.contains("1.21.0")


def test_pip_travels_but_is_not_installed() -> None:
    lock = render({"pip": ("26.0", {"a" * 64}), "numpy": ("2.0", {"b" * 64, "c" * 64}), "pyyaml": ("6.0", {"d" * 64})})
    kept = without_installer(lock)
    assert "pip==" not in kept
    assert "a" * 64 not in kept
    assert [pin["name"] for pin in PIN.finditer(kept)] == ["numpy", "pyyaml"]


def test_a_wheel_is_required_by_its_path_and_hash_for_the_pythons_that_it_was_gathered_for(tmp_path: Path) -> None:
    """By its name alone it would not do: soxr's cp312-abi3 suits 3.13, and not 3.11."""
    wheel = tmp_path / "wheels" / "soxr-1.1.0-cp312-abi3-linux_x86_64.whl"
    wheel.parent.mkdir()
    wheel.write_bytes(b"")
    hashed = f"--hash=sha256:{hashlib.sha256(b'').hexdigest()}\n"
    assert requirement(wheel, tmp_path) == f"./wheels/{wheel.name} {hashed}"
    both = 'python_version == "3.12" or python_version == "3.13"'
    assert requirement(wheel, tmp_path, ((3, 12), (3, 13))) == f"./wheels/{wheel.name}; {both} {hashed}"
