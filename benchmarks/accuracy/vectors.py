"""One vector of statistics for each recording, as the alternatives use them; cached under runs/vectors.

openSMILE is slow, so compute its vectors first: python -m benchmarks.accuracy.vectors egemaps
"""

import sys
from functools import cache
from pathlib import Path

import joblib
import librosa
import numpy as np
import opensmile
from numpy.typing import NDArray
from tqdm import tqdm

from edge import features
from edge.audio import SAMPLE_RATE
from train.corpora import Clip, read_manifest, relabel
from train.protocols import HELD_OUT_CORPORA
from train.recordings import decode
from train.settings import data_folder, read_settings

KEPT = Path("runs/vectors")
SHARE = 600
"""Training clips of each corpus with more than ``LARGE`` clips: openSMILE and an SVM are slow."""
LARGE = 2000

Floats = NDArray[np.float32]


def recipe(samples: Floats) -> Floats:
    """Means over time of 40 MFCC, 12 chroma and 128 mel bands, as in the popular recipe: [180]."""
    power = np.abs(librosa.stft(samples))
    mel = librosa.feature.melspectrogram(y=samples, sr=SAMPLE_RATE)
    mfcc = librosa.feature.mfcc(y=samples, sr=SAMPLE_RATE, n_mfcc=40)
    chroma = librosa.feature.chroma_stft(S=power, sr=SAMPLE_RATE, tuning=0)
    return np.concatenate([part.mean(axis=1) for part in (mfcc, chroma, mel)]).astype(np.float32)


def pooled(samples: Floats) -> Floats:
    """Our pooled profile: [180]."""
    return features.pooled(features.frames(samples))


@cache
def _smile() -> opensmile.Smile:
    return opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)


def egemaps(samples: Floats) -> Floats:
    """openSMILE's eGeMAPSv02 functionals (Eyben et al., 2016): [88]."""
    return _smile().process_signal(samples, SAMPLE_RATE).to_numpy(np.float32)[0]


FEATURES = {"recipe": recipe, "pooled": pooled, "egemaps": egemaps}


def limited(clips: list[Clip]) -> list[Clip]:
    """All of the smaller corpora, ``SHARE`` clips of each larger one, drawn at random."""
    kept = []
    for corpus in sorted({clip.corpus for clip in clips}):
        own = [clip for clip in clips if clip.corpus == corpus]
        count = len(own) if len(own) < LARGE else SHARE
        kept += [own[index] for index in np.sort(np.random.default_rng(1).permutation(len(own))[:count])]
    return kept


def vectors(name: str, clips: list[Clip], root: Path) -> dict[str, Floats]:
    """One row [1, features] under the path of each clip."""
    one = joblib.Memory(KEPT, verbose=0).cache(vector)
    return {clip.path: one(name, str(root / clip.path))[None] for clip in tqdm(clips, desc=name, leave=False)}


def vector(name: str, path: str) -> Floats:
    """The statistics called ``name`` of one recording."""
    return FEATURES[name](decode(Path(path)))


def main() -> None:
    from benchmarks.accuracy import vectors as imported  # the cache is named after the module

    settings, root = read_settings(Path("configs/train-judge.yaml")), data_folder()
    clips = relabel(read_manifest(root / settings.manifest), settings.labels)
    trained = {clip.path for clip in limited(clips)}
    wanted = [clip for clip in clips if clip.path in trained or clip.corpus in HELD_OUT_CORPORA]
    for name in sys.argv[1:]:
        imported.vectors(name, wanted, root)


if __name__ == "__main__":
    main()
