"""What a microphone, and what is behind it, does to a sound: level, offset, hum, gain control, clipping, band limits.

All of it stands before the device's high-pass; floating point in [-1, 1] in and out, 16 kHz.
"""

from collections.abc import Callable
from io import BytesIO

import librosa
import numpy as np
import scipy.signal
import soundfile
from numpy.typing import NDArray

from edge.audio import SAMPLE_RATE

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

TELEPHONE = 8_000  # Hz
STEPS = 32_768  # of int16, from silence to full scale


def rms(samples: Floats | Doubles) -> float:
    """Root mean square, full scale 1; never 0."""
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)) + 1e-12))


def behind(samples: Floats, noise: Doubles, ratio: float) -> Floats:
    """Speech with noise of unit power ``ratio`` dB below it, both over the whole clip."""
    return np.asarray(samples + rms(samples) * 10 ** (-ratio / 20) * noise, np.float32)


def at_level(samples: Floats, level: float) -> Floats:
    """The sound with a root mean square of ``level`` dBFS; peaks may reach past full scale."""
    return np.asarray(samples * (10 ** (level / 20) / rms(samples)), np.float32)


def peaking(frequency: float, gain: float, quality: float) -> Doubles:
    """A resonance, or with a negative ``gain``, dB, its opposite: a second-order section [1, 6] (Bristow-Johnson)."""
    angle = 2 * np.pi * frequency / SAMPLE_RATE
    strength, width = 10 ** (gain / 40), np.sin(angle) / (2 * quality)
    section = np.array([
        1 + width * strength, -2 * np.cos(angle), 1 - width * strength,
        1 + width / strength, -2 * np.cos(angle), 1 - width / strength,
    ])  # fmt: skip
    normalised: Doubles = section[None] / section[3]
    return normalised


def response(samples: Floats, generator: np.random.Generator) -> Floats:
    """What a capsule and its case make of the spectrum: less bass, a tilt, resonances, at times less treble."""
    lowest = np.exp(generator.uniform(np.log(30), np.log(250)))
    sections = [
        scipy.signal.butter(int(generator.integers(1, 3)), lowest, "highpass", fs=SAMPLE_RATE, output="sos"),
        peaking(7500, generator.uniform(-12, 6), 0.3),
        *(peaking(generator.uniform(200, 7000), generator.uniform(-6, 6), generator.uniform(0.7, 4)) for _ in range(3)),
    ]
    if generator.random() < 0.3:
        sections.append(scipy.signal.butter(2, generator.uniform(4000, 7500), fs=SAMPLE_RATE, output="sos"))
    return np.asarray(scipy.signal.sosfilt(np.concatenate(sections), samples), np.float32)


def offset(samples: Floats, generator: np.random.Generator) -> Floats:
    """An offset of 0.1 to 5 % of full scale."""
    size = np.exp(generator.uniform(np.log(0.001), np.log(0.05)))
    return np.asarray(samples + size * generator.choice((-1, 1)), np.float32)


def hum(samples: Floats, generator: np.random.Generator) -> Floats:
    """Mains hum of 50 or 60 Hz and its harmonics, -60 to -30 dBFS."""
    first, level = generator.choice((50, 60)), 10 ** (generator.uniform(-60, -30) / 20)
    order = np.arange(1, 11)
    strengths = generator.uniform(0, 1, 10) / order
    phases = 2 * np.pi * (first * order * np.arange(len(samples))[:, None] / SAMPLE_RATE + generator.random(10))
    wave = np.sin(phases) @ strengths
    return np.asarray(samples + level * wave / rms(wave), np.float32)


def gain_control(samples: Floats, generator: np.random.Generator) -> Floats:
    """Quiet made louder by 30 to 80 % of its distance from -20 dBFS, 30 dB at most, within 0.1 to 1 s."""
    pole = np.exp(-1 / (SAMPLE_RATE * generator.uniform(0.1, 1)))
    power = rms(samples) ** 2
    smooth, _ = scipy.signal.lfilter([1 - pole], [1, -pole], np.square(samples, dtype=np.float64), zi=[pole * power])
    gain = np.minimum((0.1 / np.sqrt(smooth + 1e-12)) ** generator.uniform(0.3, 0.8), 30)
    return np.asarray(samples * gain, np.float32)


def clipping(samples: Floats, generator: np.random.Generator) -> Floats:
    """Too much gain: what lies beyond 1.2 to 6 times the root mean square is cut off; as loud as before."""
    limit = np.exp(generator.uniform(np.log(1.2), np.log(6))) * rms(samples)
    cut = np.clip(samples, -limit, limit)
    return np.asarray(cut * (rms(samples) / rms(cut)), np.float32)


def quantised(samples: Floats) -> Floats:
    """As int16 has it: cut off at full scale, and whole steps."""
    return np.asarray(np.clip(np.round(samples * STEPS), -STEPS, STEPS - 1) / STEPS, np.float32)


def through(
    samples: Floats, rate: int, container: str, subtype: str, band: tuple[float, float] | None = None
) -> Floats:
    """Sent at ``rate`` through one of libsndfile's codecs and back; of ``band``, Hz, alone where one is given."""
    sent = librosa.resample(samples, orig_sr=SAMPLE_RATE, target_sr=rate, res_type="soxr_mq")
    if band:
        sections = scipy.signal.butter(4, band, "bandpass", fs=rate, output="sos")
        sent = scipy.signal.sosfilt(sections, sent).astype(np.float32)
    file = BytesIO()
    poorest = {"compression_level": 1.0} if container == "OGG" else {}
    soundfile.write(file, np.clip(sent, -1, 1), rate, format=container, subtype=subtype, **poorest)
    file.seek(0)
    heard = soundfile.read(file, dtype="float32")[0]
    back = librosa.resample(heard, orig_sr=rate, target_sr=SAMPLE_RATE, res_type="soxr_mq")
    fitted: Floats = librosa.util.fix_length(back, size=len(samples))
    return fitted


def g711(samples: Floats, generator: np.random.Generator) -> Floats:
    """A wired telephone: 8 kHz, the American or the European law."""
    band = (generator.uniform(100, 300), generator.uniform(3300, 3600)) if generator.random() < 0.5 else None
    return through(samples, TELEPHONE, "WAV", str(generator.choice(("ULAW", "ALAW"))), band)


def mobile(samples: Floats, generator: np.random.Generator) -> Floats:
    """A mobile telephone: 8 kHz, 200 to 3,400 Hz, a speech coder of 13 kbit/s that predicts as AMR does."""
    return through(samples, TELEPHONE, "WAV", "GSM610", (generator.uniform(150, 300), generator.uniform(3200, 3600)))


def camera(samples: Floats, generator: np.random.Generator) -> Floats:
    """A cheap camera: 8 kHz, gain control, four bits a sample or G.711."""
    even = gain_control(samples, generator)
    peak = max(1.0, float(np.abs(even).max()))
    return through(even / np.float32(peak), TELEPHONE, "WAV", str(generator.choice(("IMA_ADPCM", "ALAW"))))


def narrow_opus(samples: Floats, generator: np.random.Generator) -> Floats:  # noqa: ARG001 - all bands have it
    """Opus at its lowest rate, about 6 kbit/s, which keeps 4 kHz."""
    return through(samples, TELEPHONE, "OGG", "OPUS")


def wide_stream(samples: Floats, generator: np.random.Generator) -> Floats:
    """Opus or Vorbis at 16 kHz and the lowest rate."""
    return through(samples, SAMPLE_RATE, "OGG", str(generator.choice(("OPUS", "VORBIS"))))


Band = Callable[[Floats, np.random.Generator], Floats]

NARROW: tuple[Band, ...] = (g711, mobile, camera, narrow_opus)
"""Whatever keeps 4 kHz or less."""
