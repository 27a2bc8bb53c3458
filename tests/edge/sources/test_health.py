"""What is wrong with a source is said within the time given, with the reason, and no longer once it is mended."""

from collections.abc import Callable

import numpy as np
import pytest
import soxr
from numpy.typing import NDArray

from edge.audio import BLOCK_SAMPLES, BLOCK_SECONDS, SAMPLE_RATE
from edge.sources.bandwidth import bandwidth_hz
from edge.sources.conversion import read_audio
from edge.sources.health import (
    CLIPPING,
    HUM,
    NARROW_BAND,
    NO_SIGNAL,
    OFFSET,
    TOO_FAST,
    TOO_SLOW,
    Health,
    Problem,
    RateMonitor,
)
from tests.conftest import DEMO

SECONDS = 5.0
SPEECH = read_audio(DEMO)
TIME = np.arange(30 * SAMPLE_RATE) / SAMPLE_RATE
RNG = np.random.default_rng(2)
ROOM = RNG.normal(0, 4, len(TIME))


def hum(level_db: float, hz: float = 50.0) -> NDArray[np.float64]:
    """Mains hum with its harmonics, in int16 units."""
    tones = sum(10 ** (-20 * (order > 1) / 20) * np.sin(2 * np.pi * hz * order * TIME + order) for order in range(1, 6))
    return np.asarray(tones / np.std(tones)) * 32768 * 10 ** (level_db / 20)


def judged(samples: NDArray[np.float64], blocks: int = 1) -> list[Problem | None]:
    """What a monitor says after each second of real time."""
    health = Health(SECONDS, live=True)
    sound = np.clip(np.rint(samples), -32768, 32767).astype(np.int16)
    size = blocks * BLOCK_SAMPLES
    starts = range(0, len(sound) - size, size)
    found = [health.push(sound[start : start + size], (start + size) / SAMPLE_RATE) for start in starts]
    return found[:: round(1 / (blocks * BLOCK_SECONDS))]


FAULTS: dict[str, tuple[NDArray[np.float64], Problem]] = {
    "nothing": (np.zeros(len(TIME)), NO_SIGNAL),
    "a constant -1": (np.full(len(TIME), -1.0), NO_SIGNAL),
    "a constant 1234": (np.full(len(TIME), 1234.0), NO_SIGNAL),
    "dither of 0 and -1": (RNG.integers(-1, 1, len(TIME)).astype(float), NO_SIGNAL),
    "a large offset": (ROOM + 8000, OFFSET),
    "hum of 50 Hz": (ROOM + hum(-20), HUM),
    "hum of 60 Hz": (ROOM + hum(-15, 60.0), HUM),
    "nothing but clipping": (1e6 * np.sin(2 * np.pi * 333.3 * TIME), CLIPPING),
}


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("blocks", [1, 16])
def test_a_fault_is_named_within_the_time_given_and_over_when_it_is_mended(name: str, blocks: int) -> None:
    fault, expected = FAULTS[name]
    mended = np.concatenate([fault[: 10 * SAMPLE_RATE], ROOM[: 10 * SAMPLE_RATE]])
    said = judged(mended, blocks)
    assert set(said[: int(SECONDS) - 1]) == {None}
    assert set(said[int(SECONDS) + 1 : 10]) == {expected}
    assert said[-1] is None
    assert not expected.usable


@pytest.mark.parametrize("change", [lambda s: s, lambda s: s + 655, lambda s: s + hum(-40)[: len(s)], lambda s: 3 * s])
def test_speech_in_a_room_is_no_fault(change: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> None:
    speech = SPEECH[: 30 * SAMPLE_RATE].astype(float) + ROOM[: len(SPEECH[: 30 * SAMPLE_RATE])]
    assert set(judged(change(speech))) == {None}


def test_a_quiet_room_is_no_fault() -> None:
    assert set(judged(0.3 * ROOM)) == {None}


def telephone(samples: NDArray[np.int16]) -> NDArray[np.int16]:
    narrow = soxr.resample(soxr.resample(samples.astype(np.float32), SAMPLE_RATE, 8000), 8000, SAMPLE_RATE)
    return np.rint(narrow).clip(-32768, 32767).astype(np.int16)


@pytest.mark.parametrize("blocks", [1, 16])
@pytest.mark.parametrize("gain", [0.3, 1.0, 2.0])
def test_f24_narrow_band_speech_is_said_after_five_seconds_of_it_and_used(gain: float, blocks: int) -> None:
    """Also where it is quiet, so that rounding is near, or so loud that it clips; and it stays said."""
    narrow = telephone(np.rint(gain * SPEECH[: 30 * SAMPLE_RATE]).clip(-32768, 32767).astype(np.int16))
    said = judged(narrow.astype(float), blocks)
    assert set(said[10:]) == {NARROW_BAND}
    assert set(said) <= {None, NARROW_BAND}
    assert NARROW_BAND.usable


def test_f24_rumble_beside_rounding_tells_nothing_of_the_bandwidth() -> None:
    """A lorry outside: loud, with nothing in a telephone's band against which to compare what is above it."""
    narrow = telephone(SPEECH[: 10 * SAMPLE_RATE]).astype(float)
    rumble = (
        900 * np.sin(2 * np.pi * 43.0 * TIME[: 10 * SAMPLE_RATE]) * np.cos(2 * np.pi * 0.7 * TIME[: 10 * SAMPLE_RATE])
    )
    assert set(judged(np.concatenate([narrow, rumble]))[10:]) == {NARROW_BAND}


def test_the_bandwidth_of_speech_is_measured() -> None:
    utterance = SPEECH[round(1.3 * SAMPLE_RATE) : round(4.8 * SAMPLE_RATE)]
    assert bandwidth_hz(utterance) > 6000
    assert 3000 < bandwidth_hz(telephone(utterance)) <= 4250
    assert bandwidth_hz(np.zeros(SAMPLE_RATE, np.int16)) == 0
    assert bandwidth_hz(utterance[:100]) == 0


@pytest.mark.parametrize(
    ("rate", "expected"), [(1.0, None), (0.98, None), (1.02, None), (0.5, TOO_SLOW), (2.0, TOO_FAST), (2.76, TOO_FAST)]
)
def test_sound_that_does_not_come_in_real_time_is_noticed(rate: float, expected: Problem | None) -> None:
    monitor = RateMonitor(10)
    said = {monitor.push(number * BLOCK_SECONDS / rate) for number in range(1000)}
    assert said == {None} | {expected}


def test_sound_that_is_far_too_fast_is_noticed_before_an_utterance_is_over() -> None:
    monitor = RateMonitor(10)
    assert monitor.push(0.0) is None
    assert TOO_FAST in [monitor.push(number * BLOCK_SECONDS / 3) for number in range(round(2.5 / BLOCK_SECONDS))]


def test_an_interruption_is_not_a_slow_device() -> None:
    monitor = RateMonitor(10)
    assert all(monitor.push(number * BLOCK_SECONDS) is None for number in range(300))
    assert all(monitor.push(60 + number * BLOCK_SECONDS) is None for number in range(1000))


def test_a_network_camera_that_sends_six_seconds_at_a_time_is_not_too_fast() -> None:
    monitor = RateMonitor(10)
    said = [monitor.push(6.0 * burst, 190) for burst in range(20)]
    assert set(said[4:]) == {None}
