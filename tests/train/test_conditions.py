"""The conditions of evaluation: made of any recording, always the same, and none of what training has heard."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from edge.errors import UsageError
from train import microphones
from train.augmentation import PLACES, change_of
from train.conditions import CONDITIONS, FAR_LEVEL, condition
from train.corpora import read_folders
from train.recordings import Change, decode, features_of

SPEECH = (0.1 * np.sin(np.arange(16_000) * 0.1) * np.hanning(16_000)).astype(np.float32)


def change(name: str, cache: Path, sounds: Path) -> Change:
    found = condition(name, cache, sounds)
    assert found is not None
    return found[1]


@pytest.fixture(scope="module")
def cache(folder: Path) -> Path:
    return folder / "conditions"


def test_near_is_the_recording(cache: Path, sounds: Path, tmp_path: Path) -> None:
    assert condition("near", cache, sounds) is None
    assert condition("near", cache, tmp_path) is None  # and needs no sounds


@pytest.mark.parametrize("name", CONDITIONS[1:])
def test_a_condition_is_seeded_and_as_long_as_the_recording(name: str, cache: Path, sounds: Path) -> None:
    make = change(name, cache, sounds)
    heard = make(SPEECH, np.random.default_rng(3))
    assert heard.dtype == np.float32
    assert len(heard) == len(SPEECH)
    np.testing.assert_array_equal(heard, make(SPEECH, np.random.default_rng(3)))
    assert not np.array_equal(heard, make(SPEECH, np.random.default_rng(4)))


def test_far_is_quiet(cache: Path, sounds: Path) -> None:
    heard = change("far", cache, sounds)(SPEECH, np.random.default_rng(1))
    assert 20 * np.log10(microphones.rms(heard)) == pytest.approx(FAR_LEVEL, abs=0.5)


def test_noisy_has_its_noise_5_to_15_db_below(cache: Path, sounds: Path) -> None:
    for seed in range(8):
        added = change("noisy", cache, sounds)(SPEECH, np.random.default_rng(seed)) - SPEECH
        assert 4.9 < 20 * np.log10(microphones.rms(SPEECH) / microphones.rms(added)) < 15.1


def test_narrow_has_nothing_above_its_band(cache: Path, sounds: Path) -> None:
    hiss = (0.05 * np.random.default_rng(1).standard_normal(16_000)).astype(np.float32)
    for seed in range(8):
        power = np.abs(np.fft.rfft(change("narrow", cache, sounds)(hiss, np.random.default_rng(seed)))) ** 2
        assert power[4_200:].sum() < 0.02 * power.sum()


def test_a_condition_follows_from_a_clips_content_and_is_kept_apart_from_copies(
    corpus: Path, sounds: Path, tmp_path: Path
) -> None:
    clips = read_folders([corpus])[:2]
    first = features_of(clips, corpus, tmp_path, change=condition("far", tmp_path, sounds))
    features_of(clips, corpus, tmp_path, change=change_of("far", tmp_path, sounds))
    again = features_of(clips[::-1], corpus, tmp_path / "elsewhere", change=condition("far", tmp_path, sounds))[::-1]
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)
    names = sorted(path.name.partition("-")[0] for path in tmp_path.glob("*/*far*"))
    assert names == ["far", "heard"]


@pytest.mark.parametrize("name", sorted(PLACES))
def test_a_training_copy_is_seeded_and_never_in_a_room_of_evaluation(name: str, cache: Path, sounds: Path) -> None:
    _, make = change_of(name, cache, sounds)
    assert isinstance(make, partial)
    around = make.keywords["around"]
    assert (around.rooms.side, around.sounds.side) == ("training", "training")
    heard = make(SPEECH, np.random.default_rng(3))
    assert np.isfinite(heard).all()
    np.testing.assert_array_equal(heard, make(SPEECH, np.random.default_rng(3)))


def test_a_second_copy_of_a_kind_is_another(cache: Path, sounds: Path) -> None:
    heard = [change_of(name, cache, sounds)[1](SPEECH, np.random.default_rng(3)) for name in ("noisy", "noisy2")]
    assert not np.array_equal(*heard)


def test_other_sounds_make_other_copies(cache: Path, sounds: Path, tmp_path: Path) -> None:
    assert change_of("noisy", cache, sounds)[0] != change_of("noisy", cache, tmp_path)[0]


def test_a_condition_or_a_copy_that_does_not_exist_is_one_sentence(cache: Path, sounds: Path) -> None:
    with pytest.raises(UsageError, match=r"No condition is called loud; choose one of near, far, noisy, narrow"):
        condition("loud", cache, sounds)
    with pytest.raises(UsageError, match="No augmented copy is called loud"):
        change_of("loud", cache, sounds)


def test_the_paths_of_a_second_data_folder_are_found_from_the_first(corpus: Path, tmp_path: Path) -> None:
    text = (corpus / "manifest.csv").read_text().splitlines()
    (tmp_path / "manifest.csv").write_text("path,corpus,speaker,emotion\nown.wav,own,ann,sad\n")
    (tmp_path / "own.wav").write_bytes((corpus / "f1" / "sad_0.wav").read_bytes())
    clips = read_folders([corpus, tmp_path])
    assert len(clips) == len(text)
    assert clips[-1].corpus == "own"
    np.testing.assert_array_equal(decode(corpus / clips[-1].path), decode(tmp_path / "own.wav"))
