"""Voices on disk between runs."""

import json
import logging
import stat
from pathlib import Path

import msgspec
import numpy as np
import pytest

from edge.model.bundle import Bundle
from edge.model.manifest import VOICE
from edge.model.voice_store import FILE_NAME, VoiceStore
from tests.edge.model.test_voices import WIDTH, said
from tests.speakers import telling_apart


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return telling_apart(tmp_path_factory.mktemp("store") / "light", Bundle.load().path.with_name("light"))


def opened(bundle: Bundle, path: Path | None) -> VoiceStore:
    voices = bundle.voices(adapt=True)
    assert voices is not None
    return VoiceStore(voices, bundle, path)


def peopled(bundle: Bundle, path: Path | None) -> VoiceStore:
    """Two voices, the first of whom has a history and a name."""
    store = opened(bundle, path)
    for take, person in enumerate([0, 0, 1, 1, 0]):
        store.voices.hear(said(person, take))
    first = store.voices.kept[0]
    store.voices.name(first, "Anna")
    assert first.history is not None
    first.history.observe(np.ones((4, first.history.features), np.float32), np.ones(first.history.embedding))
    store.voices.kept[1].ignored = True
    return store


def test_voices_outlive_the_process_with_names_and_histories(bundle: Bundle, tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    before = peopled(bundle, path)
    before.save()
    after = opened(bundle, path).voices
    assert [(one.id, one.name, one.ignored, one.utterances) for one in after.kept] == [
        ("v1", "Anna", False, 3), ("v2", "", True, 2),
    ]  # fmt: skip
    for old, new in zip(before.voices.kept, after.kept, strict=True):
        assert np.array_equal(old.direction, new.direction)
        assert old.history is not None
        assert new.history is not None
        assert old.history.state() == new.history.state()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    after.hear(said(2, 0))
    assert after.hear(said(2, 1)).id == "v3"  # no id is given twice


def test_a_file_that_nothing_changed_is_not_written_again(bundle: Bundle, tmp_path: Path) -> None:
    store = peopled(bundle, tmp_path / FILE_NAME)
    store.save()
    (tmp_path / FILE_NAME).unlink()
    store.save()
    assert not (tmp_path / FILE_NAME).exists()


def test_another_bundle_with_the_same_network_knows_the_voices_without_their_histories(
    bundle: Bundle, tmp_path: Path
) -> None:
    path = tmp_path / FILE_NAME
    peopled(bundle, path).save()
    edited(path, bundle="sha256:another")
    after = opened(bundle, path).voices
    assert [one.name for one in after.kept] == ["Anna", ""]
    assert [one.history.utterances if one.history else None for one in after.kept] == [0, 0]


def edited(path: Path, **changed: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))


DAMAGED = [
    {"network": "sha256:another"}, {"format": 2}, {"voices": 7}, {"founded": -1},
    {"voices": [{"id": "v1", "utterances": 2, "direction": "AAAA"}]},
    {"voices": [{"id": "v1", "utterances": 2, "direction": ""}]},
    {"voices": [{"id": "v1", "utterances": 2, "direction": "AADAfw=="}]},
    {"voices": [{"id": "../v1", "utterances": 2, "direction": "AACAPw=="}]},
]  # fmt: skip


@pytest.mark.parametrize("changed", DAMAGED)
def test_a_file_of_another_network_or_a_damaged_one_is_said_in_one_line(
    bundle: Bundle, tmp_path: Path, caplog: pytest.LogCaptureFixture, changed: dict[str, object]
) -> None:
    path = tmp_path / FILE_NAME
    peopled(bundle, path).save()
    edited(path, **changed)
    with caplog.at_level(logging.WARNING):
        assert not opened(bundle, path).voices.kept
    (line,) = caplog.messages
    assert str(path) in line
    assert "afresh" in line


def test_no_id_of_another_network_returns(bundle: Bundle, tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    peopled(bundle, path).save()
    edited(path, network="sha256:another")
    voices = opened(bundle, path).voices
    voices.hear(said(0, 0))
    assert voices.hear(said(0, 1)).id == "v3"


def test_a_folder_that_cannot_be_written_is_said_at_the_start_and_once(
    bundle: Bundle, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        store = peopled(bundle, tmp_path / "absent" / FILE_NAME)
        store.save()
    (line,) = caplog.messages
    assert "kept in memory alone" in line
    assert [one.name for one in store.voices.kept] == ["Anna", ""]


def test_forgetting_removes_the_file_and_what_it_held(bundle: Bundle, tmp_path: Path) -> None:
    store = peopled(bundle, tmp_path / FILE_NAME)
    store.save()
    directions = [one.direction for one in store.voices.kept]
    store.forget()
    assert not list(tmp_path.iterdir())
    assert not np.concatenate(directions).any()
    store.save()
    assert msgspec.json.decode((tmp_path / FILE_NAME).read_bytes())["voices"] == []


def test_in_memory_alone_nothing_is_written(bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = peopled(bundle, None)
    store.save()
    store.forget()
    assert not list(tmp_path.iterdir())


def test_the_file_names_the_network_that_hears_the_directions(bundle: Bundle, tmp_path: Path) -> None:
    peopled(bundle, tmp_path / FILE_NAME).save()
    kept = json.loads((tmp_path / FILE_NAME).read_text())
    assert kept["network"] == bundle.manifest.files[VOICE]
    assert len(msgspec.convert(kept["voices"][0]["direction"], bytes, strict=False)) == WIDTH * 4
