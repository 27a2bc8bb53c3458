"""Prosody's pitch against librosa.pyin on real recordings: gross errors, agreement on voice, and cost.

Run from the repository's root: python -m benchmarks.pitch   (recordings: $AFFECTD_DATA, default ../shared/data)
"""

import json
import sys
import time
from collections import defaultdict
from pathlib import Path

import librosa
import numpy as np
from tqdm import tqdm

from edge.audio import SAMPLE_RATE
from edge.features import PADDING, prosody
from edge.features.spectrum import HOP_SAMPLES, WINDOW_SAMPLES, power_spectra
from train.corpora import read_manifest
from train.recordings import decode
from train.settings import data_folder

RESULTS = Path(__file__).parent / "results" / "pitch.json"
CLIPS = 10  # of each corpus
VOICED = 0.35
GROSS = 0.2  # of the pitch: a gross error


def main() -> None:
    root, found = data_folder(), []
    corpora = defaultdict(list)
    for clip in read_manifest(root / "manifest.csv"):
        corpora[clip.corpus].append(clip)
    generator = np.random.default_rng(1)
    chosen = [clips[i] for clips in corpora.values() for i in generator.choice(len(clips), CLIPS, replace=False)]
    seconds = dict.fromkeys(("audio", "pyin", "prosody"), 0.0)
    for clip in tqdm(chosen, desc="pitch", leave=False):
        samples = decode(root / clip.path)
        count = 1 + len(samples) // HOP_SAMPLES
        began = time.process_time()
        hertz, voiced, _ = librosa.pyin(
            samples, fmin=prosody.PITCH_MIN, fmax=prosody.PITCH_MAX, sr=SAMPLE_RATE, frame_length=WINDOW_SAMPLES,
            hop_length=HOP_SAMPLES,
        )  # fmt: skip
        seconds["pyin"] += time.process_time() - began
        powers = [power.copy() for power in power_spectra(samples, -PADDING, count)]
        began = time.process_time()
        ours = [prosody.pitch(power) for power in powers]
        seconds["prosody"] += time.process_time() - began
        seconds["audio"] += len(samples) / SAMPLE_RATE
        own, strength = (np.concatenate(parts)[: len(hertz)] for parts in zip(*ours, strict=True))
        found.append((hertz, voiced, own, strength > VOICED))
    theirs, voiced, own, heard = (np.concatenate(parts) for parts in zip(*found, strict=True))
    both = voiced & heard
    result = {
        "clips": len(chosen),
        "frames_voiced_in_pyin": int(voiced.sum()),
        "gross_errors": round(float(np.mean(np.abs(own[both] / theirs[both] - 1) > GROSS)), 4),
        "median_error": round(float(np.median(np.abs(own[both] / theirs[both] - 1))), 5),
        "voice_found": round(float(both.sum() / voiced.sum()), 4),
        "voice_shared": round(float(both.sum() / heard.sum()), 4),
        "times_less_cpu_than_pyin": round(seconds["pyin"] / seconds["prosody"]),
        "milliseconds_per_second": round(1e3 * seconds["prosody"] / seconds["audio"], 3),
    }
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    sys.stdout.write("".join(f"{name:28} {value}\n" for name, value in result.items()))


if __name__ == "__main__":
    main()
