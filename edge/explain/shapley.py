"""Exact Shapley values and interactions of a few players, from the worth of every coalition. Pure mathematics."""

from functools import cache
from itertools import permutations
from math import factorial

import numpy as np
from numpy.typing import NDArray


@cache
def coalitions(players: int) -> NDArray[np.float32]:
    """Every coalition as a row of 0 and 1, float32 [2**players, players]: row s holds player i where bit i is set."""
    rows = (np.arange(2**players)[:, None] >> np.arange(players)) & 1
    masks = rows.astype(np.float32)
    masks.flags.writeable = False
    return masks


def values(worths: NDArray[np.floating]) -> NDArray[np.float64]:
    """Shapley values [players, ...] of the worths [2**players, ...] of the ``coalitions``, in their order.

    Each is the mean of what the player adds over all orders in which the coalition may form (Shapley 1953); they add
    up to the worth of all minus that of none.
    """
    return np.tensordot(weights(_players(worths)), worths.astype(np.float64), axes=1)


def interactions(worths: NDArray[np.floating]) -> NDArray[np.float64]:
    """Shapley interaction indices [players, players, ...] of the same worths; the diagonal is 0.

    What a pair adds together beyond what each adds alone (Grabisch and Roubens 1999): negative where two say the same,
    positive where one needs the other.
    """
    return np.tensordot(_pair_weights(_players(worths)), worths.astype(np.float64), axes=1)


def _players(worths: NDArray[np.floating]) -> int:
    players = len(worths).bit_length() - 1
    if len(worths) != 2**players:
        raise ValueError(f"worths must hold every coalition, a power of two of them, not {len(worths)}")
    return players


@cache
def weights(players: int) -> NDArray[np.float64]:
    """The matrix [players, 2**players] that maps worths to Shapley values."""
    matrix = np.zeros((players, 2**players))
    for coalition in range(2**players):
        size = coalition.bit_count()
        for player in range(players):
            if coalition >> player & 1:
                weight = factorial(size - 1) * factorial(players - size) / factorial(players)
                matrix[player, coalition] = weight
            else:
                matrix[player, coalition] = -factorial(size) * factorial(players - size - 1) / factorial(players)
    return matrix


@cache
def _pair_weights(players: int) -> NDArray[np.float64]:
    """The tensor [players, players, 2**players] that maps worths to interaction indices."""
    tensor = np.zeros((players, players, 2**players))
    for i, j in permutations(range(players), 2):
        both = 1 << i | 1 << j
        for others in range(2**players):
            if others & both:
                continue
            size = others.bit_count()
            weight = factorial(size) * factorial(players - size - 2) / factorial(players - 1)
            tensor[i, j, [others | both, others]] = weight
            tensor[i, j, [others | 1 << i, others | 1 << j]] = -weight
    return tensor
