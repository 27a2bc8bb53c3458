import math

import pytest

from train.fit import Epoch, stalled


def curves(*losses: float) -> list[Epoch]:
    return [Epoch(number, 1.0, 0.5, loss, 0.5, 1.0) for number, loss in enumerate(losses, start=1)]


@pytest.mark.parametrize(
    ("losses", "patience", "expected"),
    [
        ((3, 2, 2.1, 2.2), 2, True),
        ((3, 2, 2.1, 2.0), 2, False),
        ((3, 2, 2.1, 1.9), 2, False),
        ((1, 2), 2, False),
        ((1, 2, 3, 4), 0, False),
        ((math.nan,) * 4, 2, False),
    ],
)
def test_fitting_stops_when_no_epoch_of_late_was_better(
    losses: tuple[float, ...], patience: int, expected: bool
) -> None:
    assert stalled(curves(*losses), patience) is expected
