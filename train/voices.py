"""How well a bundle tells voices apart: pairs of utterances, simulated households, and what adaptation gains by it."""

import csv
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from tqdm import tqdm

from edge.errors import UsageError
from edge.model import voices
from edge.model.bundle import Bundle
from edge.model.runtime import Session
from edge.model.voices import Voices
from train import listen, metrics
from train.corpora import Clip
from train.evaluate import Evaluation, adaptive_model, frames_of, known, said_of
from train.households import clustered, households
from train.listen import Said
from train.pairs import equal_error, middle, nearness

Floats = NDArray[np.float32]

SHORTEST = 0.5  # s


def read_manifest(path: Path) -> list[Clip]:
    """The rows of a manifest with path and speaker; corpus, sex, emotion and sha256 may be absent or empty.

    UsageError, one sentence, where it is none, or where there is one speaker.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = [name for name in ("path", "speaker") if name not in (reader.fieldnames or ())]
            if missing:
                raise UsageError(f"{path}: the manifest lacks the column {missing[0]}; it needs path and speaker.")
            clips = [_clip(path, number, row) for number, row in enumerate(reader, start=2)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path}: the manifest cannot be read ({error}); give a CSV file in UTF-8.") from error
    speakers = {clip.who for clip in clips}
    if len(speakers) < 2:
        raise UsageError(f"{path}: has {'one speaker' if speakers else 'no rows'}; voices need two speakers or more.")
    return clips


def _clip(path: Path, number: int, row: Mapping[str, str | None]) -> Clip:
    tidy = {name: (row.get(name) or "").strip() for name in ("path", "corpus", "speaker", "emotion", "sex", "sha256")}
    empty = next((name for name in ("path", "speaker") if not tidy[name]), None)
    if empty:
        raise UsageError(f"{path}, line {number}: {empty} is empty; fill it in or remove the row.")
    return Clip(**tidy)


def middles(session: Session, spectra: Sequence[Floats]) -> Floats:
    """Voices [clips, width] of the middle three seconds of each log-mel [80, time]."""
    bar = tqdm(spectra, desc="pairs", unit="clip", leave=False)
    return np.stack([voices.heard(session, middle(spectrum)) for spectrum in bar])


def evaluate(evaluation: Evaluation) -> dict[str, object]:
    """``n, speakers, eer, purity, coverage, adapted_uar`` and what stands around them; rates as fractions of 1.

    What a manifest without emotions, or without sexes, cannot say is None. UsageError where the bundle tells no voices
    apart, or where a recording is shorter than half a second.
    """
    bundle = Bundle.load(evaluation.bundle)
    clips = read_manifest(evaluation.manifest)
    if bundle.voice is None or bundle.manifest.voices is None:
        raise UsageError(f"{evaluation.bundle}: the bundle tells no voices apart; take one with voice.onnx.")
    spectra, said = said_of(clips, bundle, evaluation)
    short = next((clip.path for clip, (_, seconds) in zip(clips, said, strict=True) if seconds < SHORTEST), None)
    if short:
        raise UsageError(f"{short}: is shorter than {SHORTEST} s, which no voice can be known by; take its row out.")
    near = middles(bundle.voice, spectra)
    fresh = partial(Voices, bundle.manifest.voices)
    pure, covered = clustered(clips, np.stack([voice for voice, _ in said]), [each for _, each in said], fresh)
    return {
        "bundle": bundle.name,
        "n": len(clips),
        "speakers": len({clip.who for clip in clips}),
        "eer": _rate(clips, near),
        "eer_hard": _rate(clips, near, hard=True) if all(clip.sex and clip.emotion for clip in clips) else None,
        "purity": round(pure, 4),
        "coverage": round(covered, 4),
        **adapted(clips, bundle, evaluation, said),
        "condition": evaluation.condition,
    }


def _rate(clips: Sequence[Clip], near: Floats, hard: bool = False) -> float | None:
    same, different = nearness(clips, near, hard)
    return round(equal_error(same, different), 4) if len(same) and len(different) else None


def adapted(
    clips: Sequence[Clip], bundle: Bundle, evaluation: Evaluation, said: Sequence[Said]
) -> dict[str, float | None]:
    """UAR in households of four, histories as in life: by clustered voices, cold, by the microphone, by true speakers.

    ``gained`` is how much of the gain from cold to true speakers the clustered voices reach.
    """
    names = {"none": "cold_uar", "source": "source_uar", "voice": "adapted_uar", "speaker": "speaker_uar"}
    emotional = [place for place, clip in enumerate(clips) if clip.emotion]
    if not emotional:
        return dict.fromkeys([*names.values(), "gained"])
    named = {clip.path: place for place, clip in enumerate(clips)}
    kept, _ = known([clips[place] for place in emotional], bundle)
    places = [named[clip.path] for clip in kept]
    homes, frames = households(kept), frames_of(kept, bundle, evaluation)
    model = adaptive_model(bundle)
    meant = np.array([bundle.labels.index(clip.emotion) for clip in kept])
    found: dict[str, float | None] = {}
    for protocol, name in names.items():
        heard = listen.listen(
            homes, frames, model, protocol, None, evaluation.seed, "life", [said[place] for place in places]
        )
        found[name] = round(
            metrics.score(softmax(heard.logits.astype(np.float64), axis=1), meant, bundle.labels).uar, 4
        )
    cold, voice, speaker = (found[name] or 0.0 for name in ("cold_uar", "adapted_uar", "speaker_uar"))
    return {**found, "gained": round((voice - cold) / (speaker - cold), 4) if speaker > cold else None}
