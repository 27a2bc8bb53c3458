"""Events that say what people would hear in the voice."""

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from msgspec import UNSET

import edge
from edge.audio import SAMPLE_RATE
from edge.config.settings import ModelSettings
from edge.daemon.pipeline import Analysis, AnalysisSettings, analyse
from edge.daemon.reporting import Origin, event_of
from edge.explain import texts
from edge.model.bundle import DEFAULT, Bundle
from edge.model.classifier import Classifier
from edge.sources.conversion import read_audio
from edge.vad.gate import Utterance


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(Bundle.load(DEFAULT))


def analysed(classifier: Classifier, asked: str, seconds: float = 4.0, threshold: float = 0.0) -> Analysis:
    recording = read_audio(Path(edge.__file__).parent / "demo.opus")
    samples = recording[round(27.2 * SAMPLE_RATE) :][: round(seconds * SAMPLE_RATE)].copy()
    settings = replace(AnalysisSettings.of(ModelSettings(explain=asked)), threshold=threshold)
    return analyse(Utterance(0, samples, 20.0), classifier, settings)


def event(analysis: Analysis):
    return event_of(analysis, Origin(node="n", boot="b", model="m"), 0.0)


def test_an_event_has_aspects_where_they_are_asked_for(classifier: Classifier) -> None:
    found = event(analysed(classifier, "aspects")).explanation
    assert set(found.aspects) <= set(texts.ASPECTS)
    assert found.families
    assert any(words in found.sentence for pair in texts.ASPECTS.values() for words in pair)
    assert b'"aspects":{' in msgspec.json.encode(found)


def test_an_event_has_none_where_nobody_asks(classifier: Classifier) -> None:
    assert event(analysed(classifier, "families")).explanation.aspects is UNSET
    assert event(analysed(classifier, "none")).explanation is None


def test_an_uncertain_verdict_has_none(classifier: Classifier) -> None:
    found = analysed(classifier, "aspects", threshold=1.0)
    assert found.prediction.uncertain
    assert found.explanation.aspects is UNSET


def test_an_utterance_without_aspects_says_why_and_is_told_all_the_same(classifier: Classifier) -> None:
    found = analysed(classifier, "aspects", seconds=0.3)
    assert "shorter than" in found.explanation.unheard
    assert event(found).explanation.aspects is UNSET


def test_the_utterance_itself_is_left_as_it_was(classifier: Classifier) -> None:
    recording = read_audio(Path(edge.__file__).parent / "demo.opus")[: 2 * SAMPLE_RATE]
    before = recording.copy()
    analyse(Utterance(0, recording, 20.0), classifier, AnalysisSettings(aspects="all"))
    np.testing.assert_array_equal(recording, before)
