"""What goes first when the journal cannot keep everything, and how what is missing is named."""

from hypothesis import given
from hypothesis import strategies as st

from edge.journal.records import Record, events_in, gap_of, merged, partition
from edge.journal.retention import Excess, Holdings, Limits, excess

LIMITS = Limits(size=1 << 20, age_s=100.0)


def test_nothing_goes_within_the_bounds() -> None:
    assert excess(Holdings(size=1 << 20, records=1000, explanations=1000), LIMITS) is None


def test_explanations_go_before_events() -> None:
    assert excess(Holdings(size=2 << 20, records=1000, explanations=3), LIMITS) == Excess(1, 0, "space")


def test_events_go_when_no_explanation_is_left() -> None:
    assert excess(Holdings(size=2 << 20, records=1000, explanations=0), LIMITS) == Excess(0, 50, "space")


def test_what_is_too_old_goes_however_small() -> None:
    assert excess(Holdings(size=0, records=10, explanations=10, expired=4), LIMITS) == Excess(0, 4, "age")


def test_a_gap_at_the_front_is_joined_by_what_goes_next() -> None:
    assert excess(Holdings(0, 10, 0, leading_gap=True, expired=4), LIMITS) == Excess(0, 5, "age")
    assert excess(Holdings(2 << 20, 101, 0, leading_gap=True), LIMITS) == Excess(0, 6, "space")


def test_nothing_goes_where_all_has_gone_already() -> None:
    assert excess(Holdings(2 << 20, 1, 0, leading_gap=True), LIMITS) is None
    assert excess(Holdings(2 << 20, 0, 0), LIMITS) is None


@given(st.integers(0, 1 << 22), st.integers(0, 2000), st.integers(0, 2000), st.booleans(), st.integers(0, 2000))
def test_dropping_ends(size: int, records: int, explanations: int, leading_gap: bool, expired: int) -> None:
    """Whatever is dropped, even if it frees nothing."""
    leading_gap = leading_gap and records > 0
    expired = min(expired, records - leading_gap)
    for _ in range(1000):
        due = excess(Holdings(size, records, explanations, leading_gap, expired), LIMITS)
        if due is None:
            return
        explanations -= due.explanations
        if due.records:
            records, leading_gap, expired = records - due.records + 1, True, 0
    raise AssertionError("it does not end")


def spans(records: list[Record]) -> list[int]:
    return [seq for record in records for seq in range(record.from_seq, record.seq + 1)]


@st.composite
def found(draw: st.DrawFn) -> list[Record]:
    """What a damaged database may yield: events and gaps, with holes between them, and overlapping."""
    ends = sorted(draw(st.sets(st.integers(1, 60))))
    gaps = draw(st.sets(st.sampled_from(ends))) if ends else set()
    return [
        gap_of(draw(st.integers(1, end)), end, 1.0, "age") if end in gaps else Record(end, end, 1.0, b"{}")
        for end in ends
    ]


@given(found(), st.integers(1, 30), st.integers(0, 60))
def test_held_and_missing_together_are_everything_once(held: list[Record], first: int, last: int) -> None:
    records = partition(held, first, last, "damaged")
    assert spans(records) == list(range(first, last + 1))
    within = [record for record in held if not record.gap and first <= record.seq <= last]
    assert events_in(records) <= len(within)
    assert all(record.gap or record in within for record in records)


def test_a_gap_that_swallows_gaps_keeps_their_reasons_and_the_age_of_the_newest() -> None:
    oldest = [gap_of(1, 3, 5.0, "damaged, space"), Record(4, 4, 7.0, b"{}"), gap_of(5, 6, 6.0, "space")]
    assert merged(oldest, "age") == gap_of(1, 6, 6.0, "age, damaged, space")
