"""The units as systemd itself judges them."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from install.device.layout import UNITS
from tests.conftest import ROOT

SYSTEMD = ROOT / "systemd"
WORST_EXPOSURE = 1.5

needs_systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")


@pytest.fixture(params=UNITS)
def unit(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A unit as it is installed, its program being there."""
    program = tmp_path / "current/bin/affectd"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    path = tmp_path / request.param
    path.write_text(
        (SYSTEMD / request.param).read_text().replace("@PREFIX@", str(tmp_path)).replace("@MEMORY@", "400M")
    )
    return path


@needs_systemd
def test_systemd_finds_nothing_wrong(unit: Path) -> None:
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )
    ours = [line for line in done.stderr.splitlines() if "affectd" in line or str(unit) in line]
    assert ours == []
    assert done.returncode == 0


@needs_systemd
def test_the_sandbox_is_tight(unit: Path) -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert exposure is not None, done.stdout + done.stderr
    assert float(exposure[1]) <= WORST_EXPOSURE, done.stdout


def directives(unit: str) -> list[str]:
    lines = (SYSTEMD / unit).read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_an_instance_differs_in_nothing_but_what_is_its_own() -> None:
    one, each = map(directives, UNITS)
    differing = [(ours, theirs) for ours, theirs in zip(one, each, strict=True) if ours != theirs]
    assert [theirs.partition("=")[0] for _, theirs in differing] == ["Description", "ExecStart"]
    assert all("%i" in theirs for _, theirs in differing)


def test_every_line_of_the_sandbox_has_its_reason() -> None:
    """A comment stands over each group of directives from the resources on; a group is at most six lines."""
    text = (SYSTEMD / UNITS[0]).read_text()
    sandbox = text[text.index("MemoryMax=") :]
    longest = max(
        len(re.findall(r"^\w+=", group, re.MULTILINE))
        for group in re.split(r"(?:^#.*\n)+", sandbox, flags=re.MULTILINE)
    )
    assert longest <= 7
    assert sandbox.count("#") >= 12


def test_a_second_start_waits_for_no_network() -> None:
    assert not any("network-online" in line for line in directives(UNITS[0]))
    assert "Type=notify" in directives(UNITS[0])
    assert "WatchdogSec=60" in directives(UNITS[0])
    assert "TimeoutStartSec=60" in directives(UNITS[0])
