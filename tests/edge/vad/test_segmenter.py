"""The laws that utterances obey, whatever the detectors say."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.vad.segmenter import Closed, Decision, Opened, Segmenter, SegmenterSettings, Span

SETTINGS = SegmenterSettings(
    open_probability=0.5,
    close_probability=0.3,
    confirm=3,
    hangover=6,
    lead_in=0,
    loud=0.7,
    pre_roll=5,
    tail=2,
    shortest=4,
    longest=60,
)

settings = st.builds(
    lambda confirm, hangover, lead_in, pre_roll, tail, shortest, more: SegmenterSettings(
        open_probability=0.5,
        close_probability=0.3,
        confirm=confirm,
        hangover=hangover,
        lead_in=lead_in,
        loud=0.7,
        pre_roll=pre_roll,
        tail=min(tail, hangover),
        shortest=shortest,
        longest=2 * (pre_roll + lead_in + confirm + shortest + hangover) + more,
    ),
    confirm=st.integers(1, 4),
    hangover=st.integers(1, 8),
    lead_in=st.integers(0, 9),
    pre_roll=st.integers(0, 6),
    tail=st.integers(0, 8),
    shortest=st.integers(1, 6),
    more=st.integers(0, 20),
)
# Runs of equal probability, as speech and pauses are, of any length.
runs = st.lists(st.tuples(st.sampled_from([0.0, 0.2, 0.4, 0.6, 1.0]), st.integers(1, 80)), max_size=12)
streams = st.builds(
    lambda runs, levels: [
        (probability, levels[index % len(levels)])
        for index, probability in enumerate(p for p, length in runs for _ in range(length))
    ],
    runs,
    st.lists(st.floats(0, 1), min_size=1, max_size=50),
)


def decide(settings: SegmenterSettings, stream: list[tuple[float, float]]) -> list[Decision]:
    segmenter = Segmenter(settings)
    decisions = [decision for probability, level in stream for decision in segmenter.push(probability, level)]
    return decisions + segmenter.finish()


def spans(decisions: list[Decision]) -> list[Span]:
    return [decision for decision in decisions if isinstance(decision, Span)]


def speech(settings: SegmenterSettings, stream: list[tuple[float, float]]) -> list[range]:
    """Runs of blocks at or above the opening probability that are long enough to be an utterance."""
    found, start = [], None
    for index, (probability, _) in enumerate([*stream, (0.0, 0.0)]):
        if probability >= settings.open_probability:
            start = index if start is None else start
        elif start is not None:
            if index - start >= max(settings.confirm, settings.shortest):
                found.append(range(start, index))
            start = None
    return found


@given(settings, streams)
def test_utterances_are_ordered_and_never_overlap(settings, stream):
    found = spans(decide(settings, stream))
    assert all(a.stop <= b.start for a, b in pairwise(found))
    assert all(0 <= s.start <= s.onset < s.offset <= s.stop <= len(stream) for s in found)


@given(settings, streams)
def test_all_speech_longer_than_the_minimum_is_covered(settings, stream):
    covered = {block for span in spans(decide(settings, stream)) for block in range(span.start, span.stop)}
    for run in speech(settings, stream):
        assert covered.issuperset(run)


@given(settings, streams)
def test_no_utterance_exceeds_the_maximum(settings, stream):
    assert all(span.stop - span.start <= settings.longest for span in spans(decide(settings, stream)))


@given(settings, streams)
def test_pre_roll_and_tail_are_no_longer_than_asked_for(settings, stream):
    for span in spans(decide(settings, stream)):
        assert span.onset - span.start <= settings.pre_roll
        assert span.stop - span.offset <= settings.tail


@given(settings, streams)
def test_every_opening_is_closed_before_the_next(settings, stream):
    edges = [type(decision) for decision in decide(settings, stream) if not isinstance(decision, Span)]
    assert edges == [Opened, Closed] * (len(edges) // 2)


@given(settings, streams)
def test_skipping_silence_while_idle_changes_nothing(settings, stream):
    segmenter = Segmenter(settings)
    decisions = []
    for index, (probability, level) in enumerate(stream):
        if segmenter.idle and probability < settings.open_probability:
            continue
        if segmenter.idle:
            segmenter.skip_to(index, [level for _, level in stream[segmenter.position : index]])
        decisions += segmenter.push(probability, level)
    assert decisions + segmenter.finish() == decide(settings, stream)


def test_long_speech_is_cut_at_its_quietest_point_without_loss():
    levels = [1.0] * 100
    levels[48:51] = [0.3, 0.1, 0.3]
    decisions = decide(SETTINGS, [(1.0, level) for level in levels])
    first, second = spans(decisions)
    assert first.stop == second.start == 49
    assert second.stop == 100
    assert sum(isinstance(decision, Opened) for decision in decisions) == 1


def test_a_pause_at_the_maximum_ends_the_utterance_instead_of_cutting_it():
    stream = [(1.0, 1.0)] * 55 + [(0.0, 0.0)] * 20
    assert spans(decide(SETTINGS, stream)) == [Span(start=0, onset=0, offset=55, stop=57)]


def test_a_click_opens_nothing():
    stream = [(0.0, 0.0), (1.0, 1.0), (1.0, 1.0), (0.0, 0.0)] * 30
    assert decide(SETTINGS, stream) == []


def test_a_dip_between_the_thresholds_does_not_end_speech():
    stream = [(1.0, 1.0)] * 5 + [(0.4, 1.0)] * 20 + [(1.0, 1.0)] * 5 + [(0.0, 0.0)] * 10
    assert [(span.onset, span.offset) for span in spans(decide(SETTINGS, stream))] == [(0, 30)]


def test_speech_shorter_than_the_minimum_opens_and_closes_without_an_utterance():
    stream = [(0.0, 0.0)] * 3 + [(1.0, 1.0)] * 3 + [(0.0, 0.0)] * 10
    assert decide(SETTINGS, stream) == [Opened(3), Closed(6)]


def test_impossible_lengths_are_refused():
    with pytest.raises(ValueError, match="maximum length"):
        SegmenterSettings(
            open_probability=0.5,
            close_probability=0.3,
            confirm=3,
            hangover=6,
            lead_in=0,
            loud=0.7,
            pre_roll=5,
            tail=2,
            shortest=4,
            longest=30,
        )


def test_blocks_are_not_skipped_during_speech():
    segmenter = Segmenter(SETTINGS)
    segmenter.push(1.0, 1.0)
    with pytest.raises(ValueError, match="between utterances"):
        segmenter.skip_to(10, [])


def test_nothing_reaches_back_into_the_stream_before():
    segmenter = Segmenter(SETTINGS)
    decisions = [decision for _ in range(20) for decision in segmenter.push(1.0, 1.0)] + segmenter.finish()
    assert spans(decisions) == [Span(start=0, onset=0, offset=20, stop=20)]
    segmenter.begin(30)
    decisions = [decision for _ in range(20) for decision in segmenter.push(1.0, 1.0)] + segmenter.finish()
    assert spans(decisions) == [Span(start=30, onset=30, offset=50, stop=50)]


def test_another_stream_does_not_begin_during_speech_or_before_the_last_one():
    segmenter = Segmenter(SETTINGS)
    segmenter.push(0.0, 0.0)
    with pytest.raises(ValueError, match="behind the last one"):
        segmenter.begin(0)
    segmenter.push(1.0, 1.0)
    with pytest.raises(ValueError, match="between utterances"):
        segmenter.begin(10)


def test_onset_is_taken_back_over_the_loud_sound_that_leads_into_speech():
    settings = SegmenterSettings(
        open_probability=0.5,
        close_probability=0.3,
        confirm=3,
        hangover=6,
        lead_in=12,
        loud=0.7,
        pre_roll=5,
        tail=2,
        shortest=4,
        longest=80,
    )
    quiet, loud = (0.0, 0.0), (0.1, 1.0)
    stream = [quiet] * 20 + [loud] * 5 + [quiet] * 3 + [loud] * 2 + [(1.0, 1.0)] * 10 + [quiet] * 10
    assert spans(decide(settings, stream)) == [Span(start=15, onset=20, offset=40, stop=42)]
    apart = [quiet] * 20 + [loud] * 5 + [quiet] * 8 + [(1.0, 1.0)] * 10 + [quiet] * 10
    assert [span.onset for span in spans(decide(settings, apart))] == [33]
    longer = [loud] * 40 + [(1.0, 1.0)] * 10 + [quiet] * 10
    assert [span.onset for span in spans(decide(settings, longer))] == [28]
