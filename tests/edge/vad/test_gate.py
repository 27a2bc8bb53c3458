"""The gate on real sound: synthetic voices always, recordings where they are at hand."""

import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from edge.audio import BLOCK_SAMPLES, SAMPLE_RATE
from edge.config import GateSettings
from edge.sources.conversion import into_blocks, read_audio
from edge.sources.highpass import high_passed
from edge.vad.gate import Gate, GateItem, SpeechEnded, SpeechStarted, Utterance
from tests.conftest import DEMO

TEXT = "The kettle is on the stove and the window stands open"


def noise(seconds: float, level_db: float, seed: int = 1) -> NDArray[np.float32]:
    """White noise at ``level_db`` dBFS, in int16 units."""
    scale = 32768 * 10 ** (level_db / 20)
    return np.random.default_rng(seed).normal(0, scale, int(seconds * SAMPLE_RATE)).astype(np.float32)


def int16(samples: NDArray[np.float32]) -> NDArray[np.int16]:
    return samples.clip(-32768, 32767).astype(np.int16)


def hear(samples: NDArray[np.int16], settings: GateSettings | None = None) -> tuple[Gate, list[GateItem]]:
    gate = Gate(settings or GateSettings())
    items = [item for block in into_blocks([samples]) for item in gate.push(block)]
    return gate, items + gate.finish()


def utterances(items: list[GateItem]) -> list[Utterance]:
    return [item for item in items if isinstance(item, Utterance)]


@pytest.fixture(scope="session")
def voice(tmp_path_factory) -> NDArray[np.float32]:
    """A synthetic voice that speaks for about three seconds, its surrounding silence cut away."""
    program = shutil.which("espeak-ng")
    if program is None:
        pytest.skip("no espeak-ng: apt-get install espeak-ng")
    path: Path = tmp_path_factory.mktemp("voice") / "voice.wav"
    subprocess.run([program, "-v", "en", "-w", str(path), TEXT], check=True)
    samples = read_audio(path)
    loud = np.flatnonzero(np.abs(samples) > 300)
    return samples[loud[0] : loud[-1]].astype(np.float32)


@pytest.fixture(scope="session")
def scene(voice) -> tuple[NDArray[np.int16], list[tuple[int, int]]]:
    """The voice three times in noise 20 dB below it, and where it begins and ends."""
    level = 10 * np.log10(np.mean((voice / 32768) ** 2))
    samples = noise(30, level - 20)
    bounds = [(start, start + len(voice)) for start in (4 * SAMPLE_RATE + 77, 12 * SAMPLE_RATE, 21 * SAMPLE_RATE)]
    for start, end in bounds:
        samples[start:end] += voice
    return int16(samples), bounds


def test_each_utterance_is_found_whole(scene):
    samples, bounds = scene
    found = utterances(hear(samples)[1])
    assert len(found) == len(bounds)
    for utterance, (onset, end) in zip(found, bounds, strict=True):
        assert utterance.start <= onset
        assert end - 0.05 * SAMPLE_RATE <= utterance.end <= end + 0.7 * SAMPLE_RATE


def test_onset_is_kept_by_pre_roll(scene):
    samples, _ = scene
    items = hear(samples)[1]
    started = [item.start_sample for item in items if isinstance(item, SpeechStarted)]
    for utterance, start in zip(utterances(items), started, strict=True):
        assert start - utterance.start >= 0.5 * SAMPLE_RATE


def test_utterances_hold_the_samples_of_their_place_in_the_stream(scene):
    samples, _ = scene
    for utterance in utterances(hear(samples)[1]):
        np.testing.assert_array_equal(utterance.samples, samples[utterance.start : utterance.end])


def test_signal_to_noise_ratio_is_estimated(scene):
    samples, _ = scene
    for utterance in utterances(hear(samples)[1]):
        assert utterance.snr_db == pytest.approx(20, abs=2)


def test_start_utterance_and_end_come_in_this_order(scene):
    samples, bounds = scene
    kinds = [type(item) for item in hear(samples)[1]]
    assert kinds == [SpeechStarted, Utterance, SpeechEnded] * len(bounds)


def test_neural_detector_sleeps_between_utterances(scene):
    samples, bounds = scene
    gate, _ = hear(samples)
    spoken = sum(end - start for start, end in bounds) / BLOCK_SAMPLES
    assert gate.neural_blocks < spoken + len(bounds) * 60


@pytest.mark.parametrize("level_db", [-90, -60, -30])
def test_steady_noise_neither_opens_the_gate_nor_keeps_the_neural_detector_awake(level_db):
    gate, items = hear(int16(noise(120, level_db)))
    assert items == []
    assert gate.neural_blocks < gate.blocks / 20
    assert gate.noise_db == pytest.approx(level_db, abs=1) or level_db == -90


def test_digital_silence_never_wakes_the_neural_detector():
    gate, items = hear(np.zeros(60 * SAMPLE_RATE, dtype=np.int16))
    assert items == []
    assert gate.neural_blocks == 0


def test_constant_offset_is_no_sound():
    gate, items = hear(high_passed(int16(noise(60, -60) + 8000)))
    assert items == []
    assert gate.noise_db == pytest.approx(-60, abs=1)


def test_wiped_it_holds_no_sound_and_forgets_the_utterance_in_hand(voice):
    gate = Gate(GateSettings())
    items = [item for block in into_blocks([int16(voice)]) for item in gate.push(block)]
    assert [type(item) for item in items] == [SpeechStarted]
    gate.wipe()
    held = [value for value in vars(gate).values() if isinstance(value, np.ndarray)]
    assert held
    assert not any(array.any() for array in held)
    assert gate.finish() == []
    items = [item for block in into_blocks([int16(voice)]) for item in gate.push(block)] + gate.finish()
    (again,), (alone,) = utterances(items), utterances(hear(int16(voice))[1])
    np.testing.assert_array_equal(again.samples, alone.samples)


def test_noise_that_becomes_loud_is_learnt():
    gate, items = hear(int16(np.concatenate([noise(30, -70), noise(60, -30)])))
    assert items == []
    assert gate.neural_blocks < 20 * SAMPLE_RATE / BLOCK_SAMPLES
    assert gate.noise_db == pytest.approx(-30, abs=1)


@pytest.mark.parametrize("hz", [100, 120])
def test_hum_from_the_first_sample_does_not_lead_into_the_first_utterance(voice, hz):
    """Within a second, the estimate climbs from digital silence to the hum, however far that is."""
    time = np.arange(2 * SAMPLE_RATE + len(voice)) / SAMPLE_RATE
    sound = (220 * np.sin(2 * np.pi * hz * time)).astype(np.float32) + noise(time[-1] + 1, -75)[: len(time)]
    sound[SAMPLE_RATE : SAMPLE_RATE + len(voice)] += voice
    gate, items = hear(int16(sound))
    (found,) = utterances(items)
    assert found.start >= (1 - GateSettings().pre_roll_s - 0.2) * SAMPLE_RATE
    assert abs(gate.noise_db - 20 * np.log10(220 / 2**0.5 / 32768)) < 2


def test_speech_from_the_first_sample_is_found(voice):
    (found,) = utterances(hear(int16(voice))[1])
    assert found.start == 0
    assert found.end >= len(voice) - 0.05 * SAMPLE_RATE


def test_utterance_in_hand_is_delivered_at_the_end_of_the_stream(voice):
    gate = Gate(GateSettings())
    items = [item for block in into_blocks([int16(voice)]) for item in gate.push(block)]
    assert [type(item) for item in items] == [SpeechStarted]
    assert [type(item) for item in gate.finish()] == [Utterance, SpeechEnded]
    assert gate.finish() == []


def test_what_follows_the_end_of_a_stream_is_heard_as_if_nothing_had_been_before(voice):
    half = int16(voice)[: len(voice) // 2 // BLOCK_SAMPLES * BLOCK_SAMPLES]
    gate, (_, first, _) = hear(half)
    assert isinstance(first, Utterance)
    assert (first.start, first.end) == (0, len(half))
    items = [item for block in into_blocks([int16(voice)]) for item in gate.push(block)] + gate.finish()
    (second,), (alone,) = utterances(items), utterances(hear(int16(voice))[1])
    assert second.start == len(half)
    np.testing.assert_array_equal(second.samples, alone.samples)


def test_pre_roll_does_not_reach_back_into_the_stream_before(voice):
    gate = Gate(GateSettings())
    quiet = int16(noise(3, -60))
    for block in into_blocks([quiet]):
        gate.push(block)
    gate.finish()
    items = [item for block in into_blocks([int16(voice)]) for item in gate.push(block)] + gate.finish()
    (utterance,) = utterances(items)
    assert utterance.start == len(quiet) + -len(quiet) % BLOCK_SAMPLES


def test_long_speech_is_cut_without_loss_or_overlap(voice):
    long = int16(np.tile(voice, 10))
    found = utterances(hear(long, GateSettings(hangover_s=1.0, max_utterance_s=8))[1])
    assert len(found) > 2
    assert all(len(utterance.samples) <= 8 * SAMPLE_RATE for utterance in found)
    assert all(a.end == b.start for a, b in pairwise(found))
    np.testing.assert_array_equal(np.concatenate([u.samples for u in found])[: len(long)], long)


def test_same_audio_gives_the_same_utterances_again_after_other_audio(scene):
    samples, _ = scene
    first, second = hear(samples)[1], hear(samples)[1]
    assert [(u.start, u.snr_db) for u in utterances(first)] == [(u.start, u.snr_db) for u in utterances(second)]


def test_block_of_another_shape_or_type_is_refused():
    gate = Gate(GateSettings())
    for block in (np.zeros(480, np.int16), np.zeros(512, np.float32)):
        with pytest.raises(ValueError, match=r"int16 \[512\]"):
            gate.push(block)


@pytest.mark.parametrize(
    "wrong",
    [
        {"open_probability": 0.3, "close_probability": 0.4},
        {"tail_s": 0.9, "hangover_s": 0.5},
        {"max_utterance_s": 5, "hangover_s": 3},
        {"pre_roll_s": 0.2},
        {"prerol_s": 0.5},
    ],
)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, GateSettings)


def test_recordings_are_found_in_noise(corpus):
    """A short form of benchmarks/gate.py: 24 recordings of every corpus in noise 15 dB below them."""
    rows = sorted(corpus, key=lambda row: row["sha256"])
    chosen = [row for name in sorted({row["corpus"] for row in rows}) for row in _first(rows, name, 4)]
    gate, found, position = Gate(GateSettings()), 0, 0
    for row in chosen:
        clip = read_audio(Path(row["file"])).astype(np.float32)
        frames = clip[: len(clip) // 160 * 160].reshape(-1, 160)
        power = np.mean(frames**2, axis=1)
        loud = power > np.percentile(power, 95) / 100
        onset, end = np.flatnonzero(loud)[[0, -1]] * 160
        level = 10 * np.log10(np.mean(power[loud]) / 32768**2)
        clip *= 10 ** ((-30 - level) / 20)
        lead = 3 * SAMPLE_RATE
        samples = noise(6 + len(clip) / SAMPLE_RATE, -45, seed=position)
        samples[lead : lead + len(clip)] += clip
        items = [item for block in into_blocks([int16(samples)]) for item in gate.push(block)] + gate.finish()
        heard = sum(
            max(min(u.end, position + lead + end) - max(u.start, position + lead + onset), 0) for u in utterances(items)
        )
        found += heard >= (end - onset) / 2
        position = gate.blocks * BLOCK_SAMPLES
    assert found >= 0.95 * len(chosen)


def _first(rows: list[dict[str, str]], corpus: str, count: int) -> list[dict[str, str]]:
    return [row for row in rows if row["corpus"] == corpus][:count]


@pytest.mark.parametrize("stretch", [5, 64])
def test_prefetching_changes_nothing(stretch):
    samples = np.concatenate([int16(noise(3.0, -60)), read_audio(DEMO), int16(noise(5.0, -60)), read_audio(DEMO)])
    plain, items = hear(samples)
    blocks = np.stack(list(into_blocks([samples])))
    gate, found, asked = Gate(GateSettings()), [], []
    heard = gate._neural.probability
    gate._neural.probability = lambda block, encoded=None: asked.append(encoded is not None) or heard(block, encoded)
    for start in range(0, len(blocks), stretch):
        gate.prefetch(blocks[start : start + stretch])
        found += [item for block in blocks[start : start + stretch] for item in gate.push(block)]
    found += gate.finish()
    assert [(type(item), getattr(item, "start", None)) for item in found] == [
        (type(item), getattr(item, "start", None)) for item in items
    ]
    for one, other in zip(utterances(found), utterances(items), strict=True):
        np.testing.assert_array_equal(one.samples, other.samples)
    assert gate.neural_blocks == plain.neural_blocks
    assert np.mean(asked) > 0.9
