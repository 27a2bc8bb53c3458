"""The hand-made families of power spectra, as ``edge.features`` computes them."""

import numpy as np

from edge.features import DCT, FeatureSet, families, prosody
from export.waveform.graph import Value

_DECIBELS = float(families.DECIBELS)  # of a natural logarithm


def frames(power: Value, chosen: FeatureSet) -> Value:
    """The hand-made columns, float32 [frames, columns], of power spectra float64 [frames, 513]."""
    logarithms = (power @ families.MEL_BANK).at_least(families.AMIN).apply("Log")
    chroma = _chroma(power)
    columns = {
        "mel": lambda: logarithms * _DECIBELS,
        "mfcc": lambda: logarithms @ (DCT * _DECIBELS),
        "chroma": lambda: chroma,
        "tonnetz": lambda: (chroma / _length(chroma.sum(1, keep=True))) @ families.TONNETZ,
        "contrast": lambda: _contrast(power),
        "prosody": lambda: _prosody(power),
    }
    return power.graph.concat([columns[name]() for name in chosen.hand_made], axis=1).astype(np.float32)


def _decibels(power: Value) -> Value:
    return power.at_least(families.AMIN).apply("Log") * _DECIBELS


def _chroma(power: Value) -> Value:
    classes = power @ families.CHROMA_BANK
    return classes / _length(classes.max(1, keep=True))


def _length(norm: Value) -> Value:
    """The divisor: 1 for silence."""
    ones = norm.graph.constant(np.array(1.0))
    return (norm < families.SMALLEST).where(ones, norm)


def _contrast(power: Value) -> Value:
    """A band's strongest bins over its weakest, in single precision up to the root, as the device sorts them."""
    single = power.astype(np.float32)
    levels = []
    for band, count in families.CONTRAST_BANDS:
        bins = single.between(band.start, band.stop, axis=1)
        if count == 1:
            ends = [bins.max(1, keep=True), bins.min(1, keep=True)]
        else:
            ends = [bins.ordered(count, largest=largest) for largest in (True, False)]
        peak, valley = (_decibels(end.astype(np.float64).apply("Sqrt").mean(1, keep=True)) for end in ends)
        levels.append(peak - valley)
    return power.graph.concat(levels, axis=1)


def _prosody(power: Value) -> Value:
    octaves, voicing = _pitch(power)
    energy = power.sum(1, keep=True)
    alpha = [_band(power, band).sum(1, keep=True) for band in prosody.ALPHA_BANDS]
    peaks = [_band(power, band).max(1, keep=True) for band in prosody.HAMMARBERG_BANDS]
    tilts = [_level(low) - _level(high) for low, high in (alpha, peaks)]
    return power.graph.concat([voicing * octaves, voicing, _level(energy), *tilts], axis=1)


def _level(power: Value) -> Value:
    return power.at_least(prosody.AMIN).apply("Log") * _DECIBELS


def _band(power: Value, band: tuple[float, float]) -> Value:
    bins = prosody.place(band)
    return power.between(bins.start, bins.stop, axis=1)


def _pitch(power: Value) -> tuple[Value, Value]:
    """Octaves from the reference, and voicing: two columns [frames, 1]."""
    graph, smallest = power.graph, float(np.sqrt(prosody.AMIN))
    correlation = power.between(0, prosody.BINS, axis=1).apply("Sqrt") @ prosody.TRANSFORM
    before, here, after = (correlation.between(first, last, axis=1) for first, last in ((0, -3), (1, -2), (2, -1)))
    zero = correlation.between(-1, None, axis=1).at_least(smallest)
    peak = (here >= before) & (here >= after)
    score = peak.where(here - zero * graph.constant(prosody.COST[None]), zero * -1.0)
    best = score.apply("ArgMax", dtype=np.int64, axis=1, keepdims=1)
    left, top, right = (side.apply("GatherElements", best, axis=1) for side in (before, here, after))
    bend = (left - top * 2.0 + right).at_most(-smallest)
    offset = ((left - right) * 0.5 / bend).at_least(-0.5).at_most(0.5)
    period = best.astype(np.float64) + offset + float(prosody.SHORTEST)
    octaves = (period.apply("Log") * -1.0 + float(np.log(prosody.RATE / prosody.PITCH_REFERENCE))) * (1 / np.log(2))
    return octaves, (top / zero).at_least(0.0).at_most(1.0)
