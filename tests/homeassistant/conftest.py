"""What the tests in a real Home Assistant start, and that it is there."""

import contextlib
from collections.abc import Iterator

import pytest

from tests.homeassistant.house import DEBIAN


@pytest.fixture(scope="module")
def stack() -> Iterator[contextlib.ExitStack]:
    """Closes what a module has started around its Home Assistant; without one to start, the module is skipped."""
    if not (DEBIAN / "srv" / "ready").exists():
        pytest.skip("make test-homeassistant builds the Home Assistant that this needs")
    with contextlib.ExitStack() as stack:
        yield stack
