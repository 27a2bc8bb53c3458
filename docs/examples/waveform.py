"""How a recording sounds, without affectd: python3 waveform.py DIR speech.wav (mono, 16 kHz, 16 bits)."""

import json
import sys
import wave
from pathlib import Path

import numpy as np
import onnxruntime

folder, file = Path(sys.argv[1]), sys.argv[2]
with wave.open(file) as sound:
    samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2") / np.float32(32768)
session = onnxruntime.InferenceSession(folder / "affectd.onnx")
(probabilities,) = session.run(["probabilities"], {"samples": samples[None]})
labels = json.loads((folder / "affectd.json").read_text())["labels"]
for label, probability in zip(labels, probabilities[0], strict=True):
    print(f"{label} {probability:.3f}")
