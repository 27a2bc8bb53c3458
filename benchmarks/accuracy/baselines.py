"""What else one could run, on the same splits and under the same adaptation: writes baselines.json and prints a table.

Run from the repository's root: python -m benchmarks.accuracy.baselines PROTOCOL FEATURES:MODEL ...
FEATURES: recipe (40 MFCC, 12 chroma, 128 mel, means), pooled (our 180), egemaps (88, needs `pip install opensmile`).
MODEL: svm, mlp, or majority.
"""

import json
import sys
from pathlib import Path

import joblib
import librosa
import numpy as np
from numpy.typing import NDArray
from sklearn.dummy import DummyClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from tqdm import tqdm

from edge import features
from edge.adapt import Adapter, AdapterSettings
from train import listen, report
from train.corpora import Clip, read_manifest, relabel
from train.protocols import folds_of, summarise
from train.recordings import decode
from train.settings import data_folder, read_settings
from train.splits import by_speaker

HERE = Path(__file__).parent
RESULTS = HERE / "baselines.json"
ADAPTER = AdapterSettings(prior=8.0, memory=1e9)
"""One vector an utterance: nothing is forgotten, as in the comparison that this repeats."""

Floats = NDArray[np.float32]


def recipe(samples: Floats) -> Floats:
    """Means over time of 40 MFCC, 12 chroma and 128 mel bands, as the popular recipe has them: [180]."""
    power = np.abs(librosa.stft(samples))
    mel = librosa.feature.melspectrogram(y=samples, sr=16_000)
    mfcc = librosa.feature.mfcc(y=samples, sr=16_000, n_mfcc=40)
    chroma = librosa.feature.chroma_stft(S=power, sr=16_000, tuning=0)
    return np.concatenate([part.mean(axis=1) for part in (mfcc, chroma, mel)]).astype(np.float32)


def pooled(samples: Floats) -> Floats:
    """Our pooled profile: [180]."""
    return features.pooled(features.frames(samples))


def egemaps(samples: Floats) -> Floats:
    """openSMILE's eGeMAPSv02 functionals: [88]."""
    import opensmile

    if not hasattr(egemaps, "smile"):
        egemaps.smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)
    return egemaps.smile.process_signal(samples, 16_000).to_numpy(np.float32)[0]


FEATURES = {"recipe": recipe, "pooled": pooled, "egemaps": egemaps}


def vectors(name: str, clips: list[Clip], root: Path) -> list[Floats]:
    """One row [1, features] for each clip, kept under runs/."""
    memory = joblib.Memory("runs/baselines", verbose=0)
    one = memory.cache(_vector)
    return [one(name, str(root / clip.path))[None] for clip in tqdm(clips, desc=name, leave=False)]


def _vector(name: str, path: str) -> Floats:
    return FEATURES[name](decode(Path(path)))


def model(name: str) -> SVC | MLPClassifier | DummyClassifier:
    if name == "svm":
        return SVC(C=10, gamma="scale", class_weight="balanced", decision_function_shape="ovr")
    return MLPClassifier((300,), early_stopping=True, random_state=1) if name == "mlp" else DummyClassifier()


def adapted(clips: list[Clip], scaled: list[Floats]) -> Floats:
    """Training vectors as their own speaker's history would have left them, in manifest order of a seeded shuffle."""
    rows = np.zeros((len(clips), scaled[0].shape[1]), np.float32)
    adapters: dict[str, Adapter] = {}
    for index in np.random.default_rng(1).permutation(len(clips)):
        adapter = adapters.setdefault(clips[index].who, Adapter(rows.shape[1], ADAPTER))
        rows[index] = adapter.apply(scaled[index])[0]
        adapter.observe(scaled[index])
    return rows


def judge(protocol: str, kind: str, classifier: str) -> dict[str, object]:
    """Mean and spread over the folds, cold and with each speaker's history."""
    settings, root = read_settings(Path("configs/train.yaml")), data_folder()
    clips = limited(relabel(read_manifest(root / settings.manifest), settings.labels))
    known = dict(zip([clip.path for clip in clips], vectors(kind, clips, root), strict=True))
    scores: dict[str, list[dict[str, object]]] = {"none": [], "source": [], "speaker": []}
    for fold in folds_of(protocol, clips, settings):
        split = by_speaker(clips, fold.split.test, ())
        classes = sorted({clip.emotion for clip in split.train})
        scaler = StandardScaler().fit(np.concatenate([known[clip.path] for clip in split.train]))
        meant = [classes.index(clip.emotion) for clip in split.train]
        scaled = [scaler.transform(known[clip.path]) for clip in split.train]
        cold = model(classifier).fit(np.concatenate(scaled), meant)
        warm = model(classifier).fit(adapted(split.train, scaled), meant)
        test = [clip for clip in split.test if clip.emotion in classes]
        for adapt, fitted in (("none", cold), ("source", warm), ("speaker", warm)):
            ear = listen.Ear(scaler.transform, lambda row, fitted=fitted: scores_of(fitted, row))
            heard = listen.listen(test, [known[clip.path] for clip in test], ear, adapt, ADAPTER)
            scores[adapt].append(report.describe(test, heard, classes, 1.0, adapt))
    return {adapt: {"folds": [fold["uar"] for fold in folds], **summarise(folds)} for adapt, folds in scores.items()}


def scores_of(fitted: SVC | MLPClassifier | DummyClassifier, row: Floats) -> Floats:
    found = fitted.decision_function(row) if isinstance(fitted, SVC) else np.log(fitted.predict_proba(row) + 1e-9)
    return found[0].astype(np.float32)


def limited(clips: list[Clip]) -> list[Clip]:
    """All of the smaller corpora, 600 clips of each larger one, drawn at random: openSMILE takes its time."""
    kept = []
    for corpus in sorted({clip.corpus for clip in clips}):
        own = [clip for clip in clips if clip.corpus == corpus]
        count = len(own) if len(own) < 2000 else 600
        kept += [own[index] for index in np.sort(np.random.default_rng(1).permutation(len(own))[:count])]
    return kept


def main() -> None:
    protocol, *names = sys.argv[1:]
    for name in names:
        kind, classifier = name.split(":")
        found = judge(protocol, kind, classifier)
        results = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
        results.setdefault(protocol, {})[name] = found
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        cells = " / ".join(f"{100 * found[adapt]['uar']['mean']:.1f}" for adapt in listen.PROTOCOLS)
        sys.stdout.write(f"| {protocol} | {name} | {cells} |\n")


if __name__ == "__main__":
    main()
