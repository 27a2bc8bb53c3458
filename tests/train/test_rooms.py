"""Simulated rooms: what is drawn, what is kept, and what they do to a sound."""

from pathlib import Path

import numpy as np
import pytest

from train import rooms
from train.rooms import DRAWS, Rooms

pytest.importorskip("pyroomacoustics", reason="rooms are drawn by pyroomacoustics: pip install 'affectd[train]'")


@pytest.mark.parametrize("side", ["training", "evaluation"])
def test_a_room_decays_and_lies_as_its_side_asks(side: rooms.Side) -> None:
    draw = DRAWS[side]
    for number in range(3):
        room = rooms.simulate(side, number)
        assert draw.decay[0] <= room.decay <= draw.decay[1]
        assert draw.distance[0] <= room.distance <= draw.distance[1]
        assert np.sum(room.response**2) == pytest.approx(1, abs=1e-5)
        early = np.flatnonzero(np.abs(room.response) > 0.1 * np.abs(room.response).max())[0]
        assert early < rooms.LEAD  # the direct sound comes first, without the way that it has come


def test_the_same_number_is_the_same_room_and_another_another() -> None:
    first, again, other = (rooms.simulate("training", number).response for number in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first[:1000], other[:1000])


def test_no_room_of_evaluation_stands_in_training() -> None:
    assert DRAWS["training"].parity != DRAWS["evaluation"].parity


def test_a_room_is_drawn_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = Rooms(tmp_path, "training").room(2)
    rooms._kept.cache_clear()
    monkeypatch.delattr(rooms, "simulate")
    np.testing.assert_array_equal(Rooms(tmp_path, "training").room(2).response, drawn.response)
    assert [path.name for path in tmp_path.glob("*/*")] == ["training-002.npz"]


def test_a_sound_in_a_room_stays_as_long_and_as_loud_and_rings_on(tmp_path: Path) -> None:
    click = np.zeros(16_000, np.float32)
    click[1000:1100] = 0.5
    wet = Rooms(tmp_path, "evaluation").apply(click, np.random.default_rng(1))
    assert wet.dtype == np.float32
    assert len(wet) == len(click)
    assert np.mean(wet**2) == pytest.approx(np.mean(click**2), rel=1e-3)
    assert np.abs(wet[2000:4000]).max() > 1e-3
    assert np.abs(wet[:900]).max() < 1e-3


def test_a_nearer_source_has_more_of_its_direct_sound_and_no_more_of_the_echoes(tmp_path: Path) -> None:
    room = Rooms(tmp_path, "evaluation").room(0)
    near = rooms.at_distance(room, room.distance / 4)
    np.testing.assert_allclose(near[: rooms.DIRECT], 4 * room.response[: rooms.DIRECT])
    np.testing.assert_array_equal(near[rooms.DIRECT :], room.response[rooms.DIRECT :])
