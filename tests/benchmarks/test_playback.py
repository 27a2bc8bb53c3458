"""How it is judged whether a loudspeaker can be told from people."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from benchmarks.accuracy import playback
from benchmarks.accuracy.playback import HEADS, Head, Table
from benchmarks.accuracy.playback_measures import measures
from train.corpora import Clip
from train.surroundings import Surroundings

GENERATOR = np.random.default_rng


def table(corpora: str, gap: float, seed: int, count: int = 240) -> Table:
    """Clips of three on a device, each from a person and from a loudspeaker that lies ``gap`` deviations apart."""
    played = np.tile([False, True], count // 2)
    rows = GENERATOR(seed).standard_normal((count, 4)).astype(np.float32)
    rows[:, 0] += gap * played
    places = np.arange(count) // 2
    corpus = np.array(list(corpora))[places % len(corpora)]
    words = {
        "corpus": corpus,
        "clip": np.array([f"{name} {place}" for name, place in zip(corpus, places, strict=True)]),
        "device": np.array([f"{name} {place // 12}" for name, place in zip(corpus, places, strict=True)]),
        "distance": np.where(places % 4 < 2, "near", "far"),
        "music": np.array(["music"] * count),
        "loudspeaker": np.array(["radio"] * count),
    }
    return Table(rows, played, words)


@pytest.mark.parametrize("prevalence", playback.PREVALENCES.values())
def test_a_threshold_has_the_precision_that_was_asked_for_and_the_most_recall(prevalence: float) -> None:
    played = np.arange(4000) % 2 == 0
    scores = GENERATOR(1).standard_normal(4000) + 2 * played
    lowest = playback.threshold(played, scores, prevalence)
    found = playback.rates(played, scores >= lowest, prevalence)
    assert found["precision"] >= playback.PRECISION
    assert found["recall"] > 0.1
    lower = [playback.rates(played, scores >= one, prevalence)["precision"] for one in np.sort(scores[scores < lowest])]
    assert max(lower) < playback.PRECISION


def test_what_tells_nothing_apart_has_no_threshold_and_no_precision() -> None:
    played = np.arange(2000) % 2 == 0
    lowest = playback.threshold(played, GENERATOR(2).standard_normal(2000), 0.1)
    assert lowest == np.inf
    assert playback.rates(played, np.zeros(2000, bool), 0.1) == {"precision": None, "recall": 0, "false_alarms": 0}


def test_rare_playback_makes_the_same_marks_less_precise() -> None:
    played = np.arange(1000) < 500
    marked = (np.arange(1000) < 200) | (np.arange(1000) >= 980)
    assert playback.rates(played, marked, 0.5) == {"precision": 0.9091, "recall": 0.4, "false_alarms": 0.04}
    assert playback.rates(played, marked, 0.1)["precision"] == pytest.approx(0.04 / 0.076, abs=1e-4)


def test_a_usual_is_what_the_device_heard_of_other_clips() -> None:
    heard = table("ab", gap=0, seed=3)
    heard.rows[:] = (heard.words["device"] == "a 0")[:, None]
    heard.rows[0] = 100  # of the first clip, which its other row must not meet
    found = playback.usual(heard, 0.5, GENERATOR(4))
    assert (found[1] == 1).all()
    assert (found[heard.words["device"] != "a 0"] == 0).all()


def test_a_usual_holds_as_much_playback_as_the_device_hears() -> None:
    heard = table("ab", gap=0, seed=3)
    heard.rows[:] = heard.played[:, None]
    assert playback.usual(heard, 0.1, GENERATOR(4)).mean() == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize(
    "head", [Head(playback.logistic, slice(None)), Head(playback.logistic, slice(None), usual=True)]
)
def test_a_loudspeaker_that_differs_is_told_apart_and_one_that_does_not_is_not(head: Head) -> None:
    for gap, low, high in ((6, 0.99, 1.0), (0, 0.3, 0.7)):
        found = playback.judge(head, table("abc", gap, seed=5), table("de", gap, seed=6), seed=1)
        assert low <= found["half"]["auc"] <= high
        assert (found["half"]["near"]["recall"] > 0.8) == (gap == 6)


def test_the_summary_is_the_mean_of_the_seeds() -> None:
    heads = [{name: _scores(recall) for name in HEADS} for recall in (0.2, 0.4)]
    found = playback.summary({str(seed): {"heads": one} for seed, one in enumerate(heads)})
    assert found["both"]["half"]["far"] == {"precision": 0.9677, "recall": 0.3, "false_alarms": 0.01}


def _scores(recall: float) -> dict:
    row = {"recall": recall, "false_alarms": 0.01}
    return {
        words: {"auc": 0.8, "recall_with_the_best_threshold": recall, "all": row, "near": row, "far": row}
        for words in playback.PREVALENCES
    }


def test_a_louder_microphone_changes_no_measure() -> None:
    speech = 0.02 * GENERATOR(7).standard_normal(24_000) * np.repeat([0.1, 1, 0.3, 1, 0.05, 1], 4_000)
    np.testing.assert_allclose(measures(speech), measures(4 * speech), atol=0.02)


def test_a_band_limit_and_steady_noise_change_the_measures() -> None:
    speech = 0.1 * GENERATOR(7).standard_normal(24_000) * np.repeat([0.1, 1, 0.3, 1, 0.05, 1], 4_000)
    spectrum = np.fft.rfft(speech)
    spectrum[4_500:] = 0
    for changed in (np.fft.irfft(spectrum), speech + 0.05 * GENERATOR(8).standard_normal(24_000)):
        assert np.abs(measures(changed) - measures(speech)).max() > 5


def test_every_clip_is_heard_from_a_person_and_from_a_loudspeaker_near_and_far(tmp_path: Path) -> None:
    pytest.importorskip("pyroomacoustics", reason="rooms are drawn by pyroomacoustics: pip install 'affectd[train]'")
    for place in range(2):
        soundfile.write(tmp_path / f"{place}.wav", 0.1 * GENERATOR(place).standard_normal(16_000), 16_000)
    clips = [Clip(f"{place}.wav", "hiss", "one", "neutral") for place in range(2)]
    around = Surroundings.of("evaluation", tmp_path, tmp_path)
    found, again = (playback.draw(clips, tmp_path, around, ["radio", "laptop", "bookshelf"], 1) for _ in range(2))
    np.testing.assert_array_equal(found.rows, again.rows)
    assert np.isfinite(found.rows).all()
    assert found.rows.shape[0] == 8
    assert found.played.tolist() == [False, False, True, True] * 2
    assert found.words["distance"].tolist() == ["near", "far"] * 4
    assert found.words["loudspeaker"].tolist() == ["radio"] * 4 + ["laptop"] * 4
    assert len(np.unique(found.rows, axis=0)) == 8
