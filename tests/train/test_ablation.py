"""The plan of ablations: each variant is a configuration, and each augmentation can be switched off and has its row."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from benchmarks.accuracy import ablation
from edge.bundle import Scaler
from train.bank import Bank
from train.batches import Batch
from train.corpora import Clip
from train.fit import BatchSource
from train.settings import AugmentationSettings, Settings

PLAN = msgspec.yaml.decode((Path(ablation.__file__).parent / "ablation.yaml").read_bytes())


@pytest.mark.parametrize("name", PLAN["variants"])
def test_a_variant_is_a_configuration_that_differs_from_the_base(name: str) -> None:
    base, variant = (
        msgspec.convert(ablation.merged(PLAN["base"], change), Settings) for change in ({}, PLAN["variants"][name])
    )
    assert (variant == base) == (name == "base")


@pytest.mark.parametrize("switch", [name for name in AugmentationSettings.__struct_fields__ if name != "copies"])
def test_every_augmentation_is_switched_off_in_a_row_of_its_own_or_with_its_kind(switch: str) -> None:
    changes = [change.get("augmentation", {}) for change in PLAN["variants"].values()]
    assert any(change.get(switch) == 0 and len(change) <= 2 for change in changes)


OFF = PLAN["variants"]["no augmentation at all"]["augmentation"]
CLASSES = ("anger", "neutral", "sad")


@pytest.fixture(scope="module")
def bank() -> Bank:
    """Two corpora of two speakers; no two frames are alike."""
    generator = np.random.default_rng(1)
    clips = [Clip(f"{n}.wav", ("left", "right")[n % 2], f"s{n % 4}", CLASSES[n // 4 % 3]) for n in range(48)]
    frames = [generator.standard_normal((40 + n, 110)).astype(np.float32) for n in range(48)]
    return Bank.build(clips, frames, Scaler(np.zeros(110, np.float32), np.ones(110, np.float32)), CLASSES)


def drawn(bank: Bank, **switches: float) -> Batch:
    settings = Settings(
        name="x", history=None, seconds=0.6, augmentation=AugmentationSettings(**{**OFF, **switches})
    )  # fmt: skip
    return BatchSource([bank], settings, CLASSES).draw(np.random.default_rng(2))


def plain(bank: Bank, batch: Batch) -> np.ndarray:
    """Whether each row is a stretch of its clip as it is [batch]."""
    place = {frame.tobytes(): number for number, frame in enumerate(bank.frames)}
    found = np.array([[place.get(frame.tobytes(), -2 * len(place)) for frame in row] for row in batch.frames])
    owner = np.searchsorted(bank.starts, found, side="right") - 1
    steps = (found - bank.starts[owner])[:, 1:] - (found - bank.starts[owner])[:, :-1]
    straight = (steps == 1) | (steps == 1 - bank.lengths[owner[:, 1:]])
    return (found[:, 0] >= 0) & straight.all(axis=1)


def test_with_everything_off_clips_are_heard_as_they_are(bank: Bank) -> None:
    batch = drawn(bank)
    assert plain(bank, batch).all()
    np.testing.assert_array_equal(batch.shares, 1)


@pytest.mark.parametrize("switch", [name for name in OFF if name != "mixup"])
def test_each_switch_alone_changes_what_is_heard(bank: Bank, switch: str) -> None:
    usual = msgspec.structs.asdict(AugmentationSettings())[switch]
    batch = drawn(bank, **{switch: usual})
    assert not plain(bank, batch).all()
    np.testing.assert_array_equal(batch.shares, 1)


def test_mixup_alone_mixes_and_changes_no_frame(bank: Bank) -> None:
    batch = drawn(bank, mixup=0.3)
    assert plain(bank, batch).all()
    assert (batch.shares < 1).any()
