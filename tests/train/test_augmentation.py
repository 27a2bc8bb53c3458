import hashlib
from pathlib import Path

import msgspec
import numpy as np
import pytest

from tests.train.conftest import SETTINGS
from train.augmentation import CHANGES
from train.recordings import features_of
from train.run import Material, read_split, train


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_a_change_is_seeded_finite_and_not_the_identity(name: str) -> None:
    speech = (0.1 * np.sin(np.arange(8000) * 0.1) * np.hanning(8000)).astype(np.float32)
    changed = CHANGES[name](speech, np.random.default_rng(7))
    assert changed.dtype == np.float32
    assert np.isfinite(changed).all()
    np.testing.assert_array_equal(changed, CHANGES[name](speech, np.random.default_rng(7)))
    others = [CHANGES[name](speech, np.random.default_rng(seed)) for seed in range(8, 16)]
    assert not all(np.array_equal(other, changed) for other in others)


def test_pitch_moves_and_duration_stays() -> None:
    speech = np.sin(2 * np.pi * 300 * np.arange(16_000) / 16_000).astype(np.float32)
    peaks = {
        int(np.abs(np.fft.rfft(CHANGES["pitch"](speech, np.random.default_rng(seed)))).argmax()) for seed in range(6)
    }
    assert len(peaks) > 3
    assert all(300 * 2 ** (-3.2 / 12) < peak < 300 * 2 ** (3.2 / 12) for peak in peaks)
    assert len(CHANGES["pitch"](speech, np.random.default_rng(1))) == 16_000


def test_speed_moves_pitch_and_duration_together() -> None:
    speech = np.sin(2 * np.pi * 300 * np.arange(16_000) / 16_000).astype(np.float32)
    for seed in range(6):
        changed = CHANGES["speed"](speech, np.random.default_rng(seed))
        peak = np.abs(np.fft.rfft(changed)).argmax() * 16_000 / len(changed)
        assert len(changed) != 16_000
        assert abs(peak * len(changed) / (300 * 16_000) - 1) < 0.01


def test_a_telephone_takes_what_is_above_its_band() -> None:
    hiss = np.random.default_rng(1).standard_normal(16_000).astype(np.float32) / 10
    kept = []
    for seed in range(12):
        sent = CHANGES["codec"](hiss, np.random.default_rng(seed))
        assert len(sent) == len(hiss)
        power = np.abs(np.fft.rfft(sent)) ** 2
        kept.append(power[4_200:].sum() / power.sum() > 0.05)
    assert 0 < sum(kept) < len(kept)


def test_noise_keeps_its_distance_from_the_speech() -> None:
    speech = (0.1 * np.random.default_rng(1).standard_normal(16_000)).astype(np.float32)
    for seed in range(10):
        added = CHANGES["noise"](speech, np.random.default_rng(seed)) - speech
        assert 4.5 < 10 * np.log10(np.mean(speech**2) / np.mean(added**2)) < 25.5


def test_augmented_copies_are_made_of_the_training_side_alone(corpus: Path, tmp_path: Path) -> None:
    augmentation = msgspec.structs.replace(SETTINGS.augmentation, copies=("noise",))
    settings = msgspec.structs.replace(SETTINGS, augmentation=augmentation, epochs=1)
    split = read_split(settings, corpus)
    train(settings, split, Material(corpus, tmp_path / "cache"), tmp_path / "run")
    made = {path.stem for path in (tmp_path / "cache").glob("*/noise/*.npy")}
    assert made == {hashlib.sha256((corpus / clip.path).read_bytes()).hexdigest() for clip in split.train}


def test_a_copy_is_computed_once(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clips = read_split(SETTINGS, corpus).train[:3]
    first = features_of(clips, corpus, tmp_path, change=("noise", CHANGES["noise"]))

    def broken(samples: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        raise AssertionError("computed again")

    again = features_of(clips, corpus, tmp_path, change=("noise", broken))
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)
