"""Decoding: every container and format becomes int16 mono 16 kHz, and bad input one sentence."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from edge.audio import BLOCK_SAMPLES, SAMPLE_RATE
from edge.errors import AudioError
from edge.sources import FileSource
from edge.sources.conversion import Converter, into_blocks, read_audio


def tone(seconds: float, rate: int, hertz: float = 440.0) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)


@pytest.mark.parametrize(
    ("suffix", "rate", "channels"),
    [("wav", 8000, 1), ("wav", 44100, 2), ("flac", 48000, 1), ("wav", 96000, 8), ("mp3", 44100, 2), ("ogg", 22050, 1)],
)
def test_any_rate_and_channel_count_becomes_16_khz_mono(tmp_path, suffix, rate, channels):
    path = tmp_path / f"tone.{suffix}"
    soundfile.write(path, np.tile(tone(2, rate)[:, np.newaxis], channels), rate)
    samples = read_audio(path)
    assert samples.dtype == np.int16
    assert len(samples) == pytest.approx(2 * SAMPLE_RATE, abs=2)
    middle = samples[4000:-4000] / 32768
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.05)
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert np.argmax(spectrum) * SAMPLE_RATE / len(middle) == pytest.approx(440, abs=1)


def test_channels_are_averaged(tmp_path):
    path = tmp_path / "stereo.wav"
    soundfile.write(path, np.array([[1000, 3000], [-500, 500]], dtype=np.int16), SAMPLE_RATE)
    assert read_audio(path).tolist() == [2000, 0]


def test_16_khz_int16_is_read_unchanged(tmp_path):
    path = tmp_path / "extremes.wav"
    samples = np.array([-32768, 32767, 0, 1, -1, 12345], dtype=np.int16)
    soundfile.write(path, samples, SAMPLE_RATE)
    np.testing.assert_array_equal(read_audio(path), samples)


def test_float_samples_beyond_full_scale_are_clipped(tmp_path):
    path = tmp_path / "loud.wav"
    soundfile.write(path, np.array([2.0, -2.0]), SAMPLE_RATE, subtype="FLOAT")
    assert read_audio(path).tolist() == [32767, -32768]


@pytest.mark.parametrize("signs", [(1, -1), (-1, 1), (1, 1, -1), (-1, 1, 1, 1), (1, 1)])
@pytest.mark.parametrize("piece", [160, 65_536])
def test_inverted_channels_do_not_cancel(signs, piece):
    mono = 0.3 * np.random.default_rng(0).standard_normal(SAMPLE_RATE).astype(np.float32).clip(-3, 3)
    frames = mono[:, None] * np.array(signs, np.float32)
    converter = Converter(SAMPLE_RATE)
    heard = np.concatenate([converter.push(frames[at : at + piece]) for at in range(0, len(frames), piece)]) / 32768
    np.testing.assert_allclose(heard[1600:], frames[1600:, 0], atol=1e-4)


@pytest.mark.parametrize("offset", [0, 0.3])
def test_channels_that_merely_differ_are_averaged_as_they_are(offset):
    noise = 0.1 * np.random.default_rng(0).standard_normal((SAMPLE_RATE, 2)).astype(np.float32) + np.float32(offset)
    noise[:, 1] += 0.5 * noise[:, 0]
    expected = np.rint(noise.mean(axis=1) * 32768)
    np.testing.assert_allclose(Converter(SAMPLE_RATE).push(noise), expected, atol=1)


@given(st.lists(st.integers(0, 1500), max_size=8))
def test_blocks_hold_the_stream_however_it_is_chunked(lengths):
    samples = np.arange(1, sum(lengths) + 1, dtype=np.int32).astype(np.int16)
    blocks = list(into_blocks(np.split(samples, np.cumsum(lengths))))
    assert all(block.shape == (BLOCK_SAMPLES,) and block.dtype == np.int16 for block in blocks)
    joined = np.concatenate([np.zeros(0, np.int16), *blocks])
    np.testing.assert_array_equal(joined[: len(samples)], samples)
    assert len(joined) - len(samples) < BLOCK_SAMPLES
    assert not joined[len(samples) :].any()


def test_file_source_and_whole_reading_agree(tmp_path):
    path = tmp_path / "noise.wav"
    soundfile.write(path, np.random.default_rng(1).normal(0, 0.1, (200_000, 2)), 44100)
    samples = read_audio(path)
    played = np.concatenate(list(FileSource(path).blocks()))
    np.testing.assert_array_equal(played[: len(samples)], samples)


@pytest.mark.parametrize(
    ("start", "what"),
    [
        (b"\0\0\0\x20ftypM4A ", "MP4"), (b"\xff\xf1\x50\x80", "AAC"), (b"\x1a\x45\xdf\xa3", "WebM"),
        (b"\x30\x26\xb2\x75", "WMA"), (b"#!AMR\n", "AMR"),
    ],
)  # fmt: skip
def test_a_format_that_only_ffmpeg_reads_names_the_way_out(tmp_path, start, what):
    path = tmp_path / "clip"
    path.write_bytes(start + bytes(range(256)) * 20)
    with pytest.raises(AudioError, match=rf"{what}.*`ffmpeg -i .*clip OUT.wav`"):
        read_audio(path)


def _text(path: Path) -> None:
    path.write_text("this is no audio\n" * 100)


def _not_a_number(path: Path) -> None:
    soundfile.write(path, np.array([0.0, np.nan]), SAMPLE_RATE, subtype="FLOAT", format="WAV")


def _infinite(path: Path) -> None:
    soundfile.write(path, np.array([0.0, np.inf]), SAMPLE_RATE, subtype="FLOAT", format="WAV")


def _no_samples(path: Path) -> None:
    soundfile.write(path, np.zeros(0), SAMPLE_RATE, format="WAV")


def _torn(path: Path) -> None:
    soundfile.write(path, np.random.default_rng(1).normal(0, 0.1, 50_000), SAMPLE_RATE, format="FLAC")
    path.write_bytes(path.read_bytes()[:20_000])


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda path: None, "there is no file"),
        (Path.mkdir, "is a directory"),
        (Path.touch, "is empty"),
        (_text, "is not audio that can be read: Format not recognised"),
        (_no_samples, "has no samples"),
        (_not_a_number, "not finite"),
        (_infinite, "not finite"),
        (_torn, "is not audio that can be read"),
    ],
)
@pytest.mark.parametrize("name", ["bad.wav", "bad.mp3", "bad.raw"])
def test_bad_input_is_one_sentence_that_names_the_file(tmp_path, make, sentence, name):
    path = tmp_path / name
    make(path)
    with pytest.raises(AudioError, match=sentence) as caught:
        read_audio(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_broken_files_leave_no_descriptor_open(tmp_path):
    _text(tmp_path / "bad.wav")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        with pytest.raises(AudioError):
            read_audio(tmp_path / "bad.wav")
    assert len(list(Path("/proc/self/fd").iterdir())) == before
