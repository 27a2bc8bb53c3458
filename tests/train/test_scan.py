import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge.errors import UsageError
from train.corpora import read_manifest
from train.scan import known_label, scan

LABELS = {"angry": "anger", "boredom": None}


def speak(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.1 * np.random.default_rng(seed).standard_normal(1600), 16_000)


@pytest.fixture
def house(tmp_path: Path) -> Path:
    for number, name in enumerate(("angry", "happy", "happpy", "zorp", " sad ", "boredom")):
        speak(tmp_path / "home" / name / "1.wav", number)
    shutil.copy(tmp_path / "home" / "happy" / "1.wav", tmp_path / "home" / "happy" / "2.wav")
    (tmp_path / "home" / "happy" / "3.wav").write_bytes(b"no sound")
    speak(tmp_path / "loose.wav", 99)
    return tmp_path


def test_every_problem_is_named(house: Path) -> None:
    problems = "\n".join(scan(house, LABELS).problems)
    assert "unknown emotion 'happpy' -> happy?" in problems
    assert "unknown emotion 'zorp'; map it" in problems
    assert "stray spaces in ' sad '" in problems
    assert "home/happy/2.wav: the same sound as home/happy/1.wav" in problems
    assert "home/happy/3.wav: cannot be read" in problems
    assert "loose.wav: fits no layout" in problems


def test_synonyms_become_the_products_emotions(house: Path) -> None:
    found = {clip.path: clip.emotion for clip in scan(house, LABELS).clips}
    assert found["home/angry/1.wav"] == "anger"
    assert found["home/ sad /1.wav"] == "sad"
    assert "home/happy/2.wav" not in found


def test_a_speaker_of_one_emotion_is_told(tmp_path: Path) -> None:
    speak(tmp_path / "home" / "ann" / "happy" / "1.wav", 1)
    assert scan(tmp_path, LABELS, "speakers").problems == ["home/ann: speaks in one emotion only (happy)."]


def test_an_empty_folder_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no recordings"):
        scan(tmp_path, LABELS)


@pytest.mark.parametrize("label", ["sarcastic", "anger", "surprise"])
def test_the_products_emotions_are_known(label: str) -> None:
    assert known_label(label, {}) == (label, "")


def test_the_command_writes_a_manifest_that_training_reads(house: Path, tmp_path: Path) -> None:
    out = tmp_path / "manifest.csv"
    command = [sys.executable, "-m", "train", "manifest", str(house), "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "6 recordings" in done.stdout
    assert {clip.emotion for clip in read_manifest(out)} == {"anger", "happy", "happpy", "zorp", "sad", "boredom"}
