"""F37: the length fields that recorders leave behind, pipes and FIFOs: the sound that is there is heard."""

import io
import os
import struct
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge.audio import SAMPLE_RATE
from edge.errors import AudioError
from edge.sources import conversion
from edge.sources.conversion import decode_open, read_audio

TONE = 0.5 * np.sin(2 * np.pi * 440 * np.arange(SAMPLE_RATE) / SAMPLE_RATE)  # one second
LENGTHS = [0, 0xFFFFFFFF, 0xFFFFFFFE, 0x7FFFFFFF, 0x80000000, 1_000_000, 32_001]


def _recorded(form: str, length: int, subtype: str = "PCM_16") -> bytes:
    """A second of sound in a file whose length field was never filled in, or wrongly."""
    file = io.BytesIO()
    soundfile.write(file, TONE, SAMPLE_RATE, format=form, subtype=subtype)
    content = bytearray(file.getvalue())
    match form:
        case "WAV" | "WAVEX":
            struct.pack_into("<I", content, 4, length)
            struct.pack_into("<I", content, content.index(b"data") + 4, length)
        case "RF64":
            struct.pack_into("<QQQ", content, content.index(b"ds64") + 8, length, length, 0)
        case "AU":
            struct.pack_into(">I", content, 8, length)
        case "AIFF":
            struct.pack_into(">I", content, content.index(b"SSND") + 4, length)
        case "W64":
            struct.pack_into("<Q", content, content.index(b"data\xf3") + 16, length)
        case "CAF":
            struct.pack_into(">q", content, content.index(b"data") + 4, -1 if length == 0xFFFFFFFF else length)
    return bytes(content)


@pytest.mark.parametrize("form", ["WAV", "WAVEX", "RF64", "AU", "AIFF", "W64", "CAF"])
@pytest.mark.parametrize("length", LENGTHS)
def test_f37_sound_is_heard_to_its_end_whatever_the_header_says(tmp_path, form, length):
    path = tmp_path / "clip"
    path.write_bytes(_recorded(form, length))
    assert SAMPLE_RATE - 4 <= len(read_audio(path)) <= SAMPLE_RATE  # AIFF's length counts eight bytes more
    in_memory = np.concatenate(list(decode_open(io.BytesIO(path.read_bytes()), "clip")))
    np.testing.assert_array_equal(in_memory, read_audio(path))


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_24", "FLOAT", "ULAW", "MS_ADPCM"])
def test_f37_every_encoding_of_a_wav_without_a_length(tmp_path, subtype):
    path = tmp_path / "clip.wav"
    path.write_bytes(_recorded("WAV", 0, subtype))
    assert SAMPLE_RATE <= len(read_audio(path)) < SAMPLE_RATE + 600  # ADPCM comes in blocks


def test_f37_a_flac_of_unknown_length_is_read(tmp_path):
    path = tmp_path / "clip.flac"
    soundfile.write(path, TONE, SAMPLE_RATE)
    content = bytearray(path.read_bytes())
    (field,) = struct.unpack_from(">Q", content, 18)
    struct.pack_into(">Q", content, 18, field >> 36 << 36)
    path.write_bytes(content)
    assert len(read_audio(path)) == SAMPLE_RATE


def test_f37_what_follows_no_sound_is_not_taken_for_sound(tmp_path):
    path = tmp_path / "clip.wav"
    content = _recorded("WAV", 0)
    path.write_bytes(content[: content.index(b"data") + 8] + b"LIST\x04\0\0\0INFO")
    with pytest.raises(AudioError, match="no samples"):
        read_audio(path)


@pytest.mark.parametrize("form", ["WAV", "FLAC", "OGG", "MP3"])
def test_f37_a_pipe_is_read_as_a_file_is(tmp_path, form):
    path, pipe = tmp_path / "clip", tmp_path / "pipe"
    soundfile.write(path, TONE, SAMPLE_RATE, format=form)
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(path.read_bytes(),))
    writer.start()
    samples = read_audio(pipe)
    writer.join()
    np.testing.assert_array_equal(samples, read_audio(path))


def test_f37_a_pipe_that_brings_nothing_is_one_sentence(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(b"",))
    writer.start()
    with pytest.raises(AudioError, match="pipe is empty"):
        read_audio(pipe)
    writer.join()


def test_f37_a_pipe_without_an_end_is_given_up(monkeypatch):
    monkeypatch.setattr(conversion, "_MOST_BYTES", 1 << 22)
    with pytest.raises(AudioError, match="more than 4 MiB"):
        read_audio(Path("/dev/zero"))
