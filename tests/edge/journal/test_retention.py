"""What goes first when the journal cannot keep everything, and how what is missing is named."""

from hypothesis import given
from hypothesis import strategies as st

from edge.journal.retention import Holdings, Limits, joined, missing, relief

LIMITS = Limits(size=1 << 20, age_s=100.0)


def test_nothing_goes_within_the_bounds() -> None:
    assert not relief(Holdings(size=1 << 20, records=1000, explanations=1000), LIMITS)


def test_explanations_go_before_events() -> None:
    due = relief(Holdings(size=2 << 20, records=1000, explanations=3), LIMITS)
    assert (due.explanations, due.records) == (1, 0)


def test_events_go_when_no_explanation_is_left() -> None:
    due = relief(Holdings(size=2 << 20, records=1000, explanations=0), LIMITS)
    assert (due.explanations, due.records, due.reason) == (0, 50, "space")


def test_what_is_too_old_goes_however_small() -> None:
    due = relief(Holdings(size=0, records=10, explanations=10, expired=4), LIMITS)
    assert (due.explanations, due.records, due.reason) == (0, 4, "age")


@given(st.sets(st.integers(1, 60)), st.integers(1, 30), st.integers(1, 60))
def test_missing_and_held_together_are_everything_once(held: set[int], first: int, last: int) -> None:
    spans = [(seq, seq) for seq in sorted(held)]
    named = [seq for start, end in missing(spans, first, last) for seq in range(start, end + 1)]
    assert named == [seq for seq in range(first, last + 1) if seq not in held]


def test_a_gap_that_swallows_gaps_keeps_their_reasons() -> None:
    assert joined(["space", "damaged", "age, space", ""]) == "age, damaged, space"
