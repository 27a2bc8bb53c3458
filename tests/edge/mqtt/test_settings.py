"""The settings file: what it says holds, and what it cannot say means muted."""

from pathlib import Path

import pytest

from edge.mqtt.settings import Settings, load, save


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    for settings in (Settings(listening=False), Settings(threshold=0.5)):
        save(path, settings)
        assert load(path) == settings
    assert [found.name for found in tmp_path.iterdir()] == ["settings.json"]


def test_where_nothing_was_ever_saved_the_defaults_hold(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert load(tmp_path / "settings.json") == Settings(listening=True, threshold=None)
    assert load(tmp_path / "no folder" / "settings.json").listening
    assert not caplog.messages


@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 40, b'{"listening":fal', b'{"listening":"no"}', b'{"threshold":7}', b"[]", b"\xff", b"[" * 100_000],
)
def test_a_damaged_file_means_muted_and_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    path = tmp_path / "settings.json"
    path.write_bytes(content)
    assert load(path) == Settings(listening=False)
    (sentence,) = caplog.messages
    assert str(path) in sentence
    assert "muted" in sentence


def test_a_file_that_cannot_be_read_means_muted(tmp_path: Path) -> None:
    (tmp_path / "settings.json").mkdir()
    assert not load(tmp_path / "settings.json").listening
