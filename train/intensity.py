"""The head for the intensity: fitted on recordings that say how strongly they are expressed, and scored on others."""

import csv
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold
from tqdm import tqdm

from edge.errors import UsageError
from edge.features import FeatureSet
from edge.model import intensity
from edge.model.adapter import Adapter
from edge.model.bundle import Bundle
from edge.model.classifier import Classifier
from edge.model.encoder import encoded
from edge.model.intensity import Intensity
from train.augmentation import change_of
from train.conditions import condition
from train.corpora import Clip, read_folders, read_sounds
from train.recordings import Change, hand_made, log_mel, streams_of
from train.settings import SplitSettings, sounds_folder
from train.speech import join
from train.splits import Split, by_speaker

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Scores: TypeAlias = dict[str, float | int | str | dict[str, float]]

SCALES = (("normal", "strong"), ("low", "neutral", "high"))
"""Labels of intensity in order; a manifest uses one of these, or numbers."""
PROTOCOLS = ("none", "speaker")
CONDITIONS = ("near", "far")
"""What the head is calibrated and reported in."""


class IntensitySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the head is fitted."""

    split: SplitSettings
    levels: dict[str, float]
    """What each label of intensity is worth, 0 to 1."""
    corpora: tuple[str, ...] = ("ravdess", "baved")
    """Whose recordings say how strongly they are expressed."""
    arousal: dict[str, float] = {}
    """What an emotion is worth where a corpus says nothing of its strength."""
    arousal_corpora: tuple[str, ...] = ()
    arousal_weight: float = 0.15
    """Of such a recording, where one that says its strength has 1."""
    copies: tuple[str, ...] = ()
    """Augmented copies (train.augmentation), each half as heavy as the recording."""
    penalties: tuple[float, ...] = (0.1, 0.3, 1.0, 3.0, 10.0)
    """Of the squared weights, in standard deviations of the measures: those to choose from on the training side, for
    all measures, and again for the embedding, which knows the speakers that it was trained on.
    """
    seed: int = 1


FITTED = "intensity.json"
FOLDS = 5  # of the training speakers, to choose penalties
DIGITS = 6  # of the head's numbers, which are float32


class Penalties(msgspec.Struct, frozen=True):
    """What was chosen: for all measures, and for the embedding."""

    all: float
    embedding: float


class Fitted(msgspec.Struct, frozen=True):
    """What a fit leaves: the head, the penalties, and the scores by corpus, condition and adaptation."""

    intensity: Intensity
    penalties: Penalties
    scores: dict[str, Scores]


@dataclass(frozen=True, eq=False)
class Table:
    """What the head is fitted to: standardised measures [rows, measures], levels and weights [rows], and the clips."""

    rows: Doubles
    wanted: Doubles
    heavy: Doubles
    clips: Sequence[Clip]


def read_fitted(path: Path) -> Fitted:
    """What ``python -m train intensity`` left; UsageError where it is no such file."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Fitted)
    except (OSError, msgspec.MsgspecError) as error:
        raise UsageError(f"{path}: is no fitted intensity ({error}); run `python -m train intensity`.") from error


@dataclass(frozen=True)
class Heard:
    """What the bundle makes of one clip, cold: measures, what the adapter would learn, and the embedding."""

    clip: Clip
    frames: Floats
    scaled: Floats
    embedding: Floats


@dataclass(frozen=True)
class Ear:
    """A bundle, and where recordings and their features lie."""

    bundle: Bundle
    root: Path
    cache: Path = Path("runs/cache")
    jobs: int = 1
    dask: str = ""
    sounds: Path = field(default_factory=sounds_folder)

    def hear(self, clips: Sequence[Clip], change: tuple[str, Change] | None, title: str) -> list[Heard]:
        """Every clip through the bundle's graphs, changed or not."""
        bundle, classifier = self.bundle, Classifier(self.bundle)
        fronts = [hand_made(FeatureSet(bundle.features.hand_made)), *([log_mel()] if bundle.encoder else [])]
        streams = streams_of(clips, self.root, self.cache, self.jobs, change, self.dask, fronts)
        heard = []
        for place in tqdm(range(len(clips)), desc=f"hear ({title})", unit="clip", leave=False):
            frames = np.asarray(streams[0][place], np.float32)
            if bundle.encoder is not None:
                spectrum = np.ascontiguousarray(streams[1][place].T, np.float32)
                frames = join(frames, encoded(bundle.encoder, spectrum))
            prediction = classifier.predict(frames)
            heard.append(Heard(clips[place], frames, classifier.scaled(frames), prediction.embedding))
        return heard

    def measured(self, heard: Sequence[Heard], protocol: str, seed: int) -> Floats:
        """Measures [clips, measures] under one protocol of adaptation, every voice's clips in a random order."""
        queues: dict[str, list[int]] = defaultdict(list)
        for index in np.random.default_rng(seed).permutation(len(heard)):
            queues[heard[index].clip.who].append(int(index))
        features, width = self.bundle.features, self.bundle.embedding
        rows = np.zeros((len(heard), intensity.size(features, width)), np.float32)
        for queue in queues.values():
            adapter = Adapter(len(features.names), width)
            for index in queue:
                one = heard[index]
                known = adapter.snapshot() if protocol == "speaker" else None
                rows[index] = intensity.measures(one.frames, one.scaled, features, one.embedding, known)
                adapter.observe(one.scaled, one.embedding)
        return rows


def read_clips(settings: IntensitySettings, folders: Sequence[Path], sounds: Path) -> Split:
    """What trains, calibrates and evaluates the head, no speaker on two sides."""
    named = [clip for clip in read_folders(folders) if clip.corpus in settings.corpora and clip.intensity]
    ordered = [
        clip
        for clip in read_folders(folders)
        if clip.corpus in settings.arousal_corpora and not clip.intensity and clip.emotion in settings.arousal
    ]
    levels = read_sounds(sounds, {"levels": "baved"}) if "baved" in settings.corpora else []
    clips = [replace(clip, emotion=clip.emotion or "any") for clip in (*named, *ordered, *levels)]
    unknown = sorted({clip.intensity for clip in clips if clip.intensity} - settings.levels.keys())
    if unknown:
        raise UsageError(f"The configuration gives the intensity {unknown[0]} no level; add it under `levels`.")
    return by_speaker(clips, settings.split.test, settings.split.calibration)


def fit(settings: IntensitySettings, split: Split, ear: Ear) -> tuple[Intensity, Penalties]:
    """The head for a bundle and its penalties, chosen and fitted on the training side, then calibrated."""
    measured, clips, shares = [], [], []
    for copy in ("", *settings.copies):
        change = change_of(copy, ear.cache, ear.sounds) if copy else None
        heard = ear.hear(split.train, change, copy or "plain")
        for protocol in PROTOCOLS:
            measured.append(ear.measured(heard, protocol, settings.seed))
            clips += split.train
            shares += [0.5 if copy else 1.0] * len(split.train)
    rows = np.concatenate(measured)
    mean, scale = rows.mean(axis=0), rows.std(axis=0) + 1e-6
    table = Table(
        np.clip((rows - mean) / scale, -intensity.LIMIT, intensity.LIMIT).astype(np.float64),
        np.array([_target(settings, clip) for clip in clips]),
        np.array(shares) * [1 if clip.intensity else settings.arousal_weight for clip in clips],
        clips,
    )
    chosen = choose(settings, table, ear.bundle)
    solution, bias = ridge(table.rows, table.wanted, table.heavy, _penalties(chosen, ear.bundle))
    head = Intensity(mean=mean.tolist(), scale=scale.tolist(), weights=solution.tolist(), bias=bias)
    return _rounded(_calibrated(head, settings, split, ear)), chosen


def choose(settings: IntensitySettings, table: Table, bundle: Bundle) -> Penalties:
    """The penalties whose answers on speakers left out order each corpus best: the mean of Spearman's correlations."""
    speakers = [clip.who for clip in table.clips]
    folds = list(GroupKFold(min(FOLDS, len(set(speakers)))).split(table.rows, groups=speakers))
    places = {
        corpus: [at for at, clip in enumerate(table.clips) if clip.corpus == corpus and clip.intensity]
        for corpus in settings.corpora
    }

    def score(penalties: Penalties) -> float:
        answers = np.zeros(len(table.rows))
        for kept, out in folds:
            weights, bias = ridge(
                table.rows[kept], table.wanted[kept], table.heavy[kept], _penalties(penalties, bundle)
            )
            answers[out] = table.rows[out] @ weights + bias
        return float(np.mean([spearmanr(table.wanted[at], answers[at]).statistic for at in places.values() if at]))

    pairs = [Penalties(*pair) for pair in product(settings.penalties, repeat=2)]
    best: Penalties = max(tqdm(pairs, desc="choose penalties", leave=False), key=score)
    return best


def _rounded(head: Intensity) -> Intensity:
    """The head in as many digits as float32 has: a bundle's manifest is read by people as well."""
    numbers = {
        name: [float(f"{value:.{DIGITS}g}") for value in getattr(head, name)] for name in ("mean", "scale", "weights")
    }
    return msgspec.structs.replace(head, **numbers)


def ridge(rows: Doubles, wanted: Doubles, heavy: Doubles, penalties: Doubles) -> tuple[Doubles, float]:
    """Weights [columns] and bias of a weighted least squares with a penalty for each (Hoerl and Kennard, 1970)."""
    total = heavy.sum()
    middle, target = heavy @ rows / total, float(heavy @ wanted / total)
    squares = (rows * heavy[:, None]).T @ rows / total - np.outer(middle, middle)
    solution = np.linalg.solve(squares + np.diag(penalties), (heavy * (wanted - target)) @ rows / total)
    return solution, target - float(middle @ solution)


def _penalties(chosen: Penalties, bundle: Bundle) -> Doubles:
    """One for each of ``edge.model.intensity.measures``, which holds the embedding twice."""
    columns, width = len(bundle.features.names), bundle.embedding
    found = np.full(intensity.size(bundle.features, width), chosen.all)
    found[len(found) - columns - 2 * width : len(found) - columns - width] = chosen.embedding
    found[len(found) - width :] = chosen.embedding
    return found


def _target(settings: IntensitySettings, clip: Clip) -> float:
    return settings.levels[clip.intensity] if clip.intensity else settings.arousal[clip.emotion]


def _calibrated(head: Intensity, settings: IntensitySettings, split: Split, ear: Ear) -> Intensity:
    """The head with the slope and offset that make its answers levels, on speakers that it was not fitted on.

    Platt's scaling, with levels in place of classes.
    """
    clips = [clip for clip in split.calibration if clip.intensity]
    if not clips:
        raise UsageError("No speaker of the calibration side says how strongly; name some under `split: calibration`.")
    heard = [ear.hear(clips, condition(name, ear.cache, ear.sounds), name) for name in CONDITIONS]
    scores = np.concatenate(
        [scores_of(head, ear.measured(one, name, settings.seed)) for one in heard for name in PROTOCOLS]
    )
    times = len(CONDITIONS) * len(PROTOCOLS)
    wanted = np.array([settings.levels[clip.intensity] for clip in clips] * times)
    counts = Counter(clip.corpus for clip in clips)
    heavy = np.array([1 / counts[clip.corpus] for clip in clips] * times)
    heavy /= heavy.sum()

    def loss(line: Doubles) -> float:
        odds = line[0] * scores + line[1]
        return float(heavy @ (np.logaddexp(0, odds) - wanted * odds))

    slope, offset = minimize(loss, np.array([4.0, -2.0]), bounds=((1e-3, None), (None, None))).x
    return msgspec.structs.replace(
        head, weights=[float(slope * weight) for weight in head.weights], bias=float(slope * head.bias + offset)
    )


def scores_of(head: Intensity, measured: Floats) -> Doubles:
    """Log-odds [clips]."""
    ready = head.head()
    return np.array([ready.score(row) for row in measured])


def read_manifest(path: Path) -> tuple[list[Clip], Doubles]:
    """The clips of a manifest with path, speaker and intensity, and the rank of each intensity, from 0 on."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = [name for name in ("path", "speaker", "intensity") if name not in (reader.fieldnames or ())]
            if missing:
                raise UsageError(
                    f"{path}: the manifest lacks the column {missing[0]}; it needs path, speaker, intensity."
                )
            rows = [row for row in reader if (row["intensity"] or "").strip()]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path}: the manifest cannot be read ({error}); give a CSV file in UTF-8.") from error
    clips = [_clip(path, number, row) for number, row in enumerate(rows, start=1)]
    return clips, ranks([clip.intensity for clip in clips], path)


def _clip(path: Path, number: int, row: Mapping[str, str | None]) -> Clip:
    where, who = (row["path"] or "").strip(), (row["speaker"] or "").strip()
    if not (where and who):
        raise UsageError(f"{path}, recording {number}: path or speaker is empty; fill it in or remove the row.")
    return Clip(where, (row.get("corpus") or "").strip(), who, "", intensity=(row["intensity"] or "").strip())


def ranks(labels: Sequence[str], path: Path) -> Doubles:
    """What labels of intensity are worth in order; UsageError where they have none, or are all the same."""
    values = _ranks(labels, path)
    if len(set(values.tolist())) < 2:
        raise UsageError(
            f"{path}: all its recordings have one intensity ({labels[0] if labels else 'none'}); add another."
        )
    return values


def _ranks(labels: Sequence[str], path: Path) -> Doubles:
    for scale in SCALES:
        if set(labels) <= set(scale):
            return np.array([scale.index(label) for label in labels], np.float64)
    try:
        values = np.array([float(label) for label in labels])
    except ValueError:
        values = np.array([np.nan])
    if not np.isfinite(values).all():
        known = " or ".join(", ".join(scale) for scale in SCALES)
        strange = next((one for one in labels if not any(one in scale for scale in SCALES)), labels[0])
        raise UsageError(f"{path}: the intensity {strange} has no place in an order; use {known}, or numbers.")
    return values


def evaluate(head: Intensity, heard: Sequence[Heard], order: Doubles, ear: Ear, adapt: str, seed: int = 1) -> Scores:
    """``n, speakers, auc, spearman``: the AUC of the highest level against the lowest, rates as fractions of 1."""
    ready = head.head()
    answers = np.array([ready(row) for row in ear.measured(heard, adapt, seed)])
    extremes = (order == order.min()) | (order == order.max())
    return {
        "n": len(heard),
        "speakers": len({one.clip.who for one in heard}),
        "auc": round(float(roc_auc_score(order[extremes] == order.max(), answers[extremes])), 4),
        "spearman": round(float(spearmanr(order, answers).statistic), 4),
        "mean_by_level": {
            f"{level:g}": round(float(answers[order == level].mean()), 4) for level in sorted(set(order.tolist()))
        },
        "adapt": adapt,
    }


def report(head: Intensity, split: Split, ear: Ear, seed: int) -> dict[str, Scores]:
    """The scores on every corpus of the test side, near and far, cold and adapted."""
    return dict(_scores(head, split, ear, seed))


def _scores(head: Intensity, split: Split, ear: Ear, seed: int) -> Iterator[tuple[str, Scores]]:
    for corpus in sorted({clip.corpus for clip in split.test}):
        clips = [clip for clip in split.test if clip.corpus == corpus]
        order = ranks([clip.intensity for clip in clips], Path(corpus))
        for name in CONDITIONS:
            heard = ear.hear(clips, condition(name, ear.cache, ear.sounds), name)
            for adapt in PROTOCOLS:
                yield f"{corpus}, {name}, {adapt}", evaluate(head, heard, order, ear, adapt, seed)
