"""Whether the map explains this network and stays where no listener would notice a change; what it costs."""

from dataclasses import replace

import numpy as np
from scipy.stats import spearmanr

from benchmarks.explanations.clips import held_out
from benchmarks.explanations.randomisation import randomised, shuffled
from benchmarks.explanations.stability import CHANGES
from benchmarks.explanations.timing import milliseconds
from edge.explain import listening
from edge.features import log_mel
from edge.model import encoder
from edge.model.bundle import Bundle
from edge.model.classifier import Classifier
from edge.model.manifest import ENCODER, MAP
from edge.model.runtime import open_session
from edge.model.weights import floats

CLIPS, NETWORKS = 40, 3


def deafened(bundle: Bundle, seed: int) -> Bundle:
    """The bundle with the numbers within each of its encoder's weight tensors shuffled."""
    graph = shuffled(
        bundle.path / ENCODER,
        seed,
        lambda name, values: values.dtype in (np.float32, np.int8) and not name.endswith("zero_point"),
    )
    return replace(bundle, encoder=open_session(graph, "a randomised encoder"))


def mask_of(bundle: Bundle, samples: np.ndarray, asked: str | None = None) -> tuple[np.ndarray, str]:
    """The map of a clip's verdict, or of the label ``asked`` as if it were that, and the verdict."""
    prediction = Classifier(bundle).predict(encoder.frames(samples, bundle))
    logits, label = prediction.logits, prediction.label
    if asked:
        logits = on_top(logits, bundle.labels.index(asked))
    return listening.mask(bundle, log_mel.log_mel(samples), logits), label


def on_top(logits: np.ndarray, place: int) -> np.ndarray:
    """The logits, the largest of which changes places with that at ``place``."""
    found, best = logits.copy(), int(logits.argmax())
    found[[best, place]] = found[[place, best]]
    return found


def table(bundle: Bundle) -> str:
    clips = [clip.samples for clip in held_out(bundle, CLIPS)]
    own = [mask_of(bundle, samples) for samples in clips]
    shuffled = {
        "network shuffled": [randomised(bundle, seed) for seed in range(NETWORKS)],
        "encoder shuffled": [deafened(bundle, seed) for seed in range(NETWORKS)],
        "both shuffled": [deafened(randomised(bundle, seed), seed) for seed in range(NETWORKS)],
    }
    lines = ["| change | rank correlation of the maps: mean (median) | same prediction % |", "|---|--:|--:|"]
    for name, others in shuffled.items():
        for asked, title in ((False, f"{name}, its own verdict"), (True, f"{name}, asked for the same label")):
            rows = []
            for other in others:
                for samples, (mine, label) in zip(clips, own, strict=True):
                    theirs, found = mask_of(other, samples, label if asked else None)
                    rows.append((mine, theirs, label == found))
            lines.append(_row(title, rows))
    for name, change in CHANGES.items():
        rows = []
        for samples, (mine, label) in zip(clips, own, strict=True):
            changed = np.clip(np.round(change(samples)), -32768, 32767).astype(np.int16)
            theirs, other = mask_of(bundle, changed)
            late = 1 if "later" in name else 0  # column of 10 ms, by which the map is to move as well
            rows.append((mine[:, : mine.shape[1] - late], theirs[:, late:], label == other))
        lines.append(_row(name, rows))
    return "\n".join([*lines, "", _note(bundle, swayed(bundle, clips))])


def swayed(bundle: Bundle, clips: list[np.ndarray]) -> float:
    """Of maps asked for another label than the verdict, the share whose kept part sounds like that label (%)."""
    classifier, found = Classifier(bundle), []
    for number, samples in enumerate(clips):
        logits = classifier.predict(encoder.frames(samples, bundle)).logits
        best = int(logits.argmax())
        other = (best + 1 + number % (len(logits) - 1)) % len(logits)
        asked = listening.mask(bundle, log_mel.log_mel(samples), on_top(logits, other))
        kept, _ = listening.parted(samples, asked)
        found.append(int(classifier.predict(encoder.frames(kept, bundle)).logits.argmax()) == other)
    return 100 * float(np.mean(found))


def _row(name: str, pairs: list[tuple[np.ndarray, np.ndarray, bool]]) -> str:
    ranks = [spearmanr(mine.ravel(), theirs.ravel()).statistic for mine, theirs, _ in pairs]
    same = 100 * np.mean([equal for *_, equal in pairs])
    return f"| {name} | {np.mean(ranks):.2f} ({np.median(ranks):.2f}) | {same:.0f} |"


def _note(bundle: Bundle, other: float) -> str:
    feed = {
        "log_mel": np.random.default_rng(0).random((1, log_mel.BANDS, 300), np.float32),
        "speech": np.zeros((1, 150, bundle.features.speech), np.float32),
        "logits": np.array([bundle.manifest.canary], np.float32),
    }
    ((median, least),) = milliseconds(lambda: bundle.map.run(["mask"], feed))
    numbers = sum(values.size for name, values in floats((bundle.path / MAP).read_bytes()) if name != "an attribute")
    return (
        f"{CLIPS} held-out clips, {NETWORKS} networks of each kind. `{MAP}` has {numbers / 1e3:.0f} k numbers and "
        f"takes {median:.1f} ms ({least:.1f} least) of one x86-64 core for 3 s. Asked for a label that the verdict is "
        f"not, it keeps a part that sounds like that label of {other:.0f} % of the clips."
    )
