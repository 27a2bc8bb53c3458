from pathlib import Path

import pytest

from edge.model.bundle import DEFAULT
from edge.model.choice import LIGHT, bundle_folder


@pytest.mark.parametrize(("memory", "wanted"), [(480_000_000, LIGHT), (930_000_000, DEFAULT), (4_000_000_000, DEFAULT)])
def test_memory_decides_where_nothing_is_named(memory: int, wanted: Path) -> None:
    folder, reason = bundle_folder(None, memory)
    assert folder == wanted
    assert reason == f"{memory / 1e6:.0f} MB of memory"


@pytest.mark.parametrize(
    ("named", "wanted"), [("light", LIGHT), ("default", DEFAULT), ("/srv/mine", Path("/srv/mine"))]
)
def test_a_name_overrides_it(named: str, wanted: Path) -> None:
    assert bundle_folder(named, 1) == (wanted, "named")
