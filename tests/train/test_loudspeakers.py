"""Speech out of a loudspeaker, and people in the same rooms: what differs between them, and that nothing else does."""

from pathlib import Path

import numpy as np
import pytest

from edge.audio import SAMPLE_RATE
from train import loudspeakers, microphones
from train.loudspeakers import FAMILIES, Scene
from train.surroundings import Surroundings

pytest.importorskip("pyroomacoustics", reason="rooms are drawn by pyroomacoustics: pip install 'affectd[train]'")

SPEECH = (0.1 * np.sin(np.arange(16_000) * 0.1) * np.hanning(16_000)).astype(np.float32)


def tone(hertz: float) -> np.ndarray:
    return np.sin(2 * np.pi * hertz * np.arange(SAMPLE_RATE) / SAMPLE_RATE).astype(np.float32)


def power_at(samples: np.ndarray, hertz: int) -> float:
    """Power within 10 Hz, dB; ``samples`` last a second."""
    return float(10 * np.log10((np.abs(np.fft.rfft(samples))[hertz - 10 : hertz + 11] ** 2).sum() + 1e-12))


@pytest.fixture
def around(folder: Path, sounds: Path) -> Surroundings:
    return Surroundings.of("evaluation", folder / "conditions", sounds)


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_a_loudspeaker_loses_the_bass_below_its_band(family: loudspeakers.Family) -> None:
    hiss = np.random.default_rng(1).standard_normal(SAMPLE_RATE).astype(np.float32)
    for seed in range(4):
        played = np.abs(np.fft.rfft(family.play(hiss, np.random.default_rng(seed)))) ** 2
        lowest = int(family.low[0] / 2)
        assert played[20:lowest].mean() < 0.3 * played[500:3000].mean()


def test_a_driven_loudspeaker_adds_harmonics_and_a_good_one_hardly_any() -> None:
    added = {
        name: np.mean(
            [
                power_at(played, 1200) - power_at(played, 600)
                for played in (FAMILIES[name].play(tone(600), np.random.default_rng(seed)) for seed in range(8))
            ]
        )
        for name in ("telephone", "bookshelf")
    }
    assert added["bookshelf"] < -40
    assert -40 < added["telephone"] < -15


def test_a_broadcast_evens_out_what_is_quiet_and_what_is_loud() -> None:
    sound = np.concatenate([0.05 * tone(500), tone(500)])
    for seed in range(5):
        even = loudspeakers.compressed(sound, np.random.default_rng(seed))
        quiet, loud = (microphones.rms(part) for part in (even[4_000:16_000], even[20_000:]))
        assert 1 < loud / quiet < 16


def test_a_programme_is_as_long_as_what_is_said_and_keeps_within_full_scale() -> None:
    for seed in range(6):
        heard = loudspeakers.programme(SPEECH, np.random.default_rng(seed), "training", music=seed % 2 == 0)
        assert len(heard) == len(SPEECH)
        assert np.abs(heard).max() <= 1


def test_music_of_evaluation_is_none_of_training() -> None:
    major, minor = (loudspeakers.bed(32_000, np.random.default_rng(3), side) for side in ("training", "evaluation"))
    assert microphones.rms(major) == pytest.approx(1)
    assert microphones.rms(minor) == pytest.approx(1)
    assert abs(np.corrcoef(major, minor)[0, 1]) < 0.9


def scene(around: Surroundings, what: Scene, own: int = 1, device: int = 3) -> np.ndarray:
    generators = (np.random.default_rng(seed) for seed in (own, 2, device))
    return what.heard(SPEECH, around, *generators)


def test_a_person_sounds_the_same_whatever_loudspeaker_is_silent(around: Surroundings) -> None:
    television, radio = (
        scene(around, Scene(False, family, False, "far"), own) for own, family in enumerate(("television", "radio"))
    )
    np.testing.assert_array_equal(television, radio)


def test_a_loudspeaker_in_place_of_a_person_changes_the_sound_and_not_its_length(around: Surroundings) -> None:
    live, played = (scene(around, Scene(played, "radio", False, "near")) for played in (False, True))
    assert played.dtype == np.float32
    assert len(live) == len(played) > len(SPEECH) + 0.6 * SAMPLE_RATE
    assert abs(np.corrcoef(live, played)[0, 1]) < 0.99
    np.testing.assert_array_equal(played, scene(around, Scene(True, "radio", False, "near")))


def test_another_device_hears_the_same_otherwise(around: Surroundings) -> None:
    one, other = (scene(around, Scene(False, "radio", False, "near"), device=device) for device in (3, 4))
    assert len(one) == len(other)
    assert not np.array_equal(one, other)
