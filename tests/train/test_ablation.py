"""The plan of ablations: each variant is a configuration, and each augmentation can be switched off and has its row."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from benchmarks.accuracy import ablation
from edge.model.bundle import Scaler
from train.augmentation import CHANGES
from train.bank import Bank
from train.batches import Batch
from train.corpora import Clip
from train.fit import BatchSource
from train.settings import AugmentationSettings, Settings

PLANS = msgspec.yaml.decode((Path(ablation.__file__).parent / "ablation.yaml").read_bytes())
VARIANTS = [(plan, name) for plan in PLANS for name in PLANS[plan]["variants"]]


def configuration(plan: str, name: str) -> Settings:
    return ablation.configuration(PLANS[plan], name)[0]


@pytest.mark.parametrize(("plan", "name"), VARIANTS)
def test_a_variant_is_a_configuration_that_differs_from_the_base(plan: str, name: str) -> None:
    assert (configuration(plan, name) == configuration(plan, "base")) == (name == "base")


@pytest.mark.parametrize("plan", PLANS)
def test_no_variant_changes_who_evaluates(plan: str) -> None:
    sides = {msgspec.json.encode(configuration(plan, name).split) for name in PLANS[plan]["variants"]}
    assert len(sides) == 1


@pytest.mark.parametrize("switch", AugmentationSettings.__struct_fields__)
def test_the_effect_of_every_augmentation_has_a_row_of_its_own_or_with_its_kind(switch: str) -> None:
    base = configuration("recipe", "base").augmentation
    changes = [change.get("augmentation", {}) for change in PLANS["recipe"]["variants"].values()]
    assert any(switch in change and change[switch] != getattr(base, switch) and len(change) <= 2 for change in changes)


@pytest.mark.parametrize("change", CHANGES)
def test_the_effect_of_every_change_of_the_waveform_has_a_row(change: str) -> None:
    base = set(configuration("recipe", "base").augmentation.copies)
    others = [set(configuration("recipe", name).augmentation.copies) for name in PLANS["recipe"]["variants"]]
    assert any(base ^ copies == {change} for copies in others)


NOTHING = configuration("recipe", "no augmentation at all").augmentation
OFF = {name: value for name, value in msgspec.to_builtins(NOTHING).items() if name != "copies"}
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
    place = {frame.tobytes(): number for number, frame in enumerate(bank.frames.astype(np.float32))}
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
