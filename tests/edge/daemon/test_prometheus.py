"""The diagnostics as Prometheus reads them."""

import msgspec

from edge.daemon.diagnostics import Diagnostics
from edge.daemon.prometheus import exposition
from tests.conftest import ROOT


def test_every_digit_of_a_number_is_there() -> None:
    golden = msgspec.json.decode((ROOT / "tests/golden/diagnostics.json").read_bytes(), type=dict[str, object])
    payload = golden.get("payload", golden)
    diagnostics = msgspec.convert({**payload, "seq": 1_234_567, "uptime_s": 12_345_678.9}, Diagnostics)
    lines = exposition(diagnostics, "kitchen").splitlines()
    assert 'affectd_seq{node="kitchen"} 1234567' in lines
    assert 'affectd_uptime_s{node="kitchen"} 12345678.9' in lines
