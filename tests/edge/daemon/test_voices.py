"""Two people at one microphone, each with a history of their own."""

import csv
import itertools
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import soundfile
from msgspec import UNSET

from edge.audio import SAMPLE_RATE
from edge.config import Config, GateSettings, ModelSettings, VoicesSettings
from edge.daemon.daemon import unused_graphs
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
from tests.conftest import ROOT, Subscriber, affectd
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
    assert Bundle.load(DEFAULT.with_name("light")).voices(adapt=True) is None


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


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return telling_apart(tmp_path_factory.mktemp("published") / "light", DEFAULT.with_name("light"))


def daemon_config(bundle: Bundle, tmp_path: Path, broker: int, mode: str = "publish", *, paced: bool = False) -> Path:
    """A daemon that hears the two talk, whose events say who it was."""
    sound, config = tmp_path / "talk.wav", tmp_path / "affectd.yaml"
    soundfile.write(sound, conversation(0, 1, 0, 1, 0, 1), SAMPLE_RATE)
    config.write_text(
        f"node: test\nsource: {{kind: file, path: {sound}, paced: {str(paced).lower()}}}\n"
        f"mqtt: {{host: 127.0.0.1, port: {broker}}}\nmodel: {{bundle: {bundle.path}}}\nvoices: {{mode: {mode}}}\n"
    )
    return config


def names(subscriber: Subscriber, config: Path) -> list[str | None]:
    """Whose the events of one run are: a name, else an id."""
    done = affectd("run", "--config", config)
    assert done.returncode == 0, done.stderr
    events = [
        msgspec.json.decode(message.payload, type=Event)
        for message in subscriber.drain()
        if message.topic.endswith("/event")
    ]
    return [None if one.voice is UNSET else one.voice.name or one.voice.id for one in events]


def test_events_say_whose_voice_it_is_and_a_restart_knows_them_again(
    light: Bundle, tmp_path: Path, state: Path, broker: int, subscriber: Subscriber
) -> None:
    config = daemon_config(light, tmp_path, broker)
    assert names(subscriber, config) == [None, None, "v1", "v2", "v1", "v2"]
    assert names(subscriber, config) == ["v1", "v2"] * 3
    (file,) = state.rglob("voices.json")
    kept = msgspec.json.decode(file.read_bytes())
    kept["voices"][0]["name"], kept["voices"][1]["ignored"] = "Änna 🦊", True
    file.write_bytes(msgspec.json.encode(kept))
    assert names(subscriber, config) == ["Änna 🦊"] * 3
    assert affectd("forget", "--config", config).returncode == 0
    assert not list(state.rglob("voices.json"))
    assert names(subscriber, config)[:2] == [None, None]


def test_what_was_kept_of_voices_goes_once_they_are_not_published(
    light: Bundle, tmp_path: Path, state: Path, broker: int, subscriber: Subscriber
) -> None:
    names(subscriber, daemon_config(light, tmp_path, broker))
    assert list(state.rglob("voices.json"))
    assert names(subscriber, daemon_config(light, tmp_path, broker, "adapt")) == [None] * 6
    assert not list(state.rglob("voices.json"))


def test_an_owner_names_ignores_and_forgets_voices(
    light: Bundle, tmp_path: Path, state: Path, broker: int, subscriber: Subscriber
) -> None:
    config = daemon_config(light, tmp_path, broker)
    names(subscriber, config)
    config = daemon_config(light, tmp_path, broker, paced=True)

    def asked(*arguments: str) -> dict[str, Any]:
        done = affectd("voices", "--config", config, "--json", *arguments)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def refused(*arguments: str) -> str:
        done = affectd("voices", *arguments, "--config", config)
        assert done.returncode == 2
        return done.stderr

    command = [sys.executable, "-m", "edge", "run", "--config", str(config)]
    with subprocess.Popen(command, cwd=ROOT) as daemon:
        try:
            first = msgspec.json.decode(subscriber.next("event").payload, type=Event).voice
            assert first is not UNSET
            assert (first.id, first.name) == ("v1", UNSET)
            assert asked("name", "last", "Anna")["last"] == "v1"
            asked("ignore", "v2")
            assert {one["id"]: (one["name"], one["ignored"]) for one in asked()["voices"]} == {
                "v1": ("Anna", False), "v2": ("", True),
            }  # fmt: skip
            assert "v1 is called 'Anna'" in refused("name", "v2", "ANNA")
            assert "no voice is called 'v9'" in refused("forget", "v9")
            assert "itself" in refused("merge", "anna", "v1")
            listed = affectd("voices", "--config", config).stdout
            assert re.search(r"^v1 +Anna +\d+ utterances  heard last$", listed, re.MULTILINE), listed
            assert re.search(r"^v2 +\d+ utterances  ignored$", listed, re.MULTILINE), listed
            said = [msgspec.json.decode(subscriber.next("event").payload, type=Event).voice for _ in range(2)]
            assert [voice.name for voice in said if voice is not UNSET] == ["Anna", "Anna"]
            (file,) = state.rglob("voices.json")
            assert b'"Anna"' in file.read_bytes()
            asked("forget", "Anna")
            assert b'"Anna"' not in file.read_bytes()
            assert not asked("hear")["voices"][0]["ignored"]
        finally:
            daemon.terminate()
    assert daemon.returncode == 0


def test_voices_that_are_not_published_are_nobodys_to_name(
    light: Bundle, tmp_path: Path, state: Path, broker: int, subscriber: Subscriber
) -> None:
    config = daemon_config(light, tmp_path, broker, "adapt", paced=True)
    with subprocess.Popen([sys.executable, "-m", "edge", "run", "--config", str(config)], cwd=ROOT) as daemon:
        try:
            subscriber.next("event")
            done = affectd("voices", "--config", config)
            assert done.returncode == 2
            assert "voices.mode: publish" in done.stderr
        finally:
            daemon.terminate()
    done = affectd("voices", "--config", config)
    assert done.returncode == 1
    assert "does not answer" in done.stderr


def test_a_track_says_who_speaks_from_the_first_words_on(light: Bundle, tmp_path: Path) -> None:
    sound = tmp_path / "talk.wav"
    soundfile.write(sound, conversation(0, 1, 0, 1), SAMPLE_RATE)
    done = affectd("analyse", "--track", sound, "--bundle", light.path, "--format", "csv")
    assert done.returncode == 0, done.stderr
    turns = [voice for voice, _ in itertools.groupby(row["voice"] for row in csv.DictReader(done.stdout.splitlines()))]
    assert turns == ["v1", "v2", "v1", "v2"]
    segments = affectd("analyse", "--track", sound, "--bundle", light.path, "--format", "rttm").stdout.splitlines()
    assert {line.split()[7].partition("-")[0] for line in segments} == {"v1", "v2"}


@pytest.mark.parametrize(
    ("mode", "adapt", "unused"),
    [("off", True, True), ("adapt", False, True), ("adapt", True, False), ("publish", False, False)],
)
def test_what_nobody_is_told_apart_by_takes_no_memory(mode: str, adapt: bool, unused: bool) -> None:
    config = Config(voices=VoicesSettings(mode=mode), model=ModelSettings(adapt=adapt))
    loaded = Bundle.load(DEFAULT, unused=unused_graphs(config))
    assert (loaded.voice is None) == unused
    assert loaded.map is None
    assert loaded.encoder is not None
    assert loaded.digest == Bundle.load(DEFAULT).digest
