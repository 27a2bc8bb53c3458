"""F38: what explanations take at most, measured in a process of their own."""

import subprocess
import sys

import pytest

from tests.conftest import ROOT

ALLOWED_MB = 40
RUNS = 10

MEASURE = """
import re, sys
from pathlib import Path
import numpy as np
from edge import features
from edge.explain.explainer import Explainer
from edge.model import memory
from edge.model.bundle import Bundle
from edge.model.classifier import Classifier

def status(field):
    return int(re.search(field + r":\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024

bundle = Bundle.load()
explainer = Explainer(Classifier(bundle))

def frames(seconds):
    shape = 1 + seconds * 16_000 // features.HOP_SAMPLES, len(bundle.features.names)
    return np.random.default_rng(0).normal(-20, 5, shape).astype(np.float32)

explainer.predict_and_explain(frames(3))
memory.release()
rest = status("VmRSS")
longest = frames(60)
Path("/proc/self/clear_refs").write_text("5")  # proc(5): VmHWM starts anew
for _ in range(int(sys.argv[2])):
    explainer.predict_and_explain(longest, parts=tuple(sys.argv[1].split(",")))
print(status("VmHWM") - rest)
"""


@pytest.mark.parametrize("parts", ["families", "features", "time"])
def test_f38_explaining_the_longest_utterance_stays_within_its_memory(parts: str) -> None:
    command = [sys.executable, "-c", MEASURE, parts, str(1 if parts == "time" else 2)]  # that one takes seconds
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert float(done.stdout) < ALLOWED_MB


@pytest.mark.faults
@pytest.mark.timeout(1800)
def test_f38_ten_explanations_of_the_longest_utterance_one_after_another() -> None:
    command = [sys.executable, "-c", MEASURE, "families,features,time", str(RUNS)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert float(done.stdout) < ALLOWED_MB
