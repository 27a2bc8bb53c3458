"""Whether the clock is synchronised, from whoever may be asked."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.daemon import clock


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """No answer of another test is remembered."""
    clock._state.cache_clear()
    yield
    clock._state.cache_clear()


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A sandbox in which the kernel cannot be asked, nor has timesyncd said anything; returns timesyncd's file."""

    class Library:
        def adjtimex(self, _timex: object) -> int:
            return -1

    monkeypatch.setattr(clock.ctypes, "CDLL", lambda _name: Library())
    monkeypatch.setattr(clock, "_TIMESYNCD", tmp_path / "synchronized")
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path / "synchronized"


def timedatectl(folder: Path, script: str) -> None:
    program = folder / "timedatectl"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


@pytest.mark.parametrize(("script", "state"), [("echo yes", "synced"), ("echo no", "unsynced"), ("exit 1", "unsynced")])
def test_chrony_is_known_by_what_timedated_says(refused: Path, tmp_path: Path, script: str, state: str) -> None:
    timedatectl(tmp_path, script)
    assert clock.clock_state() == state


def test_timesyncd_is_believed_without_asking_further(refused: Path) -> None:
    refused.touch()
    assert clock.clock_state() == "synced"


def test_nobody_to_ask_is_unsynced(refused: Path) -> None:
    assert clock.clock_state() == "unsynced"


def test_events_in_a_row_do_not_start_a_program_each(refused: Path, tmp_path: Path) -> None:
    timedatectl(tmp_path, f"echo x >> {tmp_path}/asked; echo yes")
    clock._state(0)
    clock._state(0)
    assert (tmp_path / "asked").read_text() == "x\n"
    clock._state(1)
    assert (tmp_path / "asked").read_text() == "x\nx\n"
