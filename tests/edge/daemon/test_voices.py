"""Two people at one microphone, each with a history of their own."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile

from edge.audio import SAMPLE_RATE
from edge.config import GateSettings
from edge.daemon.pipeline import Analysis, AnalysisSettings, Pipeline
from edge.events.event import Event
from edge.explain.explainer import Explainer
from edge.features import log_mel
from edge.model import encoder
from edge.model.adapter import Adapter
from edge.model.bundle import DEFAULT, Bundle
from edge.model.classifier import Classifier
from edge.model.voices import Voices
from edge.sources.conversion import into_blocks
from edge.sources.highpass import high_passed
from tests.conftest import Subscriber, affectd
from tests.speakers import conversation, telling_apart


@pytest.fixture(scope="session", params=["default", "light"])
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("voices") / request.param
    return telling_apart(folder, DEFAULT.with_name(request.param))


def heard(bundle: Bundle, talk: np.ndarray, adapter: Adapter | None, people: Voices | None) -> list[Analysis]:
    pipeline = Pipeline(GateSettings(), Classifier(bundle), AnalysisSettings(), adapter, people)
    found = [item for block in into_blocks([high_passed(talk)]) for item in pipeline.push(block)]
    return [item for item in [*found, *pipeline.finish()] if isinstance(item, Analysis)]


def test_each_voice_is_judged_by_its_own_history_and_what_is_nobodys_by_the_microphones(bundle: Bundle) -> None:
    people = bundle.voices(adapt=True)
    found = heard(bundle, conversation(0, 1, 0, 1, 0, 1, 0, 0), bundle.adapter(), people)
    assert [analysis.adapted_on for analysis in found] == [0, 1, 2, 3, 1, 1, 2, 3]  # the first of each founds nothing
    assert people is not None
    assert [voice.utterances for voice in people.kept] == [5, 3]
    assert [analysis.prediction.adaptation.weight for analysis in found] == [0, 1, 2, 3, 1, 1, 2, 3]
    assert "adapted" in found[-1].explanation.baseline


def test_a_prediction_is_that_of_the_voices_history(bundle: Bundle) -> None:
    *found, last = heard(bundle, conversation(0, 1, 0, 1, 0, 1, 0), bundle.adapter(), bundle.voices(adapt=True))
    own, classifier = bundle.adapter("voice"), Classifier(bundle)
    for analysis in found[2::2]:
        frames = analysis.prediction.frames
        own.observe(classifier.scaled(frames), analysis.prediction.embedding)
    expected, _ = Explainer(classifier).predict_and_explain(last.prediction.frames, own.snapshot())
    assert last.prediction.probabilities == pytest.approx(expected.probabilities, abs=1e-4)


def test_without_histories_all_is_cold(bundle: Bundle) -> None:
    people = bundle.voices(adapt=False)
    found = heard(bundle, conversation(0, 1, 0, 1), None, people)
    assert [analysis.adapted_on for analysis in found] == [0] * 4
    assert people is not None
    assert [voice.history for voice in people.kept] == [None, None]


def test_encoder_and_voice_hear_the_same_spectrum_computed_once(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed = []
    whole = log_mel.log_mel

    def counted(samples: np.ndarray) -> np.ndarray:
        computed.append(whole(samples))
        return computed[-1]

    monkeypatch.setattr(log_mel, "log_mel", counted)
    found = heard(bundle, conversation(0, 1), bundle.adapter(), bundle.voices(adapt=True))
    assert len(computed) == len(found) == 2
    plain = encoder.frames(conversation(0), bundle)
    monkeypatch.undo()
    assert np.array_equal(plain, encoder.frames(conversation(0), bundle))


def test_a_bundle_that_tells_nobody_apart_has_no_voices() -> None:
    assert Bundle.load().voices(adapt=True) is None


@pytest.mark.parametrize(("settings", "expected"), [("", [0, 1, 2, 3, 1, 1]), ("voices: {mode: off}", [*range(6)])])
def test_the_daemon_adapts_to_each_voice_in_memory_alone(
    bundle: Bundle, tmp_path: Path, state: Path, broker: int, subscriber: Subscriber, settings: str, expected: list[int]
) -> None:
    sound, config = tmp_path / "talk.wav", tmp_path / "affectd.yaml"
    soundfile.write(sound, conversation(0, 1, 0, 1, 0, 1), SAMPLE_RATE)
    config.write_text(
        f"node: test\nsource: {{kind: file, path: {sound}, paced: false}}\n"
        f"mqtt: {{host: 127.0.0.1, port: {broker}}}\nmodel: {{bundle: {bundle.path}}}\n{settings}\n"
    )
    done = affectd("run", "--config", config)
    assert done.returncode == 0, done.stderr
    events = [message.payload for message in subscriber.drain() if message.topic.endswith("/event")]
    assert [msgspec.json.decode(event, type=Event).adapted_on for event in events] == expected
    assert not [event for event in events if b'"voice"' in event]
    (folder,) = (state / "nodes").iterdir()
    assert not [path for path in folder.iterdir() if "voice" in path.name]
