"""Which folder a node keeps its state in."""

import os
from pathlib import Path

import pytest

from edge.daemon.state import state_folder
from edge.errors import UsageError


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A user without a line in the password file, and not of systemd's."""
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    for name in ("STATE_DIRECTORY", "XDG_STATE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.mark.parametrize("home", [None, "/"])
def test_a_user_without_a_home_is_told_which_setting_to_use(person: pytest.MonkeyPatch, home: str | None) -> None:
    if home:
        person.setenv("HOME", home)
    with pytest.raises(UsageError, match=r"user 12345 has no home .* set `state_directory`"):
        state_folder(None, "kitchen")
    assert state_folder("/data", "kitchen") == Path("/data/nodes/kitchen")


def test_a_home_or_a_place_for_state_will_do(person: pytest.MonkeyPatch) -> None:
    person.setenv("HOME", "/home/me")
    assert state_folder(None, "kitchen") == Path("/home/me/.local/state/affectd/nodes/kitchen")
    person.setenv("XDG_STATE_HOME", "/var/me")
    assert state_folder(None, "kitchen") == Path("/var/me/affectd/nodes/kitchen")
