"""The pages' logic, without a browser."""

import io
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile
from streamlit.testing.v1 import AppTest

from app import hearing
from app.recording import Recording
from app.waveform import envelope
from edge.audio import SAMPLE_RATE
from edge.errors import AudioError
from edge.model.bundle import Bundle
from edge.model.classifier import Classifier
from edge.sources.conversion import read_audio
from tests.conftest import DEMO, ROOT

_PATIENCE_S = 120


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(Bundle.load())


@pytest.fixture
def app() -> AppTest:
    return AppTest.from_file(str(ROOT / "app" / "main.py"), default_timeout=_PATIENCE_S).run()


def test_page_asks_for_a_recording_and_says_nothing_else(app: AppTest) -> None:
    assert not app.exception
    assert not app.error
    assert [title.value for title in app.title] == ["How does it sound?"]
    assert len(app.file_uploader) == 1


def test_upload_is_analysed_once_however_often_the_page_runs(app: AppTest, clip: Path) -> None:
    app.file_uploader[0].upload(clip.name, clip.read_bytes(), "audio/wav").run()
    assert not app.exception
    heard = app.session_state["heard"]
    explained = app.session_state["explained"]
    app.run()
    assert app.session_state["heard"] is heard
    assert app.session_state["explained"] is explained


def test_other_question_explains_anew_and_keeps_the_prediction(app: AppTest, clip: Path) -> None:
    app.file_uploader[0].upload(clip.name, clip.read_bytes(), "audio/wav").run()
    before = app.session_state["explained"][1]
    question = next(box for box in app.selectbox if box.label.startswith("Why"))
    question.select(question.options[1]).run()
    after = app.session_state["explained"][1]
    assert after.explanation.against == question.options[1]
    assert after.prediction.probabilities == before.prediction.probabilities
    assert after.explanation.families != before.explanation.families


def test_broken_file_after_good_start_shows_what_was_heard_and_what_is_wrong(app: AppTest) -> None:
    file = io.BytesIO()
    soundfile.write(file, read_audio(DEMO), SAMPLE_RATE, format="FLAC")
    cut = file.getvalue()[: len(file.getvalue()) // 2]
    app.file_uploader[0].upload("cut.flac", cut, "audio/flac").run()
    assert not app.exception
    assert len(app.session_state["heard"]) >= 2


def test_whole_recording_may_not_be_hours_long(classifier: Classifier) -> None:
    file = io.BytesIO()
    soundfile.write(file, np.zeros(61 * SAMPLE_RATE, np.int16), SAMPLE_RATE, format="FLAC")
    recording = Recording("long.flac", file.getvalue())
    with pytest.raises(AudioError, match=r"long\.flac is longer than 60 s"):
        list(hearing.utterances(recording, classifier, whole=True))


def test_three_hours_are_heard_with_progress_in_bounded_memory(classifier: Classifier) -> None:
    minute, demo = np.zeros(60 * SAMPLE_RATE, np.int16), read_audio(DEMO)
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", SAMPLE_RATE, 1, format="FLAC", subtype="PCM_16") as flac:
        for number in range(180):
            flac.write(np.concatenate([demo, minute])[: len(minute)] if number == 170 else minute)
    recording = Recording("day.flac", file.getvalue())
    shares: list[float] = []
    memory: list[int] = []

    def on_progress(share: float) -> None:
        shares.append(share)
        if len(shares) % 50 == 1:
            memory.append(psutil.Process().memory_info().rss)

    found = list(hearing.utterances(recording, classifier, whole=False, on_progress=on_progress))
    assert [analysis.start_s for analysis in found if not 170 * 60 - 1 < analysis.start_s < 171 * 60] == []
    assert len(found) > 3
    assert len(shares) > 1000
    assert shares == sorted(shares)
    assert max(memory) - memory[0] < 100e6  # the sound alone is 346 MB
    last = found[-1]
    assert len(recording.samples(last.start, last.end)) == last.end - last.start


def test_envelope_keeps_the_peaks() -> None:
    samples = np.zeros(100_000, np.int16)
    samples[50_001], samples[70_001] = 20_000, -30_000
    rows = envelope(samples)
    assert len(rows) <= 900
    assert max(row["high"] for row in rows) == pytest.approx(20_000 / 32_768, abs=1e-4)
    assert min(row["low"] for row in rows) == pytest.approx(-30_000 / 32_768, abs=1e-4)
