"""Alternatives on the same splits and under the same adaptation: writes baselines.json and prints a table.

Run from the repository's root: python -m benchmarks.accuracy.baselines [PROTOCOL [FEATURES:MODEL ...]]
"""

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.dummy import DummyClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from torch import nn

from benchmarks.accuracy.vectors import limited, vectors
from edge.model.adapter import Adaptation, Adapter, AdapterSettings
from train import listen, report
from train.corpora import Clip, read_manifest, relabel
from train.network import PooledNetwork, PooledSettings
from train.protocols import folds_of, summarise
from train.settings import data_folder, read_settings
from train.splits import by_speaker

RESULTS = Path(__file__).parent / "baselines.json"
PROTOCOLS = {
    "corpora": "configs/train-judge.yaml",
    "ravdess/5": "configs/train-ravdess.yaml",
    "emodb/speakers": "configs/train-emodb.yaml",
}
"""The configuration with the corpora, labels and splits of each protocol."""
NAMES = ("pooled:majority", "recipe:mlp", "recipe:svm", "pooled:svm", "pooled:network", "egemaps:svm")
ADAPTER = AdapterSettings(prior=8.0, memory=1e9)
"""One vector an utterance, without forgetting."""

Floats = NDArray[np.float32]


class Network:
    """Our pooled network with scikit-learn's interface: AdamW with one cosine cycle, balanced class weights."""

    epochs, batch = 60, 64

    def fit(self, rows: Floats, meant: NDArray[np.int64]) -> "Network":
        torch.manual_seed(1)
        counts = np.bincount(meant)
        self.layers = PooledNetwork(PooledSettings(inputs=rows.shape[1], classes=len(counts)))
        steps = self.epochs * (len(rows) // self.batch)
        optimiser = torch.optim.AdamW(self.layers.parameters(), lr=2e-3, weight_decay=0.02)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=steps)
        loss = nn.CrossEntropyLoss(torch.from_numpy(1 / counts).float(), label_smoothing=0.1)
        data, labels = torch.from_numpy(rows).float(), torch.from_numpy(np.asarray(meant))
        for _ in range(self.epochs):
            for chosen in torch.randperm(len(rows)).split(self.batch):
                if len(chosen) < self.batch:
                    continue
                optimiser.zero_grad()
                loss(self.layers(data[chosen]), labels[chosen]).backward()
                optimiser.step()
                schedule.step()
        self.layers.eval()
        return self

    def decision_function(self, rows: Floats) -> Floats:
        with torch.inference_mode():
            return self.layers(torch.from_numpy(rows).float()).numpy()


MODELS: dict[str, Callable[[], SVC | MLPClassifier | DummyClassifier | Network]] = {
    "svm": partial(SVC, C=10, gamma="scale", class_weight="balanced", decision_function_shape="ovr"),
    "mlp": partial(MLPClassifier, (300,), early_stopping=True, random_state=1),
    "network": Network,
    "majority": DummyClassifier,
}


def adapted(clips: list[Clip], scaled: list[Floats]) -> Floats:
    """Training vectors, each adapted to its own speaker's history, in a seeded order."""
    rows = np.zeros((len(clips), scaled[0].shape[1]), np.float32)
    adapters: dict[str, Adapter] = {}
    for index in np.random.default_rng(1).permutation(len(clips)):
        adapter = adapters.setdefault(clips[index].who, Adapter(rows.shape[1], settings=ADAPTER))
        rows[index] = adapter.apply(scaled[index])[0]
        adapter.observe(scaled[index])
    return rows


def judge(protocol: str, kind: str, classifier: str) -> dict[str, object]:
    """Mean and spread over the folds: cold, and adapted to each corpus and to each speaker."""
    settings, root = read_settings(Path(PROTOCOLS[protocol])), data_folder()
    clips = relabel(read_manifest(root / settings.manifest), settings.labels)
    if settings.corpora:
        clips = [clip for clip in clips if clip.corpus in settings.corpora]
    train_on = {clip.path for clip in limited(clips)}
    scores: dict[str, list[dict[str, object]]] = {adapt: [] for adapt in listen.PROTOCOLS}
    for fold in folds_of(protocol, clips, settings):
        split = by_speaker(clips, fold.split.test, fold.split.calibration)
        train = [clip for clip in split.train if clip.path in train_on]
        classes = sorted({clip.emotion for clip in train})
        test = [clip for clip in split.test if clip.emotion in classes]
        known = vectors(kind, train + test, root)
        scaler = StandardScaler().fit(np.concatenate([known[clip.path] for clip in train]))
        meant = np.array([classes.index(clip.emotion) for clip in train])
        scaled = [scaler.transform(known[clip.path]) for clip in train]
        cold = MODELS[classifier]().fit(np.concatenate(scaled), meant)
        warm = MODELS[classifier]().fit(adapted(train, scaled), meant)
        for adapt, fitted in (("none", cold), ("source", warm), ("speaker", warm)):
            ear = listen.Ear(scaler.transform, partial(logits_of, fitted))
            heard = listen.listen(test, [known[clip.path] for clip in test], ear, adapt, ADAPTER)
            scores[adapt].append(report.describe(test, heard, classes, 1.0, adapt))
    return {adapt: {"folds": [fold["uar"] for fold in folds], **summarise(folds)} for adapt, folds in scores.items()}


def logits_of(
    fitted: SVC | MLPClassifier | DummyClassifier | Network, row: Floats, usual: Adaptation
) -> tuple[Floats, None]:
    """The prediction for one scaled vector [1, features] under the present adaptation."""
    probable = not hasattr(fitted, "decision_function")
    adapted = usual(row)
    found = np.log(fitted.predict_proba(adapted) + 1e-9) if probable else fitted.decision_function(adapted)
    return found[0].astype(np.float32), None


def main() -> None:
    torch.set_num_threads(1)
    for protocol in sys.argv[1:2] or PROTOCOLS:
        for name in sys.argv[2:] or NAMES:
            found = judge(protocol, *name.split(":"))
            results = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
            results.setdefault(protocol, {})[name] = found
            RESULTS.write_text(json.dumps(results, indent=1) + "\n")
            cells = " / ".join(f"{100 * found[adapt]['uar']['mean']:.1f}" for adapt in listen.PROTOCOLS)
            sys.stdout.write(f"| {protocol} | {name} | {cells} |\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
