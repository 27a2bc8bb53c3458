"""The graphs from sound in the WebAssembly build of ONNX Runtime, as a browser has it, against the device."""

import json
from pathlib import Path

import numpy as np
import pytest

from edge.audio import FULL_SCALE, SAMPLE_RATE
from edge.explain.explainer import Explainer
from edge.explain.values import value_function
from edge.model.bundle import Bundle
from edge.model.choice import SHIPPED
from edge.model.classifier import Classifier
from edge.sources.conversion import read_audio
from export import waveform
from export.waveform import parity
from tests.conftest import DEMO
from tests.javascript import node

SCRIPT = Path(__file__).with_name("heard.cjs")
TOLERANCE = 1e-3  # in probabilities


@pytest.mark.parametrize("name", ["light", "default"])
def test_webassembly_hears_and_explains_alike(name, tmp_path):
    bundle, demo, time = Bundle.load(SHIPPED[name]), read_audio(DEMO), np.arange(SAMPLE_RATE)
    clips = [demo[start : start + 3 * SAMPLE_RATE] for start in range(0, len(demo) // 2, 10 * SAMPLE_RATE)]
    clips += [
        np.zeros(SAMPLE_RATE, np.int16),
        np.full(SAMPLE_RATE, 3000, np.int16),
        (60_000 * np.sin(time / 9) * np.sin(time / 900)).clip(-FULL_SCALE, FULL_SCALE - 1).astype(np.int16),
    ]
    waveform.write(bundle, tmp_path / "graphs")
    files = [tmp_path / f"{place}.f32" for place in range(len(clips))]
    for file, clip in zip(files, clips, strict=True):
        file.write_bytes((clip / np.float32(FULL_SCALE)).astype("<f4").tobytes())
    heard = [json.loads(line) for line in node(SCRIPT, tmp_path / "graphs", *files).splitlines()]
    for clip, found in zip(clips, heard, strict=True):
        wanted = parity.heard(clip, bundle)
        np.testing.assert_allclose(found["probabilities"], list(wanted.probabilities.values()), atol=TOLERANCE, rtol=0)
        np.testing.assert_allclose(found["attention"], wanted.attention, atol=TOLERANCE)
        np.testing.assert_allclose(found["intensity"], [wanted.intensity], atol=TOLERANCE)
        if not clip.any() or np.ptp(clip) == 0:
            continue
        values = value_function(bundle.labels, wanted.label)(np.array(found["coalitions"]).reshape(-1, 7))
        shares = np.array(json.loads((tmp_path / "graphs" / "affectd.json").read_text())["shapley"]) @ values
        families = Explainer(Classifier(bundle)).families(wanted).families
        np.testing.assert_allclose(shares, list(families.values()), atol=5 * TOLERANCE)
