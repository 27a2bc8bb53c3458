"""The features against librosa's, and against themselves in pieces."""

import csv
import json
import os
import random
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge import features
from edge.audio import SAMPLE_RATE

DATA = Path(os.environ.get("AFFECTD_DATA", Path(__file__).parents[4] / "shared" / "data"))
CLIPS = 48
TOLERANCES = {"mfcc": 1e-2, "mel": 1e-3, "chroma": 1e-3, "contrast": 1e-3, "tonnetz": 1e-3}

RNG = np.random.default_rng(7)
SECONDS = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
NOISE = RNG.standard_normal(len(SECONDS))
SYNTHETIC = {
    "silence": np.zeros(len(SECONDS)),
    "silence after speech-like noise": np.where(SECONDS < 1, 0.1 * NOISE, 0),
    "direct current": np.ones(len(SECONDS)),
    "faint direct current": np.full(len(SECONDS), 1 / 32768),
    "white noise": 0.1 * NOISE,
    "loud white noise": np.clip(2 * NOISE, -1, 1),
    "noise of one bit": np.rint(NOISE) / 32768,
    "noise far below one bit": 1e-7 * NOISE,
    "clipped tone": np.clip(8 * np.sin(2 * np.pi * 220 * SECONDS), -1, 1),
    "full-scale square wave": np.sign(np.sin(2 * np.pi * 220 * SECONDS)),
    "full-scale tone between two bins": np.sin(2 * np.pi * 1007.8125 * SECONDS),
    "chirp": np.sin(2 * np.pi * (50 * SECONDS + 1975 * SECONDS**2)),
    "one click": np.eye(1, len(SECONDS), 9000)[0],
    "one sample": np.ones(1),
}


def librosa_frames(samples: np.ndarray) -> np.ndarray:
    """The same features as librosa computes them: float32 [frames, 105]."""
    librosa = pytest.importorskip("librosa", reason="librosa, the reference, is not installed")
    spectral = pytest.importorskip("librosa.feature.spectral")
    size = {"sr": SAMPLE_RATE, "n_fft": features.WINDOW_SAMPLES}
    magnitude = np.abs(
        librosa.stft(samples, n_fft=features.WINDOW_SAMPLES, hop_length=features.HOP_SAMPLES, pad_mode="constant")
    )
    power = magnitude**2
    mel = librosa.power_to_db(librosa.feature.melspectrogram(S=power, n_mels=40, **size), ref=1.0, top_db=None)
    chroma = librosa.feature.chroma_stft(S=power, tuning=0.0, **size)
    with pytest.MonkeyPatch.context() as patch:  # librosa measures contrast against the clip's maximum
        patch.setattr(spectral, "power_to_db", lambda level: librosa.power_to_db(level, top_db=None))
        contrast = librosa.feature.spectral_contrast(S=magnitude, sr=SAMPLE_RATE)
    tonnetz = librosa.feature.tonnetz(chroma=chroma, sr=SAMPLE_RATE)
    return np.concatenate([librosa.feature.mfcc(S=mel, n_mfcc=40), mel, chroma, contrast, tonnetz]).T


def assert_as_librosa(samples: np.ndarray) -> None:
    ours, reference = features.frames(samples), librosa_frames(samples)
    assert ours.shape == reference.shape
    assert ours.dtype == np.float32
    for family, tolerance in TOLERANCES.items():
        columns = features.FAMILIES[family]
        np.testing.assert_allclose(ours[:, columns], reference[:, columns], rtol=0, atol=tolerance, err_msg=family)


@pytest.mark.filterwarnings("ignore:n_fft=1024 is too large")
@pytest.mark.parametrize("name", SYNTHETIC)
def test_synthetic_signal_has_librosas_features(name: str) -> None:
    assert_as_librosa(SYNTHETIC[name].astype(np.float32))


def real_clips() -> list[str]:
    """A fixed sample of the corpora; one None where they are absent."""
    manifest = DATA / "manifest.csv"
    if not manifest.exists():
        return []
    with manifest.open(newline="") as file:
        return random.Random(7).sample([row["path"] for row in csv.DictReader(file)], CLIPS)


@pytest.mark.skipif(not real_clips(), reason=f"no recordings in {DATA}; set AFFECTD_DATA to where they are")
@pytest.mark.parametrize("path", real_clips())
def test_real_clip_has_librosas_features(path: str) -> None:
    soundfile = pytest.importorskip("soundfile")
    samples, rate = soundfile.read(DATA / path, dtype="float32")
    assert rate == SAMPLE_RATE
    assert_as_librosa(samples)


def in_pieces(samples: np.ndarray, cuts: list[int]) -> np.ndarray:
    stream = features.FrameStream()
    pieces = np.split(samples, sorted(cuts))
    return np.concatenate([*(stream.push(piece) for piece in pieces), stream.finish()])


CLIP = (0.1 * NOISE[:20_000]).astype(np.float32)


@settings(deadline=None)
@given(st.integers(0, len(CLIP)).flatmap(lambda n: st.tuples(st.just(n), st.lists(st.integers(0, n), max_size=60))))
def test_pieces_of_any_size_give_the_frames_of_the_whole(case: tuple[int, list[int]]) -> None:
    length, cuts = case
    clip = CLIP[:length]
    np.testing.assert_allclose(in_pieces(clip, cuts), features.frames(clip), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", SYNTHETIC)
@pytest.mark.parametrize("size", [1, 160, 256, 512, 1024, 12_345])
def test_blocks_of_one_size_give_the_frames_of_the_whole(name: str, size: int) -> None:
    clip = SYNTHETIC[name][: 2000 if size == 1 else None].astype(np.float32)
    cuts = list(range(size, len(clip), size))
    np.testing.assert_allclose(in_pieces(clip, cuts), features.frames(clip), rtol=0, atol=1e-5)


def test_stream_gives_each_frame_as_soon_as_its_last_sample_has_come() -> None:
    stream = features.FrameStream()
    assert len(stream.push(CLIP[:511])) == 0
    assert len(stream.push(CLIP[511:512])) == 1
    assert len(stream.push(CLIP[512:767])) == 0
    assert len(stream.push(CLIP[767:768])) == 1


def test_finished_stream_begins_anew() -> None:
    stream = features.FrameStream()
    first = np.concatenate([stream.push(CLIP), stream.finish()])
    second = np.concatenate([stream.push(CLIP), stream.finish()])
    np.testing.assert_array_equal(first, second)


def test_int16_is_the_same_sound() -> None:
    whole = np.rint(CLIP * 32768).astype(np.int16)
    expected = features.frames((whole / 32768).astype(np.float32))
    np.testing.assert_array_equal(features.frames(whole), expected)
    np.testing.assert_allclose(in_pieces(whole, [100, 5000]), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("length", [0, 1, 2, 255, 256, 511, 512, 1023, 1024, 1025, 8191, 8192, 8193])
@pytest.mark.parametrize("dtype", [np.float32, np.int16])
def test_clip_of_any_length_has_its_finite_frames(length: int, dtype: type) -> None:
    clip = np.ones(length, dtype)
    frames = features.frames(clip)
    assert frames.shape == (1 + length // features.HOP_SAMPLES, features.COUNT)
    assert np.isfinite(frames).all()
    np.testing.assert_allclose(in_pieces(clip, []), frames, rtol=0, atol=1e-5)


def test_silence_is_the_floor_and_has_no_tone() -> None:
    frames = features.frames(np.zeros(SAMPLE_RATE, np.float32))
    assert (frames[:, features.FAMILIES["mel"]] == -100).all()
    for family in ("chroma", "contrast", "tonnetz"):
        assert (frames[:, features.FAMILIES[family]] == 0).all()


def test_threads_do_not_disturb_each_other() -> None:
    clips = [np.roll(CLIP, shift) * (shift + 1) for shift in range(4)]
    expected = [features.frames(clip) for clip in clips]
    alike: list[bool] = []

    def work(index: int) -> None:
        alike.extend(np.array_equal(features.frames(clips[index]), expected[index]) for _ in range(20))

    threads = [threading.Thread(target=work, args=(index,)) for index in range(len(clips))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert alike == [True] * 80


def test_result_outlives_the_next_clip() -> None:
    first = features.frames(CLIP)
    kept = first.copy()
    features.frames(np.flip(CLIP))
    np.testing.assert_array_equal(first, kept)


@pytest.mark.parametrize(
    ("samples", "error", "words"),
    [
        (np.zeros((2, 100), np.float32), ValueError, "mono"),
        (np.zeros(100, np.int32), TypeError, "int32"),
    ],
)
def test_wrong_samples_are_named(samples: np.ndarray, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        features.frames(samples)
    with pytest.raises(error, match=words):
        features.FrameStream().push(samples)


def test_families_cover_the_features_in_order() -> None:
    sizes = {family: columns.stop - columns.start for family, columns in features.FAMILIES.items()}
    assert list(sizes.items())[:5] == [("mfcc", 40), ("mel", 40), ("chroma", 12), ("contrast", 7), ("tonnetz", 6)]
    covered = [index for columns in features.FAMILIES.values() for index in range(columns.start, columns.stop)]
    assert covered == list(range(features.COUNT))
    for family, columns in features.FAMILIES.items():
        assert all(name.startswith(f"{family}_") for name in features.NAMES[columns])
    assert len(set(features.NAMES)) == features.COUNT


def test_a_concert_pitch_is_named_a() -> None:
    frames = features.frames(np.sin(2 * np.pi * 440 * SECONDS).astype(np.float32))
    chroma = frames[10, features.FAMILIES["chroma"]]
    assert features.NAMES[features.FAMILIES["chroma"]][int(chroma.argmax())] == "chroma_a"


def test_pooled_are_mean_and_spread_over_time() -> None:
    frames = features.frames(SYNTHETIC["chirp"].astype(np.float32))
    pooled = dict(zip(features.POOLED_NAMES, features.pooled(frames), strict=True))
    assert len(pooled) == len(features.POOLED_NAMES) == 180
    assert features.pooled(frames).dtype == np.float32
    for index, name in enumerate(features.NAMES):
        assert pooled[f"{name}_mean"] == pytest.approx(frames[:, index].mean(), rel=1e-5, abs=1e-5)
    tonal = [name for name in features.NAMES if name.split("_")[0] in {"chroma", "contrast", "tonnetz"}]
    assert len(tonal) == 25
    for statistic, function in {"std": np.std, "min": np.min, "max": np.max}.items():
        assert [name for name in features.POOLED_NAMES if name.endswith(f"_{statistic}")] == [
            f"{name}_{statistic}" for name in tonal
        ]
        for name in tonal:
            expected = function(frames[:, features.NAMES.index(name)].astype(np.float64))
            assert pooled[f"{name}_{statistic}"] == pytest.approx(expected, abs=1e-5)


def test_pooled_of_one_frame_is_finite() -> None:
    assert np.isfinite(features.pooled(features.frames(np.zeros(0, np.float32)))).all()


def test_specification_survives_json() -> None:
    assert json.loads(json.dumps(features.SPECIFICATION, allow_nan=False)) == features.SPECIFICATION
    assert sum(features.SPECIFICATION["families"].values()) == features.COUNT
