from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edge.explain.shapley import coalitions, interactions, values

PLAYERS = 5
worths_of_five = arrays(np.float64, 2**PLAYERS, elements=st.floats(-100, 100))


def game(worth) -> np.ndarray:
    """Worths of all coalitions of a function of the five players' presence."""
    return np.array([worth(mask) for mask in coalitions(PLAYERS)])


@given(worths_of_five)
def test_shares_add_up_to_the_whole(worths):
    assert values(worths).sum() == pytest.approx(worths[-1] - worths[0], abs=1e-9)


@given(worths_of_five)
def test_shares_are_the_mean_over_all_120_orders(worths):
    shares = np.zeros(PLAYERS)
    for order in permutations(range(PLAYERS)):
        coalition = 0
        for player in order:
            shares[player] += worths[coalition | 1 << player] - worths[coalition]
            coalition |= 1 << player
    np.testing.assert_allclose(values(worths), shares / 120, atol=1e-9)


@given(worths_of_five)
def test_player_that_adds_nothing_gets_nothing(worths):
    without = worths.copy()
    without[1::2] = without[0::2]  # bit 0 decides nothing
    assert values(without)[0] == pytest.approx(0, abs=1e-9)
    np.testing.assert_allclose(interactions(without)[0], 0, atol=1e-9)


@given(worths_of_five)
def test_players_that_add_alike_get_alike(worths):
    masks = coalitions(PLAYERS)
    swapped = masks[:, [1, 0, 2, 3, 4]] @ 2.0 ** np.arange(PLAYERS)
    shares = values(worths + worths[swapped.astype(int)])
    assert shares[0] == pytest.approx(shares[1], abs=1e-9)


@given(worths_of_five, worths_of_five)
def test_shares_of_a_sum_are_the_sum_of_shares(first, second):
    np.testing.assert_allclose(values(first + second), values(first) + values(second), atol=1e-9)


def test_product_of_two_is_shared_in_halves_and_interacts():
    worths = game(lambda mask: mask[1] * mask[3])
    np.testing.assert_allclose(values(worths), [0, 0.5, 0, 0.5, 0], atol=1e-12)
    expected = np.zeros((PLAYERS, PLAYERS))
    expected[1, 3] = expected[3, 1] = 1
    np.testing.assert_allclose(interactions(worths), expected, atol=1e-12)


def test_maximum_of_two_is_shared_in_halves_where_leaving_one_out_sees_nothing():
    worths = game(lambda mask: max(mask[0], mask[1]))
    np.testing.assert_allclose(values(worths), [0.5, 0.5, 0, 0, 0], atol=1e-12)
    assert interactions(worths)[0, 1] == pytest.approx(-1)
    assert worths[-1] - worths[-2] == 0


def test_additive_game_is_its_own_answer_and_has_no_interactions():
    weights = np.array([3.0, -1.0, 0.5, 0.0, 2.0])
    worths = game(lambda mask: mask @ weights)
    np.testing.assert_allclose(values(worths), weights, atol=1e-12)
    np.testing.assert_allclose(interactions(worths), 0, atol=1e-12)


def test_many_worths_at_once():
    worths = np.random.default_rng(0).normal(size=(32, 7))
    np.testing.assert_allclose(values(worths)[:, 2], values(worths[:, 2]))
    np.testing.assert_allclose(interactions(worths)[:, :, 2], interactions(worths[:, 2]))


def test_number_of_worths_must_be_a_power_of_two():
    with pytest.raises(ValueError, match="power of two"):
        values(np.zeros(31))
