"""Real sounds behind speech, and what stands for them where there are none."""

import logging
from pathlib import Path

import numpy as np
import pytest

from edge.errors import UsageError
from train.settings import sounds_folder
from train.sounds import SHARES, Sounds, side_of, stretch_of, warn_of_absence


def test_training_and_evaluation_share_no_sound(sounds: Path) -> None:
    sides = [{path for kind in SHARES[side] for path in Sounds(sounds, side).paths(kind)} for side in SHARES]
    assert all(sides)
    assert not sides[0] & sides[1]


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("rooms", "rooms/House-calm-20190626182653-d14a028c-0470c0.opus", "rooms/Roads-20190626192527-ffff-1.opus"),
        ("noises", "noises/Dog_bark_1-100032-A.opus", "noises/Dog_bark_5-100032-B.opus"),
        ("voices-without-words", "voices-without-words/a.opus", "voices-without-words/b.opus"),
    ],
)
def test_cuts_of_one_recording_are_on_one_side(kind: str, one: str, other: str) -> None:
    for speaker in map(str, range(20)):  # of voices, one speaker is one recording
        rows = [{"kind": kind, "path": path, "speaker": speaker, "label": ""} for path in (one, other)]
        assert side_of(rows[0]) == side_of(rows[1])


def test_noise_is_as_long_as_asked_for_of_unit_power_and_seeded(sounds: Path) -> None:
    found = Sounds(sounds, "training")
    for seed in range(20):
        noise = found.draw(40_000, np.random.default_rng(seed))
        assert len(noise) == 40_000
        assert np.mean(noise**2) == pytest.approx(1, rel=1e-3)
        np.testing.assert_array_equal(noise, found.draw(40_000, np.random.default_rng(seed)))


def test_a_short_sound_goes_round_without_a_gap() -> None:
    tone = np.sin(np.arange(4000) * 0.05).astype(np.float32)
    found = stretch_of(tone, 30_000, np.random.default_rng(1))
    assert len(found) == 30_000
    assert np.abs(np.diff(found)).max() < 0.2
    assert np.sqrt(np.mean(found.reshape(-1, 1000) ** 2, axis=1)).min() > 0.5


def test_the_silence_around_a_bark_is_not_made_loud() -> None:
    bark = np.zeros(80_000, np.float32)
    bark[60_000:62_000] = 0.5
    for seed in range(10):
        found = stretch_of(bark, 16_000, np.random.default_rng(seed))
        assert np.mean(found**2) == pytest.approx(1, rel=1e-3)


def test_without_sounds_noise_is_coloured_which_is_said_in_one_sentence(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    absent = Sounds(tmp_path / "none", "training")
    assert not absent.present
    assert np.mean(absent.draw(16_000, np.random.default_rng(1)) ** 2) == pytest.approx(1, rel=1e-3)
    with caplog.at_level(logging.WARNING):
        warn_of_absence(absent.folder)
        warn_of_absence(absent.folder)
    assert len(caplog.records) == 1
    assert "coloured noise" in caplog.text


def test_evaluation_without_sounds_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="AFFECTD_SOUNDS"):
        Sounds(tmp_path, "evaluation").require()


def test_a_manifest_that_is_none_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text("file,what\na.wav,noise\n")
    with pytest.raises(UsageError, match="no list of sounds"):
        Sounds(tmp_path, "training").paths("rooms")


def test_the_real_sounds_have_both_sides_of_every_kind() -> None:
    folder = sounds_folder()
    if not (folder / "manifest.csv").is_file():
        pytest.skip(f"no sounds at {folder}; set AFFECTD_SOUNDS")
    for kind in ("rooms", "noises", "voices-without-words"):
        counts = [len(Sounds(folder, side).paths(kind)) for side in SHARES]
        assert 0.05 < counts[1] / sum(counts) < 0.4, kind
